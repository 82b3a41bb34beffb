"""`python -m replications.survey <experiment>`."""

import sys

from common.runs.cli import main

sys.exit(main("replications.survey"))
