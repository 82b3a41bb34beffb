"""Mistakes to plant, by room and paper; `tests/mutants.py` plants them."""
