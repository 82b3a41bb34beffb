"""`python -m replications.flow_matching <experiment>`."""

import sys

from common.runs.cli import main

sys.exit(main("replications.flow_matching"))
