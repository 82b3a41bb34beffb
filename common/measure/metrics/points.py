"""What every metric accepts: a finite cloud of points, n x d, in float64.

Distances are differences of large, nearly equal sums, so all metrics compute in float64 whatever they are given.
"""

import numpy as np
from jaxtyping import Float

from common.errors import RetraceError


def as_points(x: np.ndarray, name: str, *, least: int = 1) -> Float[np.ndarray, "n d"]:
    """Return `x` as float64 [n, d]; images are flattened, a vector is n points on a line.

    Raises `RetraceError` with `name` if there are fewer than `least` points, or one is not finite: a distance to samples
    that diverged has no value, and whoever drew them should report that instead.
    """
    points = np.asarray(x, dtype=np.float64)
    if points.ndim == 0 or len(points) < least:
        raise RetraceError(f"{name}: {len(points) if points.ndim else 0} points; at least {least} are needed")
    points = points.reshape(len(points), -1)
    bad = int((~np.isfinite(points)).any(axis=1).sum())
    if bad:
        raise RetraceError(f"{name}: {bad} of {len(points)} points are not finite; look at the sampler that drew them")
    return points


def centred(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> tuple[np.ndarray, np.ndarray]:
    """Return both clouds less the mean of the second: a large offset of both would cost their distances their digits."""
    centre = b.mean(axis=0)
    return a - centre, b - centre


def as_pair(x: np.ndarray, y: np.ndarray, *, least: int = 1) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"]]:
    """Return both clouds as float64 [n, d] and [m, d]; raises `RetraceError` as `as_points`, or if their d differ."""
    a, b = as_points(x, "first set", least=least), as_points(y, "second set", least=least)
    if a.shape[1] != b.shape[1]:
        raise RetraceError(f"points of {a.shape[1]} and {b.shape[1]} numbers cannot be compared; give both the same shape")
    return a, b
