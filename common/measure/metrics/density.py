"""Log-densities as the field reports them: bits per dimension, with dequantisation done right.

An image has integer values v in 0..L-1; the model has a density p on x = width (v + u)/L + constant, u uniform in [0, 1).
Then P(v) = E_u p(x(u)) (width/L)^D, and the cost of the image in bits per dimension is

    bits/dim = -log p / (D ln 2) + log2(L / width) .

With one u this bounds the true cost from above (Theis et al. 2016). The mean of p over K draws tightens the bound
(Burda et al. 2016), monotonically in expectation. Uniform data cost exactly log2 L: 8 for 8-bit images.
"""

import math

import numpy as np
from jaxtyping import Float

from common.errors import RefusedError, RetraceError


def bits_per_dim(
    log_density: Float[np.ndarray, "*batch"], dim: int, *, grey_values: int, width: float | int = 2.0
) -> Float[np.ndarray, "*batch"]:
    """Return bits/dim from log-densities in nats of dequantised data.

    Data of `dim` numbers with `grey_values` integer values each are scaled to an interval of length `width`: 2 for [-1, 1].
    """
    if dim < 1 or grey_values < 2 or width <= 0:
        raise RetraceError(
            f"dim = {dim}, grey_values = {grey_values}, width = {width}: need dim >= 1, grey_values >= 2 and width > 0"
        )
    return -np.asarray(log_density, dtype=np.float64) / (dim * math.log(2)) + math.log2(grey_values / width)


def check_draws(k: int, *, noisy: bool) -> None:
    """Raise `RefusedError` where a mean over k > 1 draws is asked of noisy log-densities.

    E exp(noise) is more than exp E(noise): their noise alone would raise the mean, by half its variance and more.
    """
    if noisy and k > 1:
        raise RefusedError(
            "log-densities with Hutchinson's noise must not enter a log-mean-exp over draws: the noise itself would tighten the "
            "bound; use the exact divergence, or K = 1"
        )


def importance_weighted(log_densities: Float[np.ndarray, "k n"], *, noisy: bool = False) -> Float[np.ndarray, " n"]:
    """Return log (1/K) sum_k p_k of n items from K dequantisation draws each, in nats.

    Raises `RefusedError` for K > 1 where the log-densities are `noisy` estimates, as Hutchinson's are.
    """
    from scipy.special import logsumexp

    check_draws(len(log_densities), noisy=noisy)
    return logsumexp(np.asarray(log_densities, dtype=np.float64), axis=0) - math.log(len(log_densities))


def standard_error(values: Float[np.ndarray, " n"]) -> float:
    """Return the Monte-Carlo standard error s / sqrt(n) of the mean of independent values; NaN for a single one."""
    return float(np.std(values, ddof=1, dtype=np.float64) / math.sqrt(len(values))) if len(values) > 1 else math.nan
