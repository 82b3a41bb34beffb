"""DDPM's noise levels (Ho 2020), and the Gaussian path through them."""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.paths import GaussianPath
from common.errors import SolverError


def ddpm_betas(count: int, beta_min: float = 0.1, beta_max: float = 20.0) -> Float[Tensor, " levels"]:
    """Return beta_i = beta_min / N + (i - 1) / (N (N - 1)) (beta_max - beta_min): 1e-4 ... 0.02 at N = 1000."""
    return torch.linspace(beta_min, beta_max, count, dtype=torch.float64) / count


def ddpm_path(count: int, beta_min: float = 0.1, beta_max: float = 20.0) -> GaussianPath:
    """Return the path through DDPM's levels: alpha(i / N)^2 is the product of 1 - beta_1 ... 1 - beta_i exactly.

    Between levels log alpha^2 is linear, so that the path's own kernel from one level to the next is DDPM's: sqrt(1 - beta_i) and
    beta_i. Its levels' times are `level_times(path, N)`; sigma' and g^2 jump there. Raises `SolverError` unless all beta_i < 1.
    """
    if count <= beta_max:
        raise SolverError(f"DDPM's largest beta_i is {beta_max:g} / {count}, which must be below 1: take more noise levels")
    rates = count * torch.log1p(-ddpm_betas(count, beta_min, beta_max))
    totals = torch.cat([torch.zeros(1, dtype=torch.float64), (rates / count).cumsum(0)])

    @cache
    def tables(device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        # on the device once, so that no later call waits for a copy
        return totals.to(device, dtype), rates.to(device, dtype)

    def log_square(t: Tensor) -> tuple[Tensor, Tensor]:
        """Return log alpha^2 and its slope; a level's slope is that of the step that leads to it."""
        total, rate = tables(t.device, t.dtype)
        # a level's time may be rounded up
        step = (t * count - 1e-4).ceil().long().sub(1).clamp(0, count - 1)
        return total[step] + (t - step.to(t) / count) * rate[step], rate[step]

    def alpha(t: Tensor) -> Tensor:
        return torch.exp(0.5 * log_square(t)[0])

    def sigma(t: Tensor) -> Tensor:
        return torch.sqrt(-torch.expm1(log_square(t)[0]))

    def alpha_dot(t: Tensor) -> Tensor:
        value, slope = log_square(t)
        return 0.5 * slope * torch.exp(0.5 * value)

    def sigma_dot(t: Tensor) -> Tensor:
        value, slope = log_square(t)
        return -0.5 * slope * torch.exp(value) / torch.sqrt(-torch.expm1(value))

    return GaussianPath("ddpm", alpha, sigma, alpha_dot, sigma_dot, prior_std=1.0, t_min=1 / count)
