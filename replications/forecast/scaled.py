"""From counted work to a level's: its trainings as counted there, and the rest scaled up from the largest level that was run.

The rest grows as the experiment's size does (`sizes.py`) and, where it takes or trains a network, as what the network costs does,
sample by sample and call by call. A solver that chooses its steps is taken to need as many evaluations as it needed there.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from common.errors import RetraceError
from common.learning.training.settings import TrainSettings
from common.measure.work import Work
from common.runs import workflow
from replications.forecast import rows
from replications.forecast.rows import COUNTED, REST, TRAINING, Row
from replications.forecast.runs import Key, Planned, planned
from replications.forecast.sizes import schedules, size

EVALUATION = 1 / 3  # of a training step: the way back is about twice the way forth (Kaplan et al. 2020, Section 2.1)
LIKE = {("gotta_go_fast", "published"): "learned"}  # run at no lower level: the same experiment with other networks


class Forecast(NamedTuple):
    """What a run does.

    trainings, steps: how many, and optimiser steps of all; training: their work. evaluations: of its network besides, times
    samples; rest: that work. parameters, kept: of its largest network, and bytes that a step of it keeps for the backward pass.
    """

    trainings: int
    steps: int
    training: Work
    evaluations: float
    rest: Work
    parameters: int
    kept: float
    scaled_from: str


def forecast(run: Planned) -> Forecast:
    """Return what a run does. Raises `RetraceError` saying what is to be counted, where a count is missing."""
    low, plans = below(run), schedules(run)
    own = trained(run)
    if plans and not own:
        name = "/".join(run.key)
        raise RetraceError(f"{name}: its training was not counted: {rows.command(run.level)} --only {name}")
    used = [*own, *taken(run)]
    evaluations, rest = rest_of(run, low)
    return Forecast(
        len(plans),
        sum(plan.steps for plan in plans),
        trainings_of(run, low),
        evaluations,
        rest,
        max((row.parameters for row in used), default=0),
        max((row.kept for row in used), default=0.0),
        "" if run.level in COUNTED else low.level,
    )


@cache
def index(level: str) -> dict[Key, Planned]:
    """Return a level's runs by their keys."""
    return {run.key: run for run in planned(level, workflow.papers(), 1)}


def trained(run: Planned) -> list[Row]:
    """Return the counted trainings of a run."""
    return [row for row in rows.of(run.level, *run.key) if row.part == TRAINING]


def taken(run: Planned) -> list[Row]:
    """Return the counted training of the model that a run takes, if it takes one."""
    return [row for row in rows.of(run.level, *run.takes) if row.part == TRAINING][:1] if run.takes else []


def below(run: Planned) -> Planned:
    """Return the run that a run is scaled from: itself where it was counted, or one like it of the largest level that was."""
    experiment = LIKE.get(run.key[:2], run.experiment)
    for level in [run.level] if run.level in COUNTED else reversed(COUNTED):
        there = [other for key, other in index(level).items() if key[:2] == (run.paper, experiment) and rows.of(level, *key)]
        if there:
            return min(there, key=lambda other: -sum(other.values.get(key) == value for key, value in run.values.items()))
    raise RetraceError(f"{'/'.join(run.key)}: was never counted: {rows.command(COUNTED[-1])} --only {'/'.join(run.key[:2])}")


def trainings_of(run: Planned, low: Planned) -> Work:
    """Return the work of all steps of a run's trainings."""
    own, before, total = trained(run), trained(low), Work()
    for number, plan in enumerate(schedules(run)):
        step = own[min(number, len(own) - 1)].work if run.level in COUNTED else started(number, plan, own, before)
        total += step.times(plan.steps)
    return total


def started(number: int, plan: TrainSettings, own: Sequence[Row], before: Sequence[Row]) -> Work:
    """Return the mean step of a training that was left after a few, which grows as the one of a lower level, `before`, did.

    One that was not reached is to the first what it is to it lower down.
    """
    other = before[number % len(before)] if before else None
    if number < len(own):
        growth = other.growth if other else 1.0
        return own[number].work.times(growth, growth * plan.batch / own[number].batch)
    first, other = (before[0], other) if other else (own[0], own[0])
    growth, batch = first.growth if before else 1.0, plan.batch / own[0].batch * first.batch / other.batch
    return Work(
        own[0].operations * growth * over(other.operations, first.operations),
        own[0].flops * growth * batch * over(other.flops, first.flops),
        own[0].moved * growth * batch * over(other.moved, first.moved),
    )


def rest_of(run: Planned, low: Planned) -> tuple[float, Work]:
    """Return what a run does besides training: evaluations of its network, and work."""
    counted = next(row for row in rows.of(low.level, *low.key) if row.part == REST)
    # what takes a model and trains another besides, as classifiers of noisy images, evaluates the one that it takes
    here, there = next(iter([*taken(run), *trained(run)]), None), next(iter([*taken(low), *trained(low)]), None)
    calls, samples = (1.0, 1.0) if run.level in COUNTED else grown(run, low)
    work = counted.work.times(calls, samples)
    if not (here and there):
        return 0.0, work
    evaluations = samples * over(counted.flops, EVALUATION * there.flops / there.batch)
    growth = 1.0 if run.level in COUNTED else there.growth  # what was started was left after its second step
    a_sample = growth * there.batch / here.batch
    return evaluations, Work(
        work.operations * growth * over(here.operations, there.operations),
        work.flops * a_sample * over(here.flops, there.flops),
        work.moved * a_sample * over(here.moved, there.moved),
    )


def grown(run: Planned, low: Planned) -> tuple[float, float]:
    """Return how many times larger a run is than one of a lower level: its calls, and its samples."""
    large, small = size(run), size(low)
    return large.calls / small.calls, large.samples / small.samples


def over(value: float, base: float) -> float:
    """Return a ratio, 1 of nothing."""
    return value / base if base else 1.0
