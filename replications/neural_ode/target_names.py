"""Names of target densities of Figure 4, apart from their energies: claims know them without torch."""

MULTIMODAL = ("two_modes", "split_wave")
