"""Diffusion models, a comprehensive survey (Yang et al. 2022): every trained objective under every sampler."""
