"""Wasserstein distances between two point clouds of equal weights, by POT (Flamary et al. 2021).

    W_p(x, y) = (min over transport plans of the mean |x_i - y_j|^p)^{1/p}

Exact transport is for a few thousand points in few dimensions. Its value between two samples of one distribution is not zero
and falls slowly with n (as n^{-1/2} up to logarithms in two dimensions), so report that floor beside it.
"""

import numpy as np
from jaxtyping import Float

from common.errors import RetraceError
from common.measure.metrics.points import as_pair, centred

DROWNED = 1e-5  # of the largest cost: a mean cost below this is near the solver's tolerance
MOST_UNITS = 20


def wasserstein(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "m d"], p: float | int = 2) -> float:
    """Return the exact W_p in the points' unit; time grows as about n^2 log n to n^3, memory as n m."""
    import ot
    from scipy.spatial.distance import cdist

    if p < 1:
        raise RetraceError(f"p = {p}: a Wasserstein distance needs p >= 1")
    a, b = as_pair(x, y)
    distances = cdist(a, b)
    # The solver's tolerance is absolute and a power may leave the range of numbers, so costs are taken in units of the largest
    # distance, and, where the answer is so far below it that its costs drown, in units of the answer before.
    unit, found = float(distances.max()) or 1.0, 0.0
    for _ in range(MOST_UNITS):
        # no pair of an optimal plan is further apart than this, since it alone would cost more than the whole plan
        cost = np.minimum(distances / unit, (4 * max(len(a), len(b))) ** (1 / p) + 1) ** p
        value, log = ot.emd2([], [], cost, numItermax=10_000_000, log=True)
        if log["warning"] is not None:
            raise RetraceError(f"optimal transport of {len(a)} to {len(b)} points was not solved ({log['warning']}); use fewer")
        found = unit * max(float(value), 0.0) ** (1 / p)
        if not 0 < float(value) < DROWNED:
            break
        unit = found
    return found


def sliced_wasserstein(
    x: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, "m d"],
    *,
    projections: int,
    seed: int,
    p: float | int = 2,
) -> float:
    """Return the sliced W_p: the p-mean of one-dimensional W_p over random directions (Bonneel et al. 2015).

    Comparable between methods only with equal `projections` and `seed`. For a shift by s in d dimensions and p = 2 its
    square is |s|^2 / d on average, not |s|^2.
    """
    import ot

    if p < 1 or projections < 1:
        raise RetraceError(f"p = {p}, projections = {projections}: need p >= 1 and at least one direction")
    a, b = centred(*as_pair(x, y))
    return float(ot.sliced_wasserstein_distance(a, b, n_projections=projections, p=p, seed=seed))
