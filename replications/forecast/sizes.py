"""How an experiment grows from level to level: each paper's own `sizes.py`, and those of common's."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from common.evaluation.rehearsal import schedules as found
from common.learning.training.settings import TrainSettings
from common.measure.work import Size, evaluations
from replications.forecast.runs import Planned


def train(settings: Any) -> Size:
    """A shared model is described and written, which is nothing beside its training."""
    return Size(1, 1)


def features(settings: Any) -> Size:
    """Each step of a feature network, whose loop is its own, is about three evaluations."""
    return evaluations(3 * settings.steps, settings.batch)


def size(run: Planned) -> Size:
    """Return how large a run is beside its trainings."""
    measured: Callable[[Any], Size] = globals()[run.experiment] if run.paper == "common" else getattr(_of(run), run.experiment)
    return measured(run.settings)


def schedules(run: Planned) -> list[TrainSettings]:
    """Return the schedule of each training of a run, in the order in which it trains: by default each that it has, once."""
    own: Mapping[str, Callable[[Any], list[TrainSettings]]] = {} if run.paper == "common" else getattr(_of(run), "TRAININGS", {})
    settings = run.settings
    return own[run.experiment](settings) if run.experiment in own else list(found(settings))


def _of(run: Planned) -> Any:
    return importlib.import_module(f"{run.package}.sizes")
