import atexit
import os
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.20")
sys.path.insert(0, workflow.basedir)

from common.runs import workflow as retrace
from common.errors import RetraceError
from common.runs.kept import KEEP


configfile: "config/config.yaml"


retrace.use_this_python()

try:
    CHOSEN = retrace.check_config(config)
except RetraceError as error:
    raise WorkflowError(str(error)) from None

BEGAN = time.time()
LEVEL = config["level"]
SEEDS = config["seeds"][LEVEL]
EXTRA = retrace.extra_files(config)


if retrace.dry_run(sys.argv[1:]):
    named = [word for word in sys.argv[1:] if word in CHOSEN] or CHOSEN
    # last, below the list of jobs
    atexit.register(
        os.system,
        f"python -m replications forecast --line --level {LEVEL} --papers {' '.join(named)} --seeds {SEEDS}",
    )


include: "common/rules.smk"
include: "report/rules.smk"


rule all:
    default_target: True
    input:
        f"{PAGES}/index.html",
        # by themselves: a page that exists, such as a failed call leaves, would hide that runs are missing
        [f"{run}/metrics.csv" for run in RUNS_CHOSEN],


# Before any compute: settings, claims, data and disk of this level. Not a rule: every run would have to depend on it.
onstart:
    if workflow.local_exec:
        # Nobody starts a hundred jobs a second here. To keep that limit the scheduler would look at every input of all jobs that are
        # ready once a second, and once more for each job that has ended: a sixth of a core in the end.
        workflow.scheduler.job_rate_limiter = None
    # of a job's runs those that stand are kept, unless this call is told to make them anew
    forced = workflow.dag_settings.forceall or workflow.dag_settings.forcerun
    os.environ[KEEP] = "" if forced else "1"
    extra = " ".join(["--extra", *EXTRA] if EXTRA else [])
    shell(
        f"python -m replications check --level {LEVEL} --papers {' '.join(CHOSEN)} --seeds {SEEDS} {extra}"
    )


# A failed run must not cost the reader the others: the report is built from what is there and names what is missing.
onerror:
    print(retrace.failures(JOBS, LEVEL, BEGAN), file=sys.stderr)
    retrace.write_plan(PLAN, RUNS_CHOSEN)
    shell(
        f"python -m report all --level {LEVEL} --runs {PLAN} --papers {' '.join(CHOSEN)} --out {PAGES} || true"
    )
