"""`python -m replications.neural_ode <experiment>`."""

from common.runs.cli import main
from common.runs.memory import leave

leave(main("replications.neural_ode"))
