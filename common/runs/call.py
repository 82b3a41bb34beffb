"""What a call of the command line asks for: its runs, every one of them checked before the first one starts."""

import argparse
import itertools
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from common.errors import SettingsError
from common.runs import settings as settings_of
from common.runs.settings import Settings, fingerprint, hint

SAFE = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_.+-]*")  # a name that is a folder's, and leads nowhere else


class PlannedRun(NamedTuple):
    """One run. `mark` is the fingerprint of the level's own settings, or empty if this run's are others."""

    module: ModuleType
    settings: Settings
    place: dict[str, Any]
    out: Path
    named_by: dict[str, Any]
    mark: str


def check_numbers(options: argparse.Namespace) -> None:
    """Raise `SettingsError` unless seeds, threads and GPUs are possible."""
    wrong = next((seed for seed in options.seed if seed < 0), None)
    if wrong is not None:
        raise SettingsError(f"--seed {wrong}: replicates are counted from 0")
    if len(set(options.seed)) < len(options.seed):
        raise SettingsError(f"--seed {' '.join(map(str, options.seed))}: a replicate is named twice; name each once")
    most = os.cpu_count() or 1
    if not 1 <= options.threads <= most:
        raise SettingsError(f"--threads {options.threads}: choose from 1 to {most}, the cores of this machine")
    if options.gpus < 0:
        raise SettingsError(f"--gpus {options.gpus}: must be a whole number from 0 on")
    if options.base_seed is not None and options.base_seed < 0:
        raise SettingsError(f"--base-seed {options.base_seed}: must be a whole number from 0 on")


def planned(package: str, options: argparse.Namespace) -> list[PlannedRun]:
    """Return every run of a call: experiments x seeds x swept values. Raises `RetraceError` for what cannot be run."""
    check_numbers(options)
    swept = [_swept(text, options.experiments) for text in options.sweep]
    runs = []
    for experiment in options.experiments:
        mine = [values for only, values in swept if only in ("", experiment)]
        for seed, *values in itertools.product(options.seed, *mine):
            runs.append(_planned_run(package, experiment, seed, [*options.set, *values], options))
    if options.out and len(runs) > 1:
        raise SettingsError(f"--out {options.out}: {len(runs)} runs cannot share one folder; leave --out away")
    if shared := next((run.out for run in runs if sum(other.out == run.out for other in runs) > 1), None):
        keys = [text.partition("=")[0] for text in options.sweep]
        named = sorted({key for run in runs for key in run.module.VARIANT})
        raise SettingsError(
            f"--sweep {', '.join(keys)}: several runs would share the folder {shared}; sweep what names folders "
            f"({', '.join(named) or 'nothing here'}), or make one call with its own --out for each"
        )
    return runs


def _swept(text: str, experiments: list[str]) -> tuple[str, list[str]]:
    """Return the experiment that a sweep is of, empty for every one, and the overrides that it stands for."""
    name, equals, values = text.partition("=")
    experiment, _, key = name.rpartition(":")
    if not equals or not values:
        raise SettingsError(f"--sweep {text}: expected key=value1,value2, for example --sweep objective=fm_ot,fm_vp")
    if experiment and experiment not in experiments:
        raise SettingsError(f"--sweep {text}: this call has no experiment {experiment!r}{hint(experiment, experiments)}")
    return experiment, [f"{key}={value}" for value in values.split(",")]


def _planned_run(package: str, experiment: str, seed: int, overrides: list[str], options: argparse.Namespace) -> PlannedRun:
    from common.runs import experiment as experiment_of

    module = experiment_of.load(package, experiment)
    settings = settings_of.resolve(package, experiment, options.level, overrides)
    named_by = {key: getattr(settings, key) for key in module.VARIANT}
    files = getattr(module, "FILES", ())
    if nameless := next((key for key in files if not named_by[key]), None):
        raise SettingsError(f"{experiment}: is run on a file of your own: --set {nameless}=my_file.py")
    for key, value in named_by.items():
        if key not in files and not SAFE.fullmatch(str(value)):
            raise SettingsError(f"--set {key}={value}: names a folder, so it must be letters, digits and _ . + -")
    paper = package.rpartition(".")[2]
    place = {"paper": paper, "experiment": experiment, "level": options.level, "seed": seed, "results": options.results}
    out = experiment_of.default_folder(module, settings, place)
    mark = level_mark(package, experiment, options.level, named_by)
    if settings != settings_of.resolve(package, experiment, options.level, named(named_by)):
        mark, out = "", _apart(out, options.results / options.level, fingerprint(settings.model_dump())[:8])
    return PlannedRun(module, settings, place, options.out or out, named_by, mark)


def named(named_by: dict[str, Any]) -> list[str]:
    """Return the overrides that choose one of a level's own runs."""
    return [f"{key}={value}" for key, value in named_by.items()]


def level_mark(package: str, experiment: str, level: str, named_by: dict[str, Any]) -> str:
    """Return the fingerprint of a run's settings as the level has them; light, so that the report can compare it."""
    return fingerprint(settings_of.raw(package, experiment, level, named(named_by)))


def _apart(folder: Path, root: Path, mark: str) -> Path:
    """Return where a run is kept whose settings are not the level's own: never where the report looks."""
    run, seed = folder.relative_to(root / "own" if folder.is_relative_to(root / "own") else root).parent, folder.name
    return root / "own" / run.with_name(f"{run.name}-{mark}") / seed


def check_experiments(package: str, experiments: list[str]) -> None:
    """Raise `SettingsError` unless the paper has these experiments, each named once."""
    for experiment in experiments:
        settings_of.check_experiment(package, experiment)
    if len(set(experiments)) < len(experiments):
        raise SettingsError(f"an experiment is named twice{hint(experiments[0], sorted(set(experiments)))}")
