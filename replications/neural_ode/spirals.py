"""Bidirectional spirals, seen at irregular times: the toy data of the latent ODE (Chen 2018, Section 5.1).

The paper gives neither the curves nor the noise. Those here are of the authors' later example, in units of 5: an Archimedean
spiral of radius 0.06 θ that turns counter-clockwise, and its mirror image, which turns clockwise. (The example's own clockwise
spiral has a radius of one over the angle that is left, and soon after the window it runs away to where no forecast can follow.)

All spirals have the origin as their centre, and each is turned about it by a random angle of its own. Any one point is then as
likely to lie on a spiral of one direction as on one of the other, so only a sequence of points tells the direction. (In the
example each direction has a centre of its own, and a single point tells it.) A series starts at a random radius, turns
6π/499 rad per step, and is known without noise before, during and after the observed window:

    past      25 points before the window     to judge extrapolation backwards
    window    100 points, from time 0         n of them are observed, with Gaussian noise of standard deviation 0.06
    future    100 points after the window     to judge extrapolation, the paper's RMSE
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from common.errors import SettingsError

PAST, WINDOW, FUTURE = 25, 100, 100
STEP = 6 * math.pi / 499  # radians, and time units, between two points: 500 points on three turns
NOISE = 0.06  # standard deviation of an observation
GROWTH = 0.06  # radius per radian
FIRST_ANGLE, LAST_ANGLE = 100 * STEP, 300 * STEP  # range of θ at time 0: the future ends with the third turn


class Spirals(NamedTuple):
    """Series, every one with its own start; half of them turn clockwise."""

    clean: Float[Tensor, "series points 2"]
    observed: Float[Tensor, "series window 2"]
    clockwise: Bool[Tensor, " series"]

    def to(self, device: torch.device) -> "Spirals":
        """Return the series on a device."""
        return Spirals(*(part.to(device) for part in self))


def spirals(n: int, *, generator: Generator) -> Spirals:
    """Return n series: clean at PAST + WINDOW + FUTURE points, and noisy at the window's."""
    start = FIRST_ANGLE + (LAST_ANGLE - FIRST_ANGLE) * torch.rand(n, 1, generator=generator)
    clockwise = torch.arange(n) % 2 == 1
    turned = 2 * math.pi * torch.rand(n, 1, generator=generator)
    angle = start + STEP * torch.arange(-PAST, WINDOW + FUTURE)
    mirror = 1 - 2 * clockwise.float()[:, None]
    radius = GROWTH * angle
    clean = torch.stack([radius * torch.cos(angle + turned), mirror * radius * torch.sin(angle + turned)], -1)
    observed = clean[:, PAST : PAST + WINDOW]
    return Spirals(clean, observed + NOISE * torch.randn(observed.shape, generator=generator), clockwise)


def observation_indices(series: int, observations: int, *, generator: Generator) -> Int[Tensor, "series observations"]:
    """Return which window points each series is observed at: uniformly without replacement, in order of time."""
    if not 0 < observations <= WINDOW:
        raise SettingsError(f"observations = {observations}: a window has {WINDOW} points; choose 1 to {WINDOW}")
    return torch.rand(series, WINDOW, generator=generator).argsort(1)[:, :observations].sort(1).values


def times(first: int = 0, last: int = WINDOW + FUTURE) -> Float[Tensor, " points"]:
    """Return the model's times of the points first .. last - 1, counted from the start of the window."""
    return STEP * torch.arange(first, last, dtype=torch.float64)


def turns_clockwise(path: Float[Tensor, "*batch points 2"]) -> Bool[Tensor, "*batch"]:
    """Return whether a path turns clockwise: the sign of the area between neighbouring steps, wherever the centre lies."""
    step = path.diff(dim=-2)
    before, after = step[..., :-1, :], step[..., 1:, :]
    return (before[..., 0] * after[..., 1] - before[..., 1] * after[..., 0]).sum(-1) < 0
