"""Names of the target densities of Figure 4, apart from their energies: claims and figures know them without torch."""

TARGETS = ("two_modes", "wave", "split_wave")
MULTIMODAL = ("two_modes", "split_wave")
