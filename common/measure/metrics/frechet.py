"""Fréchet distance (squared Wasserstein-2) between the Gaussians fitted to two sets of features.

    d^2 = |m_a - m_b|^2 + tr(A + B - 2 (A^{1/2} B A^{1/2})^{1/2})

(Dowson & Landau 1982). The matrix under the last root is symmetric and positive semi-definite, so its trace is a sum of real
roots of eigenvalues; no root of the unsymmetric product A B, hence no imaginary part and no ridge for singular covariances.

In the features of Inception-v3 this is FID (Heusel et al. 2017): see common.measure.metrics.inception. In any other features
(those of common.measure.features) it is called "feature Fréchet distance", and is comparable only within those features.
"""

import numpy as np
import torch
from jaxtyping import Float

from common.errors import RetraceError
from common.measure.metrics.points import as_pair, as_points


def frechet_distance(features_a: Float[np.ndarray, "n d"], features_b: Float[np.ndarray, "m d"]) -> float:
    """Return the Fréchet distance d^2 between two sets of features, in squared units of a feature.

    The estimate is too large by a term of order 1/n, so compare only equal n; with n <= d the covariance is singular and the
    value says little of the distribution. Raises `RetraceError` for fewer than two points.
    """
    a, b = as_pair(features_a, features_b, least=2)
    return frechet_between_gaussians(*moments(a), *moments(b))


def bootstrap_error(
    features_a: Float[np.ndarray, "n d"],
    features_b: Float[np.ndarray, "m d"],
    *,
    generator: torch.Generator,
    repeats: int = 20,
) -> float:
    """Return the standard error of the Fréchet distance from both sets' finite size, by the bootstrap (Efron 1979).

    Both sets are drawn again with replacement, `repeats` times; `generator` lives on the CPU. Drawing again adds to the distance
    about as much as the finite sets did already, which a standard deviation does not see.
    """
    a, b = as_pair(features_a, features_b, least=2)
    if repeats < 2:
        raise RetraceError(f"repeats = {repeats}: a standard error needs at least two")

    def again(x: np.ndarray) -> np.ndarray:
        return x[torch.randint(len(x), (len(x),), generator=generator).numpy()]

    return float(np.std([frechet_distance(again(a), again(b)) for _ in range(repeats)], ddof=1))


def moments(features: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d d"]]:
    """Return mean and unbiased covariance of features, in float64."""
    x = as_points(features, "features", least=2)
    return x.mean(axis=0), np.atleast_2d(np.cov(x, rowvar=False))


def frechet_between_gaussians(
    mean_a: Float[np.ndarray, " d"],
    covariance_a: Float[np.ndarray, "d d"],
    mean_b: Float[np.ndarray, " d"],
    covariance_b: Float[np.ndarray, "d d"],
) -> float:
    """Return the Fréchet distance d^2 of two Gaussians given by mean and covariance (symmetric, may be singular)."""
    a, b = (np.asarray(covariance, dtype=np.float64) for covariance in (covariance_a, covariance_b))
    shift = np.asarray(mean_a, dtype=np.float64) - np.asarray(mean_b, dtype=np.float64)
    root = _square_root(a)
    # rounding leaves the zero eigenvalues of a singular product at about ±1e-16: those below zero have no root
    overlap = np.sqrt(np.linalg.eigvalsh(root @ b @ root).clip(min=0)).sum()
    found = float(shift @ shift + np.trace(a) + np.trace(b) - 2 * overlap)
    if not np.isfinite(found):
        raise RetraceError("the Fréchet distance is not finite: means or covariances are unknown, or too large to be squared")
    return max(found, 0.0)


def _square_root(covariance: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
