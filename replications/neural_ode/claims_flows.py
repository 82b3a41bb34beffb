"""Statistics of Section 4, continuous normalizing flows: metrics table in, one number per seed out."""
