"""NCSN++, DDPM++ and DDPM: one U-Net with every published option, its named settings, and the authors' checkpoints."""
