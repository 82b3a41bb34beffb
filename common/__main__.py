"""`python -m common <experiment>`: jobs that several papers share."""

import sys

from common.cli import main

sys.exit(main("common"))
