"""Samplers: plain functions `sample(model, x, times, *, generator=None, callback=None) -> Samples`."""
