"""Data sets: two-dimensional densities, images that ship with scikit-learn, and the benchmark image sets."""
