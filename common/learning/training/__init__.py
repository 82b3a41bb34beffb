"""The training loop: exact resume, exponential moving average, mixed precision, several devices."""
