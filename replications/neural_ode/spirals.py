"""Bidirectional spirals, seen at irregular times: the toy data of the latent ODE (Chen 2018, Section 5.1).

The paper says neither which spirals nor how much noise. Here both directions are Archimedean, r = 0.1 (1 + θ), one turning
counter-clockwise and one, its mirror image, clockwise, so a position alone does not tell the direction. A series starts at a
random angle, turns 0.03 rad per step, a time of 0.03, and is known without noise before, during and after the observed window:

    past      25 points before time 0         to judge extrapolation backwards
    window    100 points, times 0 .. 2.97     n of them are observed, with Gaussian noise of standard deviation 0.05
    future    100 points, times 3 .. 5.97     to judge extrapolation, the paper's RMSE
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from common.errors import SettingsError

PAST, WINDOW, FUTURE = 25, 100, 100
STEP = 0.03  # radians, and time units, between two points
NOISE = 0.05  # standard deviation of an observation
FIRST_ANGLE, LAST_ANGLE = 1.0, 7.0  # range of a series' angle at time 0


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
    angle = start + STEP * torch.arange(-PAST, WINDOW + FUTURE)
    mirror = 1 - 2 * clockwise.float()[:, None]
    clean = 0.1 * (1 + angle)[..., None] * torch.stack([torch.cos(angle), mirror * torch.sin(angle)], -1)
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
    """Return whether a path runs clockwise around the origin: the sign of the area that it sweeps."""
    before, after = path[..., :-1, :], path[..., 1:, :]
    return (before[..., 0] * after[..., 1] - before[..., 1] * after[..., 0]).sum(-1) < 0
