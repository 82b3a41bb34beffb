"""Jobs that belong to no paper: what several papers take as an input."""
