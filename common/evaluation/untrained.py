"""Models that nobody has trained, for runs that take some: made by the run that would train them, which trains nothing here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from common.learning.training import run as run_of
from common.learning.training.loop import Trained
from common.runs import settings as settings_of
from common.runs.entries import entries
from common.runs.experiment import Context, load
from common.runs.folders import write_run
from common.runs.plan import Run, features_folder, measured, requested, runs_of, shared_model
from common.runs.settings import Settings

Trainer = tuple[str, str, dict[str, str]]  # package, experiment, and the values of the run
INFO = dict.fromkeys(("paper", "experiment", "variant", "seed", "level", "device", "commit"), "")


@dataclass(frozen=True)
class Untrained(Context):
    """A context that makes a model of the level, untrained, when a run asks for it first.

    `alter` says which settings a model is made with, by default those of the level.
    """

    alter: Callable[[Settings], Settings] = field(default=lambda settings: settings, compare=False)

    def _take(self, folder: Path, file: str) -> Path:
        if not (folder / file).is_file() and (trainer := trainers(self.level).get(folder.parent.name)):
            make(folder, trainer, self)
        return super()._take(folder, file)


def make(folder: Path, trainer: Trainer, context: Untrained) -> None:
    """Write the run folder of a model that was not trained; a feature network, which has a loop of its own, gets one step."""
    package, experiment, values = trainer
    settings = settings_of.resolve(package, experiment, context.level, [f"{key}={value}" for key, value in values.items()])
    settings = context.alter(settings.model_copy(update={"steps": 1}) if experiment == "features" else settings)
    here = Context(
        package.rpartition(".")[2],
        experiment,
        context.level,
        context.seed,
        context.base_seed,
        context.results,
        folder,
        context.device,
    )
    real = run_of.train
    run_of.train = _not_trained
    try:
        outcome = load(package, experiment).run(settings, here)
    finally:
        run_of.train = real
    write_run(folder, outcome, {**INFO, "settings": settings.model_dump(mode="json")})


def _not_trained(model: nn.Module, *_: Any, **__: Any) -> Trained:
    return Trained(model.eval(), np.zeros(1), np.ones(1, int), 0.0, 0)


@cache
def trainers(level: str) -> dict[str, Trainer]:
    """Return, by the name of a model's folder, the run that trains it."""
    papers, found = settings_of.papers(), {}

    def add(package: str, experiment: str, runs: list[Run]) -> None:
        found.update({Path(run.folder).parent.name: (package, experiment, run.values) for run in runs})

    for data, objectives in requested(papers, level).items():
        add("common", "train", [shared_model(level, data, objective, 0) for objective in objectives])
    add("common", "features", [Run(features_folder(level, data, 0), {"data": data}, 0) for data in measured(papers, level)])
    for package in (f"replications.{paper}" for paper in papers):
        for experiment, entry in entries(package).items():
            if entry.folder:
                add(package, experiment, runs_of(package, experiment, level, [0], entry))
    return found
