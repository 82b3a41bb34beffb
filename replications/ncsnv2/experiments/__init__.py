"""Experiments of NCSNv2: one module for each table or figure."""
