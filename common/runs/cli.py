"""One job, one command: `python -m replications.<paper> <experiment> ... --level laptop --seed 0 [--set key=value ...]`.

The workflow runs exactly this. Every combination of experiment, `--seed` and `--sweep` values is one run with a folder of its
own; they share the process, because importing torch costs as much as training a small network for a while.
"""

import argparse
import ast
import itertools
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.errors import RetraceError
from common.runs import settings as settings_of
from common.runs.levels import LEVELS, WHERE
from common.runs.settings import package_folder


def main(package: str, arguments: Sequence[str] | None = None) -> int:
    """Run experiments of one paper (or of `common`) and return the exit status: 0, 1 a run failed, 2 bad input."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser(package)
    options = parser.parse_args(arguments)
    # before NumPy is loaded: its linear algebra would take every core, beside the other jobs
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)
    try:
        for experiment in options.experiments:
            settings_of.check_experiment(package, experiment)
        settings_of.check_level(options.level)
        if options.base_seed is None:
            options.base_seed = settings_of.base_seed()
        plans = _plan(package, options)
    except RetraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.show_settings:
        print(plans[0]["settings"].model_dump_json(indent=2))
        return 0
    from common.runs import distributed

    command = shlex.join(["python", "-m", package, *arguments])
    failed = [plan["out"] for plan in plans if not _execute(plan, options, command)]
    if not failed:
        _remove_training_states([plan["out"] for plan in plans])
    distributed.leave()
    return 1 if failed else 0


def _parser(package: str) -> argparse.ArgumentParser:
    lines = [f"  {name:<22}{_help(package, name)}" for name in settings_of.experiments(package)]
    levels = [f"  {name:<22}{WHERE[name]}" for name in LEVELS]
    first = settings_of.experiments(package)[0]
    examples = [f"  python -m {package} {first} --level smoke --seed 0", f"  python -m {package} {first} --show-settings"]
    parser = argparse.ArgumentParser(
        prog=f"python -m {package}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Run experiments; a run folder then holds metrics.csv, arrays, weights and run.json.",
        epilog="\n".join(["experiments:", *lines, "", "levels:", *levels, "", "examples:", *examples]),
    )
    add = parser.add_argument
    add("experiments", nargs="+", metavar="experiment", help="one or several of the experiments below, in one process")
    add("--level", default="laptop", help="budget: %(default)s unless told otherwise; see below")
    add("--seed", type=int, nargs="+", default=[0], metavar="N", help="replicate(s); default 0")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting, e.g. --set train.steps=100")
    add("--sweep", action="append", default=[], metavar="KEY=V1,V2", help="one run for each value; may be given again")
    add(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="where runs are kept and looked up; default %(default)s",
    )
    add("--out", type=Path, metavar="DIR", help="run folder, for a single run; default: the one that the workflow uses")
    add("--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1 ...")
    add("--threads", type=int, default=1, metavar="N", help="CPU threads of this job; default %(default)s")
    add("--base-seed", type=int, metavar="N", help="root of all seeds; default: base_seed of config/config.yaml")
    add("--show-settings", action="store_true", help="print the resolved settings of the first run and stop")
    return parser


def _help(package: str, experiment: str) -> str:
    source = (package_folder(package) / "experiments" / f"{experiment}.py").read_text()
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def _plan(package: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Resolve every run before the first one starts, so that a bad value is found before any compute."""
    from common.runs import experiment as experiment_of

    sweeps = []
    for sweep in options.sweep:
        key, equals, values = sweep.partition("=")
        if not equals or not values:
            raise RetraceError(f"--sweep {sweep}: expected key=value1,value2, for example --sweep objective=fm_ot,fm_vp")
        sweeps.append([f"{key}={value}" for value in values.split(",")])
    plans = []
    for experiment, seed, *swept in itertools.product(options.experiments, options.seed, *sweeps):
        module = experiment_of.load(package, experiment)
        settings = settings_of.resolve(package, experiment, options.level, [*options.set, *swept])
        place = {
            "paper": package.rpartition(".")[2],
            "experiment": experiment,
            "level": options.level,
            "seed": seed,
            "results": options.results,
        }
        out = options.out or experiment_of.default_folder(module, settings, place)
        plans.append({"module": module, "settings": settings, "place": place, "out": out})
    if options.out and len(plans) > 1:
        raise RetraceError(f"--out {options.out}: {len(plans)} runs cannot share one folder; leave --out away")
    return plans


def _execute(plan: dict[str, Any], options: argparse.Namespace, command: str) -> bool:
    """Do one run; on failure leave its reason in the run folder and on stderr. Return whether it succeeded."""
    import torch

    from common.runs import distributed, folders, provenance
    from common.runs import experiment as experiment_of

    out, settings, module = plan["out"], plan["settings"], plan["module"]
    info: dict[str, Any] = {
        **{key: plan["place"][key] for key in ("paper", "experiment", "level", "seed")},
        "variant": experiment_of.variant(module, settings),
        "dataset": getattr(settings, "data", ""),
        "settings": settings.model_dump(mode="json"),
        "base_seed": options.base_seed,
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    cost = provenance.Cost()
    writable = False
    try:
        folders.check_writable(out)
        writable = True
        torch.set_num_threads(options.threads)
        device = choose_device(options.device)
        context = experiment_of.Context(**plan["place"], base_seed=options.base_seed, out=out, device=device)
        outcome = module.run(settings, context)
        if distributed.rank() == 0:  # under torchrun all processes have the same outcome
            info |= provenance.machine(device) | {"commit": provenance.commit(), "versions": provenance.versions()}
            folders.write_run(out, outcome, info | cost.record(device))
            print(f"wrote {out}", flush=True)
        return True
    except Exception as error:
        expected = isinstance(error, RetraceError)
        message = str(error) if expected else f"{type(error).__name__}: {error}"
        print(f"error: {message}" if expected else traceback.format_exc(), file=sys.stderr, flush=True)
        if writable:
            _record_failure(out, info, message)
        return False


def _remove_training_states(folders: Sequence[Path]) -> None:
    from common.runs import distributed

    if distributed.rank() == 0:  # who wrote them; the others may be done before it has written its results
        for state in (state for folder in folders for state in folder.glob("training-state-*")):
            state.unlink()


def _record_failure(out: Path, info: dict[str, Any], message: str) -> None:
    from common.runs import folders

    try:
        folders.write_failure(out, info, message, traceback.format_exc())
    except RetraceError as error:
        print(f"error: {error}", file=sys.stderr)


def choose_device(name: str) -> Any:
    """Return the device: `auto` takes a GPU if there is one; under torchrun every process has its own."""
    import torch

    from common.runs import distributed

    if name == "auto":
        return distributed.own_device(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        device = torch.device(name)
    except RuntimeError:
        raise RetraceError(f"--device {name}: not a device; use auto, cpu, cuda or cuda:1") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RetraceError(f"--device {name}: no CUDA device is available here; use --device cpu")
    return distributed.own_device(device)
