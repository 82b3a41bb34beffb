"""What the paper says of noise levels and steps, measured without a network."""
