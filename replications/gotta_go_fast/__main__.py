"""`python -m replications.gotta_go_fast <experiment>`."""

from common.runs.cli import main
from common.runs.memory import leave

leave(main("replications.gotta_go_fast"))
