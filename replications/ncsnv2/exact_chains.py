"""Annealed Langevin dynamics with the exact score of a mixture of Gaussians centred on images (Figure 2).

There is no network and no training, so what samples lack is the fault of the noise levels alone. Pixels are in [0, 1].
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Integer
from torch import Generator, Tensor

from common.dynamics.oracles import EmpiricalDistribution
from common.dynamics.paths import level_times, ve
from common.evaluation.yardstick import drawn
from common.learning.data import catalogue
from common.learning.data.scale import rescaled, to_unit
from common.runs.experiment import Context
from replications.ncsn.annealed_langevin import annealed_langevin, annealing, uniform_start
from replications.ncsnv2.noise_levels import MASS, number_of_levels
from replications.ncsnv2.step_size import best_step_size

Images = Float[Tensor, "n c h w"]


class Centres(NamedTuple):
    """The centres of the mixture in [0, 1], all of one weight, and their classes where there are any."""

    images: Images
    labels: Integer[Tensor, " n"] | None


class Ladder(NamedTuple):
    """Noise levels, largest first and all in one ratio, and the Langevin steps at each, of relative size rho."""

    sigma_max: float
    sigma_min: float
    levels: int
    steps: int
    rho: float

    @property
    def nfe(self) -> int:
        """The evaluations of the score that a chain takes."""
        return self.levels * self.steps


def centres(data: str, n: int, context: Context, split: str = "train") -> Centres:
    """Return `n` random images of a replicate's split, or all of them if there are fewer, on the run's device."""
    chosen = drawn(catalogue.load(data, split, context.seed), n, context.generator("centres"))
    images = rescaled(to_unit(chosen.images, chosen.grey_values), (-1.0, 1.0), (0.0, 1.0))
    return Centres(images.to(context.device), None if chosen.labels is None else chosen.labels.to(context.device))


def split_ladder(sigma_max: float, sigma_min: float, levels: int, steps: int) -> Ladder:
    """Return the ladder of so many levels and steps, with the steps' size by technique 4."""
    ratio = (sigma_max / sigma_min) ** (1 / (levels - 1))
    return Ladder(sigma_max, sigma_min, levels, steps, best_step_size(ratio, steps, sigma_min).rho)


def spaced_ladder(sigma_max: float, sigma_min: float, dim: int, steps: int, mass: float = MASS) -> Ladder:
    """Return the ladder between two levels, spaced by technique 2 for images of `dim` numbers, with steps by technique 4."""
    return split_ladder(sigma_max, sigma_min, number_of_levels(sigma_max, sigma_min, dim, mass), steps)


def uniform(n: int, images: Images, generator: Generator) -> Images:
    """Return uniform noise: where the paper's chains start."""
    return uniform_start((n, *images.shape[1:]), (0.0, 1.0), generator=generator).to(images)


def grey(n: int, images: Images, generator: Generator) -> Images:
    """Return one grey in all pixels of all chains: the middle of the uniform noise."""
    return images.new_full((n, *images.shape[1:]), 0.5)


def one_image(n: int, images: Images, generator: Generator) -> Images:
    """Return one of the centres for all chains: only wide noise gets them away from it."""
    return images[torch.randint(len(images), (1,), generator=generator)].expand(n, *images.shape[1:])


STARTS: dict[str, Callable[[int, Images, Generator], Images]] = {"uniform": uniform, "grey": grey, "one image": one_image}


class SharedNoise:
    """Noise that several groups of chains, one after the other in the batch, have in common."""

    def __init__(self, generator: Generator, groups: int) -> None:
        self.generator, self.groups = generator, groups

    def normal(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
        """Return the same standard normals for every group."""
        shape = (len(x) // self.groups, *x.shape[1:])
        drawn = torch.randn(shape, generator=self.generator, device=x.device, dtype=x.dtype)
        return drawn.repeat(self.groups, *[1] * (x.ndim - 1))


def exact_chains(
    images: Images, starts: dict[str, Images], ladder: Ladder, *, generator: Generator, dtype: torch.dtype = torch.float32
) -> dict[str, Images]:
    """Return where annealed Langevin chains end, by start; all starts are one batch and have their noise in common.

    `dtype` is that of the score's distances; the chains' own is that of the images.
    """
    path = ve(ladder.sigma_min, ladder.sigma_max)
    times = annealing(level_times(path, ladder.levels), ladder.steps)
    model = EmpiricalDistribution(path, images.to(dtype), dtype=dtype)
    noise = SharedNoise(generator, len(starts))
    found = annealed_langevin(ladder.rho)(model, torch.cat(list(starts.values())), times, generator=noise).x
    return dict(zip(starts, found.chunk(len(starts))))
