"""Three two-dimensional densities known up to a constant, p(x) ~ exp(-U(x)): the test energies of Rezende & Mohamed (2015).

Chen 2018, Figure 4, does not name its targets; these are the usual ones. The two waves run on for ever along x_1, so beyond
|x_1| = 4 a wall is added to their energy: without it they have no normalising constant, and divergences no zero.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from common.measure.grid import square_grid

Points = Float[Tensor, "*batch 2"]
Energy = Float[Tensor, "*batch"]
EDGE, WALL = 4.0, 0.4  # where the wall begins and the standard deviation of what climbs it


def two_modes(x: Points) -> Energy:
    """A ring of radius 2 with two bright sides, left and right."""
    ring = 0.5 * ((torch.linalg.vector_norm(x, dim=-1) - 2) / 0.4).square()
    sides = [-0.5 * ((x[..., 0] - side) / 0.6).square() for side in (2, -2)]
    return ring - torch.logaddexp(*sides)


def wave(x: Points) -> Energy:
    """A band along a sine."""
    return 0.5 * ((x[..., 1] - _sine(x)) / 0.4).square() + _wall(x)


def split_wave(x: Points) -> Energy:
    """A band along a sine that has a second branch below it near x_1 = 1."""
    branch = 3 * torch.exp(-0.5 * ((x[..., 0] - 1) / 0.6).square())
    distance = x[..., 1] - _sine(x)
    bands = [-0.5 * (off / 0.35).square() for off in (distance, distance + branch)]
    return -torch.logaddexp(*bands) + _wall(x)


def _sine(x: Points) -> Energy:
    return torch.sin(2 * math.pi * x[..., 0] / 4)


def _wall(x: Points) -> Energy:
    return 0.5 * ((x[..., 0].abs() - EDGE).clamp_min(0) / WALL).square()


ENERGIES: dict[str, Callable[[Tensor], Tensor]] = {"two_modes": two_modes, "wave": wave, "split_wave": split_wave}


def log_normaliser(energy: Callable[[Tensor], Tensor], *, half_width: float = 8.0, points: int = 1601) -> float:
    """Return log int exp(-U) in nats, by the midpoint rule on a square around the origin; both tails are beyond float64."""
    edge = 2 * half_width / points
    grid = square_grid(points, half_width, cells=True)
    return float((-energy(grid)).logsumexp(0)) + 2 * math.log(edge)
