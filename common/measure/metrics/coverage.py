"""Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

All four ask which points fall into balls that reach to each point's k-th neighbour in its own set:

    precision   share of samples inside some real ball          recall     share of real points inside some sample ball
    density     real balls around a sample, over k, mean        coverage   share of real balls that hold a sample

Precision and density measure fidelity, recall and coverage variety; density and coverage resist outliers. A ball holds its
border, so that of a set against itself every share is 1, repeated points included.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from common.measure.metrics.points import as_pair


class Coverage(NamedTuple):
    """Shares between 0 and 1, except for density, which is 1 in expectation for equal distributions but has no bound."""

    precision: float
    recall: float
    density: float
    coverage: float


def coverage(
    real: Float[np.ndarray, "n d"],
    samples: Float[np.ndarray, "m d"],
    *,
    neighbours: int = 5,
    real_radii: Float[np.ndarray, " n"] | None = None,
) -> Coverage:
    """Return the four numbers of `samples` against `real`; compare only equal n, m and k = `neighbours`.

    `real_radii` are `radii(real, neighbours)` where they are known: most of the time where several samples meet the same real
    points. Holds n x n, m x m and n x m distances in memory. Raises `RetraceError` for sets of fewer than k + 2 points.
    """
    from scipy.spatial.distance import cdist

    real, samples = as_pair(real, samples, least=neighbours + 2)
    distances = cdist(real, samples)
    reach = radii(real, neighbours) if real_radii is None else real_radii
    in_real, in_samples = distances <= reach[:, None], distances <= radii(samples, neighbours)
    precision, recall = in_real.any(axis=0).mean(), in_samples.any(axis=1).mean()
    density, covered = in_real.sum(axis=0).mean() / neighbours, in_real.any(axis=1).mean()
    return Coverage(float(precision), float(recall), float(density), float(covered))


def radii(points: Float[np.ndarray, "n d"], neighbours: int) -> Float[np.ndarray, " n"]:
    """Return each point's distance to its k-th neighbour; the nearest of all is the point itself."""
    from scipy.spatial.distance import cdist

    return np.partition(cdist(points, points), neighbours, axis=1)[:, neighbours]
