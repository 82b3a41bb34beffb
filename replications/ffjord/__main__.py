"""`python -m replications.ffjord <experiment>`."""

from common.runs.cli import main
from common.runs.memory import leave

leave(main("replications.ffjord"))
