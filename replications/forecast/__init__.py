"""What a level costs, before it is spent: `python -m replications forecast`."""
