"""`python -m replications.ncsnv2 <experiment>`, or `... recommend` for the settings of a data set of your own."""

import sys

from common.runs.cli import main
from common.runs.memory import leave
from replications.ncsnv2 import recommend

if sys.argv[1:2] == ["recommend"]:
    sys.exit(recommend.main(sys.argv[2:]))
leave(main("replications.ncsnv2"))
