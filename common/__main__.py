"""`python -m common <experiment>`: jobs that several papers share."""

import sys

from common.runs.cli import main

sys.exit(main("common"))
