"""Generative Modeling by Estimating Gradients of the Data Distribution (Song, Ermon; NeurIPS 2019)."""
