"""NCSNv2: noise levels, steps, conditioning and weights chosen by rule, so that annealing scales to larger images (2020)."""
