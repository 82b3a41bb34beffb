"""One job, one command: `python -m replications.<paper> <experiment> ... --level laptop --seed 0 [--set key=value ...]`.

The workflow runs exactly this. Every combination of experiment, `--seed` and `--sweep` values is one run with a folder of its
own; they share the process, because importing torch costs as much as training a small network for a while.
"""

import argparse
import ast
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from common.errors import RetraceError
from common.runs import launch
from common.runs import settings as settings_of
from common.runs.call import check_experiments, planned
from common.runs.levels import LEVELS, WHERE
from common.runs.memory import keep_freed_memory, uncollected_imports
from common.runs.settings import package_folder


def main(package: str, arguments: Sequence[str] | None = None) -> int:
    """Run experiments of one paper (or of `common`) and return the exit status: 0, 1 a run failed, 2 bad input."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = parser(package).parse_args(arguments)
    if not launch.started_by_torchrun():
        if options.device == "auto":
            launch.take_gpus(options.gpus)
        if options.gpus > 1:
            launch.become_torchrun(options.gpus, package, arguments)
    keep_freed_memory()
    threads = max(1, options.threads // launch.processes())
    # before NumPy is loaded: its linear algebra would take every core, beside the other jobs
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)
    try:
        check_experiments(package, options.experiments)
        settings_of.check_level(options.level)
        if options.base_seed is None:
            options.base_seed = settings_of.base_seed()
        with uncollected_imports():
            runs = planned(package, options)
    except RetraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.show_settings:
        print(runs[0].settings.model_dump_json(indent=2))
        return 0
    from common.runs import distributed
    from common.runs.execute import execute, remove_training_states, shown_command

    command, options.threads = shown_command(package, arguments), threads
    succeeded = [execute(run, options, command) for run in runs]
    if all(succeeded):
        remove_training_states([run.out for run in runs])
    distributed.leave()
    return 0 if all(succeeded) else 1


def parser(package: str) -> argparse.ArgumentParser:
    """Return the parser of `python -m <package>`."""
    lines = [f"  {name:<22}{_help(package, name)}" for name in settings_of.experiments(package)]
    levels = [f"  {name:<22}{WHERE[name]}" for name in LEVELS]
    first = settings_of.experiments(package)[0]
    examples = [f"  python -m {package} {first} --level smoke --seed 0", f"  python -m {package} {first} --show-settings"]
    made = argparse.ArgumentParser(
        prog=f"python -m {package}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Run experiments; a run folder then holds metrics.csv, arrays, weights and run.json.",
        epilog="\n".join(["experiments:", *lines, "", "levels:", *levels, "", "examples:", *examples]),
    )
    add = made.add_argument
    add("experiments", nargs="+", metavar="experiment", help="one or several of the experiments below, in one process")
    add("--level", default="laptop", help="budget: %(default)s unless told otherwise; see below")
    add("--seed", type=int, nargs="+", default=[0], metavar="N", help="replicate(s); default 0")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting, e.g. --set train.steps=100")
    add(
        "--sweep",
        action="append",
        default=[],
        metavar="[EXPERIMENT:]KEY=V1,V2",
        help="one run for each value, of one experiment or of all; may be given again",
    )
    add(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="where runs are kept and looked up; default %(default)s",
    )
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="run folder, for a single run; default: the workflow's, or apart from it for settings that are not the level's own",
    )
    add("--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1 ...")
    add("--threads", type=int, default=1, metavar="N", help="CPU threads of this job; default %(default)s")
    add(
        "--gpus",
        type=int,
        default=1,
        metavar="N",
        help="GPUs that share every batch of a training, by torchrun; default: one or none",
    )
    add("--base-seed", type=int, metavar="N", help="root of all seeds; default: base_seed of config/config.yaml")
    add("--wait", action="store_true", help="wait where another process is at work on the same run, instead of refusing")
    add("--show-settings", action="store_true", help="print the resolved settings of the first run and stop")
    return made


def _help(package: str, experiment: str) -> str:
    source = (package_folder(package) / "experiments" / f"{experiment}.py").read_text()
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
