"""`python -m replications.ncsn <experiment>`."""

import sys

from common.runs.cli import main

sys.exit(main("replications.ncsn"))
