"""Learning: objectives, data, networks, the training loop, models kept in run folders."""
