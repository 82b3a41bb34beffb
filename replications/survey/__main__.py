"""`python -m replications.survey <experiment>`."""

from common.runs.cli import main
from common.runs.memory import leave

leave(main("replications.survey"))
