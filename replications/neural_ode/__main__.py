"""`python -m replications.neural_ode <experiment>`."""

import sys

from common.runs.cli import main

sys.exit(main("replications.neural_ode"))
