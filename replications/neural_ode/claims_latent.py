"""Statistics of Section 5, latent ODEs: metrics table in, one number per seed out."""
