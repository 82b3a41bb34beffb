"""`python -m replications.ncsnv2 <experiment>`."""

import sys

from common.runs.cli import main

sys.exit(main("replications.ncsnv2"))
