"""The paper's mixture of two distant Gaussians, N((-5, -5), I) with weight 1/5 and N((5, 5), I) with 4/5 (Figures 2 and 3)."""

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.oracles import GaussianMixture
from common.dynamics.paths import GaussianPath, ve

MEANS = torch.tensor([[-5.0, -5.0], [5.0, 5.0]], dtype=torch.float64)
HEAVY = 0.8  # weight of the second mode
HALF_WIDTH = 8.0  # of the square that the paper draws, and starts its chains in
DATA = 0.0  # the time at which `undisturbed` has the data's own score


def two_modes(path: GaussianPath, *, std: float = 1.0, heavy: float = HEAVY) -> GaussianMixture:
    """Return the mixture with its exact scores on a path; std = 0 makes it two points, which noise of width 1 makes the data."""
    weights = torch.tensor([1 - heavy, heavy], dtype=torch.float64)
    return GaussianMixture(path, weights=weights, means=MEANS, stds=torch.full((2,), std, dtype=torch.float64))


def undisturbed(heavy: float = HEAVY) -> GaussianMixture:
    """Return the mixture on a path whose noise at time `DATA` is too small to change it."""
    return two_modes(ve(sigma_min=1e-6, sigma_max=1.0), heavy=heavy)


def nearest_mode(x: Float[Tensor, "n 2"]) -> Tensor:
    """Return which mode each point is nearest to: 0, or 1 for the heavy one."""
    return torch.cdist(x, MEANS.to(x)).argmin(1)


def heavy_share(x: Float[Tensor, "n 2"]) -> float:
    """Return the share of points that are nearest to the heavy mode."""
    return float(nearest_mode(x).double().mean())


def variance_in_modes(x: Float[Tensor, "n 2"]) -> float:
    """Return the mean squared deviation of a coordinate from the nearest mode's mean."""
    return float((x - MEANS.to(x)[nearest_mode(x)]).square().mean())
