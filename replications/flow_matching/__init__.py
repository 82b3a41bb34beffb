"""Flow Matching for Generative Modeling (Lipman, Chen, Ben-Hamu, Nickel, Le; ICLR 2023)."""
