"""Experiments of NCSN: one module for each table or figure."""
