"""Experiments of Score SDE: one module for each table or figure."""
