"""A mixture of Gaussians drawn for a replicate: data whose scores and densities are exact on every SDE."""

from typing import Annotated, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Generator, Tensor

from common.dynamics.oracles import GaussianMixture
from common.dynamics.paths import GaussianPath, sub_vp, ve, vp

SIGMA_MIN = 0.01
# where sampling stops: the published ones, by path (VP's and sub-VP's scores are singular further down)
EPS = {"ve": 1e-5, "vp": 1e-3, "sub_vp": 1e-3}
# standard deviations of the centres, small so that finite samples' shares of the modes drown no other error, and of the modes
SPREAD, STDS = 0.5, (0.1, 0.3)
# a setting: scales of a sampler, more than beta_max, for at that many ancestral sampling on VP divides by 0
ScaleCount = Annotated[int, Field(gt=20)]


class Toy(NamedTuple):
    """The mixture: weights, centres and standard deviations of its modes."""

    weights: Float[Tensor, " modes"]
    means: Float[Tensor, "modes dim"]
    stds: Float[Tensor, " modes"]

    def on(self, path: GaussianPath) -> GaussianMixture:
        """Return it as an exact model on a path."""
        return GaussianMixture(path, weights=self.weights, means=self.means, stds=self.stds)

    def paths(self) -> dict[str, GaussianPath]:
        """Return the three SDEs by name; the VE path's largest noise is as wide as the centres are distant, and 1 more."""
        widest = float(torch.cdist(self.means, self.means).max()) + 1
        return {"ve": ve(SIGMA_MIN, widest), "vp": vp(), "sub_vp": sub_vp()}


def drawn_toy(modes: int, dim: int, *, generator: Generator) -> Toy:
    """Return a random mixture with mean 0, as every prior has; its modes' weights differ by up to a factor of 3."""
    weights = 0.5 + torch.rand(modes, generator=generator, dtype=torch.float64)
    means = SPREAD * torch.randn(modes, dim, generator=generator, dtype=torch.float64)
    low, high = STDS
    stds = low + (high - low) * torch.rand(modes, generator=generator, dtype=torch.float64)
    weights = weights / weights.sum()
    return Toy(weights, means - weights @ means, stds)
