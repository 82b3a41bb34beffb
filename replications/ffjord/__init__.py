"""FFJORD: Free-form Continuous Dynamics for Scalable Reversible Generative Models (Grathwohl et al.; ICLR 2019)."""
