"""How large each experiment is beside its trainings, by its settings: for the forecast, which needs ratios between levels only.

Counted are the evaluations of the samplers' cells that a model can run, and of all else that asks it. What looks at images
afterwards, features and distances, is left out.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from common.dynamics.answers import Answering, Answers, Time, VelocityFlow
from common.dynamics.paths import PATHS, STANDARD_NORMAL
from common.errors import SolverError, UnsupportedModelError
from common.evaluation.size import log_densities, solve, times, total
from common.learning.objective_table import recipe_for
from common.learning.objectives import Objective
from common.measure.work import Size, evaluations
from replications.survey.cells import Budgets, Row
from replications.survey.experiments.exact import REFERENCE, path_of
from replications.survey.extra import load
from replications.survey.gradient_noise import time_bins
from replications.survey.samplers import planned

AT_ONE = 35  # evaluations of the adaptive solver of the reverse SDE at tolerance 1, roughly
WITH_GRADIENT = 3  # evaluations that one with its gradient in the weights costs
ORDERED = 7  # evaluations of a step each of the five solvers whose order is measured
DOPRI8 = 700  # evaluations of dopri8 at the tolerance of the orders' reference, roughly
WAYS = 1e-5  # tolerance of the flow's ways that are drawn


def exact(settings: Any) -> Size:
    """Cells of a mixture on every path, and of its velocity alone, compared at all frequencies; the flow's ends; the ways."""
    return total(_of_dimension(dim, settings) for dim in settings.dimensions)


def _of_dimension(dim: int, settings: Any) -> Size:
    paths = [path_of(name, settings) for name in settings.paths]
    models = [*(_stand_in(Objective(path, "data", "one")) for path in paths), VelocityFlow(STANDARD_NORMAL, _unasked)]
    per_sample, drawn = settings.modes * dim, settings.drawn
    compared = evaluations(1, settings.samples * settings.frequencies * dim)
    found = [evaluations(solve(REFERENCE), settings.samples * per_sample)] * len(paths)
    for model in models:
        for asked in budgets_of(model, settings.budgets):
            found += [evaluations(asked, settings.samples * per_sample), compared]
    if dim == 2:
        steps = (drawn.points - 1) * drawn.every + solve(WAYS)
        found += [evaluations(steps, min(drawn.starts, settings.samples) * per_sample)] * len(paths)
    return total(found)


def budgets_of(model: Answers, budgets: Budgets) -> Iterator[float]:
    """Yield the evaluations of each cell that a model can run."""
    for asked in budgets.asked():
        with contextlib.suppress(SolverError, UnsupportedModelError):
            planned(asked["method"], model, asked["at"], budgets.choices)
            yield evaluations_of(asked)


def evaluations_of(asked: Row) -> float:
    """Return how many evaluations a cell has: its budget, or roughly what its tolerance takes.

    The local error of a stochastic Euler step grows as its size to the power 3/2.
    """
    if asked["axis"] == "nfe":
        return asked["at"]
    return solve(asked["at"]) if asked["method"] == "rk45" else AT_ONE * asked["at"] ** (-2 / 3)


def learned_2d(settings: Any) -> Size:
    """Each model's cells."""
    models = [_trained(name, settings) for name in settings.objectives]
    return total(evaluations(asked, settings.samples) for model in models for asked in budgets_of(model, settings.budgets))


def learned(settings: Any) -> Size:
    """Each model's cells, and those of the training set's exact score, which costs about what the laptop's small network does."""
    return total(_cells(model, budgets, settings) for model, budgets in _models(settings))


def bring_your_own(settings: Any) -> Size:
    """Each own objective's cells as in `learned`, and each own sampler on its models; of one each without a file."""
    samplers, objectives = 1, [Objective(PATHS["vp"](), "noise", "one")]
    if settings.file:
        extra = load(settings.file)
        samplers, objectives = len(extra.samplers), [made.objective for made in extra.objectives.values()]
    asked = len(objectives) + len(settings.objectives) + len(settings.empirical)
    sampled = evaluations(sum(settings.budgets.nfe), settings.samples, settings.batch)
    own = (_cells(_stand_in(objective), settings.budgets, settings) for objective in objectives)
    return times(samplers * asked, sampled) + total(own)


def _models(settings: Any) -> Iterator[tuple[Answers, Budgets]]:
    """Yield a stand-in of each model of `learned`, and its budgets."""
    for name in settings.objectives:
        yield _trained(name, settings), settings.budgets
    for name, budgets in settings.empirical.items():
        yield _stand_in(Objective(PATHS[name](), "data", "one")), budgets


def _trained(name: str, settings: Any) -> Answers:
    return _stand_in(recipe_for(name, settings.data).objective.build())


def _stand_in(objective: Objective) -> Answers:
    """Return what a sampler's plan looks at of a model: its path, and the times that it knows. It answers nothing."""
    return Answering(objective.path, objective.prediction, _unasked, objective.known_times)


def _unasked(x: Tensor, t: Time) -> Tensor:
    raise NotImplementedError("a stand-in is planned for, and not asked")


def _cells(model: Answers, budgets: Budgets, settings: Any) -> Size:
    return total(evaluations(asked, settings.samples, settings.batch) for asked in budgets_of(model, budgets))


def identities(settings: Any) -> Size:
    """On every path the samplers that are the same, and the order of each solver beside a close solution."""
    steps = ORDERED * sum(settings.order_steps) + 2 * settings.steps + DOPRI8
    return evaluations(steps, settings.points * settings.modes * settings.dimensions)


def training_side(settings: Any) -> Size:
    """Gradients at two states of each model, samples of all its states, and likelihoods of those whose weighting is compared."""
    how = (settings.nodes, settings.tolerance, settings.at_once)
    likelihood = log_densities(settings.data, settings.divergence, settings.test_images, *how)
    return total(_of_training(name, settings) for name in settings.objectives) + times(len(settings.weighted), likelihood)


def _of_training(name: str, settings: Any) -> Size:
    objective = recipe_for(name, settings.data).objective.build()
    batches = 2 * len(time_bins(objective, settings.edges)) * settings.batches
    known = len(objective.known_times) if objective.known_times is not None else settings.nfe
    asked = min(settings.nfe, known) if known > 1 else 0
    sampled = evaluations(asked, settings.samples, settings.at_once)
    return evaluations(WITH_GRADIENT * batches, settings.batch) + times(len(settings.states), sampled)
