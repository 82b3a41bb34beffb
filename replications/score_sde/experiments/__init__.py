"""Experiments of score SDE: one module for each table or figure."""
