"""Sizes of what many experiments do besides training: solves of a flow, log-densities, several parts together."""

import math
from collections.abc import Iterable

from common.dynamics.likelihood import Divergence, is_estimated
from common.learning.data.stand_ins import SHAPES
from common.measure.work import Size, evaluations

AT_ONE = 10  # evaluations of dopri5 at tolerance 1, roughly: a hundred at 1e-5


def solve(tolerance: float) -> float:
    """Return roughly how many evaluations dopri5 needs: its error falls with the fifth power of its step."""
    return AT_ONE * tolerance ** (-1 / 5)


def total(parts: Iterable[Size]) -> Size:
    """Return the size of several parts together."""
    return sum(parts, Size(0, 0))


def times(count: int | float, part: Size) -> Size:
    """Return the size of a part that is done so often."""
    return Size(count * part.calls, count * part.samples)


def quadrature(points: int, dim: int, nodes: int, tolerance: float, batch: int) -> Size:
    """Return the size of log-densities with an exact divergence at `nodes`, of which each takes a product for every dimension."""
    divergences = evaluations(nodes, points, batch)
    return evaluations(solve(tolerance), points, batch) + Size(divergences.calls, dim * divergences.samples)


def log_densities(data: str, divergence: Divergence, images: int, nodes: int, tolerance: float, batch: int) -> Size:
    """Return the size of the log-densities of images; where the divergence is estimated, each evaluation takes one product."""
    dim = math.prod(SHAPES[data])
    if is_estimated(divergence, dim):
        return evaluations(2 * solve(tolerance), images, batch)
    return quadrature(images, dim, nodes, tolerance, batch)
