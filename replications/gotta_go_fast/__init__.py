"""Gotta Go Fast: an SDE solver with adaptive steps for score-based models (Jolicoeur-Martineau et al. 2021)."""
