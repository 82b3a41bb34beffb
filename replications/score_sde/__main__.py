"""`python -m replications.score_sde <experiment>`."""

import sys

from common.runs.cli import main

sys.exit(main("replications.score_sde"))
