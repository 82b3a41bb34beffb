"""`python -m replications.flow_matching <experiment>`."""

from common.runs.cli import main
from common.runs.memory import leave

leave(main("replications.flow_matching"))
