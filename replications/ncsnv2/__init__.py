"""NCSNv2: how to choose noise levels, conditioning, steps and averaging of a score-based model (Song & Ermon 2020)."""
