"""`python -m replications.score_sde <experiment>`, or `... import` for a checkpoint of the authors."""

import sys

from common.runs.cli import main
from common.runs.memory import leave
from replications.score_sde.networks import importing

if sys.argv[1:2] == ["import"]:
    sys.exit(importing.main(sys.argv[2:]))
leave(main("replications.score_sde"))
