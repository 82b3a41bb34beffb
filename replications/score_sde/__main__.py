"""`python -m replications.score_sde <experiment>`, or `... import` for a checkpoint of the authors."""

import sys

from common.runs.cli import main
from replications.score_sde.networks import importing

if sys.argv[1:2] == ["import"]:
    sys.exit(importing.main(sys.argv[2:]))
sys.exit(main("replications.score_sde"))
