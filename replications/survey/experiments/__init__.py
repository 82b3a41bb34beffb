"""Experiments of the survey: one module for each table or figure."""
