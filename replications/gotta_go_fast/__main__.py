"""`python -m replications.gotta_go_fast <experiment>`."""

import sys

from common.runs.cli import main

sys.exit(main("replications.gotta_go_fast"))
