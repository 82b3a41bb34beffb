"""Four objectives whose minimiser is a score, on one footing: a function `score(x)` and points in, one loss per point out.

    exact      tr(grad s(x)) + |s(x)|^2 / 2                   minimiser grad log p    (Hyvärinen 2005; Song & Ermon 2019, eq. 1)
    sliced     v^T grad s(x) v + |s(x)|^2 / 2, E v v^T = I    the same in expectation over v, at any dimension (eq. 3)
    denoising  |s(x + sigma z) + z / sigma|^2 / 2             minimiser grad log (p * N(0, sigma^2 I)) (eq. 2, 5)

Losses are sums over dimensions, as published. The sliced loss keeps |s|^2 exact and projects the trace alone (its "variance
reduced" form). A noise-conditional network s(x, sigma) is trained on the mean over levels of lambda(sigma) times any of these,
taken at x + sigma z (eq. 6); with lambda = sigma^2 no level outweighs the others.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import forward_ad

from common.dynamics.divergence import exact_divergence, hutchinson_divergence
from common.dynamics.paths import broadcast

Score = Callable[[Tensor], Tensor]  # of x [batch, *shape], of x's shape


def half_square(values: Float[Tensor, "batch *shape"]) -> Float[Tensor, " batch"]:
    """Return |values|^2 / 2 of each sample."""
    return 0.5 * values.square().flatten(1).sum(1)


def exact_score_matching(score: Score, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, " batch"]:
    """Return tr(grad s) + |s|^2 / 2 with the exact trace: one vector-Jacobian product per dimension."""
    value, trace = exact_divergence(lambda _, state: score(state), torch.zeros(()), x)
    return trace + half_square(value)


def sliced_score_matching(
    score: Score, x: Float[Tensor, "batch *shape"], probe: Float[Tensor, "batch *shape"]
) -> Float[Tensor, " batch"]:
    """Return v^T grad s v + |s|^2 / 2 by a backward pass inside the loss, which training differentiates once more."""
    value, slope = hutchinson_divergence(lambda _, state: score(state), torch.zeros(()), x, probe)
    return slope + half_square(value)


def sliced_score_matching_forward(
    score: Score, x: Float[Tensor, "batch *shape"], probe: Float[Tensor, "batch *shape"]
) -> Float[Tensor, " batch"]:
    """Return the same loss with grad s v from one forward pass (forward-mode differentiation)."""
    with forward_ad.dual_level():
        value, tangent = forward_ad.unpack_dual(score(forward_ad.make_dual(x, probe)))
        tangent = torch.zeros_like(value) if tangent is None else tangent  # a score that does not depend on x
        return (tangent * probe).flatten(1).sum(1) + half_square(value)


def denoising_score_matching(
    score: Score, x0: Float[Tensor, "batch *shape"], sigma: Float[Tensor, "*levels"], noise: Float[Tensor, "batch *shape"]
) -> Float[Tensor, " batch"]:
    """Return |s(x_0 + sigma z) + z / sigma|^2 / 2; sigma is one number, or one for each sample."""
    width = broadcast(sigma, x0)
    return half_square(score(x0 + width * noise) + noise / width)


def noise_conditional(loss: Float[Tensor, " batch"], sigma: Float[Tensor, " batch"], *, power: float = 2.0) -> Float[Tensor, ""]:
    """Return the mean of lambda(sigma) loss with lambda = sigma^power, each sample having its own noise level (eq. 6).

    With levels drawn uniformly it is an unbiased estimate of the mean over all levels.
    """
    return (sigma**power * loss).mean()
