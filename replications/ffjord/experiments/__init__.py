"""Experiments of FFJORD: one module for each table or figure."""
