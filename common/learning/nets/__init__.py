"""Backbones: bare networks `net(x, t)` that know nothing of noise schedules or of what their output means."""
