"""The published noise levels of SMLD (NCSN) and DDPM, and how far they are from the SDEs they become (Song 2021, App. B, C)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.ddpm_levels import ddpm_path
from common.dynamics.paths import ladder, ve, vp

Curve = Float[Tensor, " scales"]


class Curves(NamedTuple):
    """Mean scale and variance of p(x_t | x_0), of a chain of N scales and of its SDE, at t = i / N for i = 1 ... N (Fig. 5)."""

    t: Curve
    mean_of_chain: Curve
    mean: Curve
    variance_of_chain: Curve
    variance: Curve


def smld_sigmas(count: int, sigma_min: float = 0.01, sigma_max: float = 50.0) -> Curve:
    """Return sigma_i = sigma_min (sigma_max / sigma_min)^((i - 1) / (N - 1)), smallest first."""
    return ladder(sigma_max, sigma_min, count).flip(0)


def smld_curves(count: int, sigma_min: float = 0.01, sigma_max: float = 50.0) -> Curves:
    """Return SMLD's variances sigma_i^2 beside sigma(i / N)^2."""
    t = torch.arange(1, count + 1, dtype=torch.float64) / count
    one = torch.ones_like(t)
    sigmas = smld_sigmas(count, sigma_min, sigma_max)
    return Curves(t, one, one, sigmas.square(), ve(sigma_min, sigma_max).sigma(t).square())


def ddpm_curves(count: int, beta_min: float = 0.1, beta_max: float = 20.0) -> Curves:
    """Return DDPM's mean scales and variances, from the product of 1 - beta_i, beside those of the VP SDE."""
    chain, path = ddpm_path(count, beta_min, beta_max), vp(beta_min, beta_max)
    t = torch.arange(1, count + 1, dtype=torch.float64) / count
    return Curves(t, chain.alpha(t), path.alpha(t), chain.sigma(t).square(), path.sigma(t).square())
