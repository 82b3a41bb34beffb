"""Linear measurements with Gaussian noise, y = A x_0 + n: the score given y, approximately (Song 2021, App. I.4).

    grad log p_t(x | y) ~ s(x, t) + grad log p_t(y_t | x),  y_t ~ p(y_t | y)

Here y_t is y diffused by noise of its own, alpha y + sigma e. Given x_t it is A x_t + alpha n + sigma (e - A z), and with z taken
for independent of x_t its covariance is alpha^2 std^2 I + sigma^2 (I + A A^T): exact as t goes to 0, too wide before, so that
samples hang on to the prior. Its width grows with sigma, which keeps steps stable.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Field, Time, as_time
from common.dynamics.paths import GaussianPath, broadcast
from common.dynamics.samplers.noise import Source, normal


def measurement_gradient(
    path: GaussianPath, matrix: Float[Tensor, "m d"], y: Float[Tensor, "batch m"], std: float, *, generator: Source
) -> Field:
    """Return the gradient in x of log p_t(y_t | x) at a fresh y_t, for common's `Guided` model.

    `matrix` is A, of flattened samples; `std` is that of the measurement's noise.
    """
    values, vectors = torch.linalg.eigh(matrix @ matrix.T)
    turned, seen = vectors.T @ matrix, y @ vectors  # measurements whose noises are independent

    def gradient(x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
        time, flat = as_time(t, x), x.flatten(1)
        alpha, sigma = (broadcast(schedule(time), flat) for schedule in (path.alpha, path.sigma))
        noisy = alpha * seen + sigma * normal(seen, generator, "a measurement's diffusion")
        variance = (alpha * std).square() + sigma.square() * (1 + values)
        return ((noisy - flat @ turned.T) / variance @ turned).reshape(x.shape)

    return gradient
