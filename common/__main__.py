"""`python -m common <experiment>`: jobs that several papers share."""

from common.runs.cli import main
from common.runs.memory import leave

leave(main("common"))
