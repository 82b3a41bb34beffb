"""Experiments of Gotta Go Fast: one module for each table or figure."""
