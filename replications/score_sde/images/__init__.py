"""What is measured of trained models of images: samples, likelihoods and latents."""
