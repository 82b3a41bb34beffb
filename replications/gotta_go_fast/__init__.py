"""Gotta Go Fast When Generating Data with Score-Based Models (Jolicoeur-Martineau et al., 2021)."""
