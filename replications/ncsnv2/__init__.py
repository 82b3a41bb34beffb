"""NCSNv2: how to choose the noise levels, steps and averages of score models (Song & Ermon, NeurIPS 2020)."""
