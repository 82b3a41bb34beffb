"""Kernel two-sample distances: the squared maximum mean discrepancy (Gretton et al. 2012), unbiased.

    MMD^2 = 1/(n(n-1)) sum_{i!=j} k(x_i, x_j) + 1/(m(m-1)) sum_{i!=j} k(y_i, y_j) - 2/(nm) sum_{ij} k(x_i, y_j)

Leaving out i = j makes the estimate unbiased at any n, so it may come out below zero for equal distributions. With the cubic
kernel (x.y/d + 1)^3 on features it is KID (Bińkowski et al. 2018); unlike the Fréchet distance it can be read at small n.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float

from common.errors import RetraceError
from common.measure.metrics.points import as_pair

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]

# rows of a kernel matrix held at once: 2000 x 50 000 doubles are 0.8 GB
BLOCK = 2000


def kernel_distance(features_a: Float[np.ndarray, "n d"], features_b: Float[np.ndarray, "m d"]) -> float:
    """Return MMD^2 with the cubic polynomial kernel over all pairs: KID where the features are Inception's."""
    a, b = as_pair(features_a, features_b, least=2)
    return _unbiased(a, b, _cubic)


def kernel_distance_of_subsets(
    features_a: Float[np.ndarray, "n d"],
    features_b: Float[np.ndarray, "m d"],
    *,
    generator: torch.Generator,
    subsets: int = 100,
    size: int = 1000,
) -> tuple[float, float]:
    """Return mean and standard deviation of `kernel_distance` over random subsets, the protocol of published KIDs.

    `size` points are drawn from each set without replacement (all, if a set has fewer). `generator` lives on the CPU.
    """
    a, b = as_pair(features_a, features_b, least=2)
    size = min(size, len(a), len(b))
    if subsets < 1 or size < 2:
        raise RetraceError(f"subsets = {subsets}, size = {size}: need at least one subset of two points")

    def part(x: np.ndarray) -> np.ndarray:
        return x[torch.randperm(len(x), generator=generator)[:size].numpy()]

    values = [_unbiased(part(a), part(b), _cubic) for _ in range(subsets)]
    return float(np.mean(values)), float(np.std(values))


def mmd(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "m d"], *, bandwidths: tuple[float, ...] | None = None) -> float:
    """Return MMD^2 with the mean of Gaussian kernels exp(-|x - y|^2 / (2 s^2)) over the bandwidths s.

    Without bandwidths, s runs over 1/4, 1/2, 1, 2, 4 times the median distance within the pooled points; two values are then
    comparable only if the points are, so fix the bandwidths (from the data alone) to compare methods.
    """
    a, b = as_pair(x, y, least=2)
    bandwidths = median_bandwidths(np.concatenate([a, b])) if bandwidths is None else bandwidths
    if not bandwidths or min(bandwidths) <= 0:
        raise RetraceError(f"bandwidths {bandwidths}: must be positive; equal points have none, so pass some")

    def gaussian(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        from scipy.spatial.distance import cdist

        squares = cdist(u, v, "sqeuclidean")
        return sum(np.exp(squares / (-2 * s * s)) for s in bandwidths) / len(bandwidths)

    return _unbiased(a, b, gaussian)


def median_bandwidths(points: Float[np.ndarray, "n d"]) -> tuple[float, ...]:
    """Return 1/4, 1/2, 1, 2 and 4 times the median distance between points (at most 2000, evenly spread rows)."""
    from scipy.spatial.distance import pdist

    spread = points[:: -(-len(points) // 2000)]
    median = float(np.median(pdist(np.asarray(spread, dtype=np.float64))))
    return tuple(factor * median for factor in (0.25, 0.5, 1.0, 2.0, 4.0))


def _cubic(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (u @ v.T / u.shape[1] + 1) ** 3


def _unbiased(a: np.ndarray, b: np.ndarray, kernel: Kernel) -> float:
    within = sum(_total(x, x, kernel, diagonal=False) / (len(x) * (len(x) - 1)) for x in (a, b))
    return within - 2 * _total(a, b, kernel, diagonal=True) / (len(a) * len(b))


def _total(u: np.ndarray, v: np.ndarray, kernel: Kernel, *, diagonal: bool) -> float:
    """Return the sum of the kernel matrix, block by block, with or without its diagonal."""
    total = 0.0
    for start in range(0, len(u), BLOCK):
        block = kernel(u[start : start + BLOCK], v)
        total += float(block.sum()) - (0.0 if diagonal else float(np.trace(block, offset=start)))
    return total
