"""Statistics of Section 3, supervised learning, and of the solver's use (Sections 2, 6): one number per seed."""
