"""How large each experiment is beside its trainings, by its settings: for the forecast, which needs ratios between levels only.

Counted are evaluations of networks and of exact fields; what looks at samples afterwards, features and distances, is left out.
"""

import math
from typing import Any

from common.dynamics.likelihood import is_estimated
from common.errors import SettingsError
from common.evaluation.size import log_densities, quadrature, solve, times, total
from common.learning.data.stand_ins import SHAPES
from common.learning.training.settings import TrainSettings
from common.measure.work import Size, evaluations
from common.runs import settings as settings_of
from replications.flow_matching.experiments.solver_error import STAGES

PLANE = 2  # dimensions of the densities


def exact_paths(settings: Any) -> Size:
    """On both paths two solves, the velocities along one of them, and the midpoint solver at each number of evaluations."""
    solved = solve(settings.tolerance) + solve(settings.reference_tolerance)
    return evaluations(solved + settings.points + sum(settings.nfe), settings.starts)


def theorems(settings: Any) -> Size:
    """All probes at once, on each of which every point of the data set pulls."""
    return evaluations(1, settings.probes * settings.points)


def gradients(settings: Any) -> Size:
    """On both paths one network on all draws, and two gradients, each so many times."""
    return total(evaluations(settings.repeats, draws) for draws in settings.draws)


def published_numbers(settings: Any) -> Size:
    """Arithmetic."""
    return Size(1, 1)


def toy_2d(settings: Any) -> Size:
    """Of each model the likelihoods, one batch whose evaluations are counted, samples along time, and the midpoint sampler's."""
    likelihood = quadrature(settings.test_points, PLANE, settings.nodes, settings.tolerance, settings.test_points)
    counted = evaluations(solve(settings.tolerance), min(settings.batch, settings.samples))
    drawn = evaluations(solve(settings.drawing_tolerance) + sum(settings.nfe), settings.samples)
    return times(len(settings.objectives), likelihood + counted + drawn)


def table1(settings: Any) -> Size:
    """Of each model samples by dopri5, and log-densities: of all test images once, of the first ones for each further draw."""
    estimated = is_estimated(settings.divergence, math.prod(SHAPES[settings.data]))
    draws = 1 if estimated else max(settings.dequantisations)
    images = settings.test_images + (draws - 1) * min(settings.bound_images, settings.test_images)
    how = (settings.nodes, settings.tolerance, settings.batch)
    sampled = evaluations(solve(settings.tolerance), settings.samples, settings.batch)
    return times(len(settings.objectives), sampled + log_densities(settings.data, settings.divergence, images, *how))


def solver_error(settings: Any) -> Size:
    """Of each model two solves of the starts, and every fixed-step solver at each number of evaluations on all samples."""
    solved = evaluations(solve(settings.reference_tolerance) + solve(settings.tolerance), settings.starts)
    fixed = sum(nfe // STAGES[solver] * STAGES[solver] for solver, counts in settings.nfe.items() for nfe in counts)
    return times(len(settings.objectives), solved + evaluations(fixed, max(settings.starts, settings.samples)))


def during_training(settings: Any) -> Size:
    """Of each kept state of each model the samples of the Fréchet distance, and a batch whose evaluations are counted."""
    states = kept_states(settings.data)
    judged = evaluations(solve(settings.sampling_tolerance), settings.samples, settings.batch)
    counted = evaluations(solve(settings.tolerance), settings.count_batch)
    return times(len(settings.objectives) * (states // settings.every), judged) + times(len(settings.counted) * states, counted)


def kept_states(data: str) -> int:
    """Return how many states of a shared training are looked at: by the schedule of the first level past smoke that has the set.

    The settings of the experiment do not say their level, and one set is measured at one level only, smoke apart.
    """
    for level in ("laptop", "gpu", "paper"):
        try:
            train = settings_of.resolve("common", "train", level, [f"data={data}"]).train
        except SettingsError:
            continue
        steps = train.snapshot_steps()
        return sum(step <= train.constant_until() for step in steps) or len(steps)
    raise SettingsError(f"no level trains models of {data!r}")


def upsampling(settings: Any) -> Size:
    """A solve for each test image, and the regressor's one answer."""
    return evaluations(solve(settings.tolerance) + 1, settings.test_images, settings.batch)


def both_networks(settings: Any) -> list[TrainSettings]:
    """Flow matching, then the regressor, with one schedule."""
    return [settings.train, settings.train]


TRAININGS = {"upsampling": both_networks}
