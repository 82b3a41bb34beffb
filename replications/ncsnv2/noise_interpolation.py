"""Samples interpolated by the noise that made them (Song & Ermon 2020).

Two chains from one start differ in the noise of their steps alone, z1 and z2. With z = cos(phi) z1 + sin(phi) z2 at every step,
which is standard normal whatever phi, the chains of all phi in [0, pi/2] end at samples on a path from the one to the other.
"""

import math

import torch
from jaxtyping import Float
from torch import Generator, Tensor


class InterpolatedNoise:
    """The noise of chains [pairs * angles, *shape], pair by pair, each from its first noise to its second in equal angles.

    The draws of all pairs' first noise come from one generator and those of the second from another, so chains with either alone
    are chains with that generator.
    """

    def __init__(self, first: Generator, second: Generator, angles: int) -> None:
        self.ends = first, second
        # sines from the other end are cosines that are 0 at a right angle, and not 6e-17
        sines = torch.linspace(0, math.pi / 2, angles, dtype=torch.float64).sin()
        self.weights = sines.flip(0), sines

    def normal(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
        """Return the next standard normals of every chain."""
        angles = len(self.weights[0])
        shape, mixed = (len(x) // angles, 1, *x.shape[1:]), torch.zeros((), dtype=x.dtype, device=x.device)
        for generator, weight in zip(self.ends, self.weights):
            drawn = torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device)
            mixed = mixed + weight.to(x).reshape(1, angles, *[1] * (x.ndim - 1)) * drawn
        return mixed.reshape(x.shape)


def blends(first: Float[Tensor, "pairs *shape"], second: Float[Tensor, "pairs *shape"], points: int) -> Tensor:
    """Return the straight lines [pairs, points, *shape] from images to images: the trivial interpolation."""
    share = torch.linspace(0, 1, points, dtype=first.dtype, device=first.device).reshape(1, points, *[1] * (first.ndim - 1))
    return (1 - share) * first[:, None] + share * second[:, None]


def step_lengths(path: Float[Tensor, "pairs points dim"], stride: int) -> Float[Tensor, "pairs steps"]:
    """Return the Euclidean distances of points that are `stride` apart on each path, one after the other."""
    return path[:, ::stride].diff(dim=1).norm(dim=2)


def independent_distance(samples: Float[Tensor, "n dim"]) -> float:
    """Return the mean Euclidean distance of two samples that have nothing in common."""
    return float(torch.pdist(samples).mean())
