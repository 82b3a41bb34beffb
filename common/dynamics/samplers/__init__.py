"""Samplers: plain functions `sample(denoiser, x, times, *, generator, callback=None)`."""
