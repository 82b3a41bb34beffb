"""`python -m replications.ffjord <experiment>`."""

import sys

from common.runs.cli import main

sys.exit(main("replications.ffjord"))
