"""Two-dimensional densities, generated as in FFJORD's toy experiments (Grathwohl 2018), in torch with a passed generator.

Every function of `DENSITIES` takes the number of points and a generator and returns independent float32 points on the generator's
device. Two of the densities have a closed form: `LOG_DENSITIES`, with their differential entropies in nats in `ENTROPY`; no
model's expected NLL can be below the entropy.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

Points = Float[Tensor, "n 2"]


def _uniform(n: int, generator: Generator) -> Tensor:
    return torch.rand(n, generator=generator, device=generator.device)


def _normal(n: int, generator: Generator) -> Tensor:
    return torch.randn(n, 2, generator=generator, device=generator.device)


def _integers(high: int, n: int, generator: Generator) -> Tensor:
    return torch.randint(high, (n,), generator=generator, device=generator.device)


def _polar(radius: Tensor, angle: Tensor) -> Tensor:
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], 1)


def eight_gaussians(n: int, *, generator: Generator) -> Points:
    """Eight Gaussians of standard deviation 0.5 on a circle of radius 4, all divided by 1.414."""
    angle = _integers(8, n, generator) * (math.pi / 4)
    return (_polar(torch.full_like(angle, 4.0), angle) + 0.5 * _normal(n, generator)) / 1.414


def checkerboard(n: int, *, generator: Generator) -> Points:
    """Uniform on eight cells of side 2 of the board [-4, 4]^2: density 1/32 on them."""
    x1 = 4 * _uniform(n, generator) - 2
    x2 = _uniform(n, generator) - 2 * _integers(2, n, generator) + torch.floor(x1) % 2
    return 2 * torch.stack([x1, x2], 1)


def moons(n: int, *, generator: Generator) -> Points:
    """Two interleaving half circles, noise 0.1, times 2, shifted by (-1, -0.2)."""
    lower = _integers(2, n, generator).bool()
    angle = math.pi * _uniform(n, generator)
    upper_arc = _polar(torch.ones_like(angle), angle)
    lower_arc = torch.stack([1 - torch.cos(angle), 0.5 - torch.sin(angle)], 1)
    points = torch.where(lower[:, None], lower_arc, upper_arc) + 0.1 * _normal(n, generator)
    return 2 * points + torch.tensor([-1.0, -0.2], device=points.device)


def circles(n: int, *, generator: Generator) -> Points:
    """Two concentric circles of radius 1 and 0.5, noise 0.08, times 3."""
    radius = torch.where(_integers(2, n, generator).bool(), 1.0, 0.5)
    angle = 2 * math.pi * _uniform(n, generator)
    return 3 * (_polar(radius, angle) + 0.08 * _normal(n, generator))


def two_spirals(n: int, *, generator: Generator) -> Points:
    """Two arms of one and a half turns, symmetric about the origin, thickened by uniform offsets and noise 0.1."""
    turn = torch.sqrt(_uniform(n, generator)) * 3 * math.pi
    first = -torch.cos(turn) * turn + 0.5 * _uniform(n, generator)
    second = torch.sin(turn) * turn + 0.5 * _uniform(n, generator)
    sign = 1 - 2 * _integers(2, n, generator)
    return sign[:, None] * torch.stack([first, second], 1) / 3 + 0.1 * _normal(n, generator)


def pinwheel(n: int, *, generator: Generator) -> Points:
    """Five arms that twist clockwise: radial standard deviation 0.3, tangential 0.1, rate 0.25, times 2."""
    noise = _normal(n, generator) * torch.tensor([0.3, 0.1], device=generator.device)
    radial, tangential = noise[:, 0] + 1, noise[:, 1]
    angle = _integers(5, n, generator) * (2 * math.pi / 5) + 0.25 * torch.exp(radial)
    first = radial * torch.cos(angle) + tangential * torch.sin(angle)
    second = tangential * torch.cos(angle) - radial * torch.sin(angle)
    return 2 * torch.stack([first, second], 1)


def swiss_roll(n: int, *, generator: Generator) -> Points:
    """The spiral section of a swiss roll, noise 1, divided by 5."""
    turn = 1.5 * math.pi * (1 + 2 * _uniform(n, generator))
    return (_polar(turn, turn) + _normal(n, generator)) / 5


def rings(n: int, *, generator: Generator) -> Points:
    """Four concentric rings of radius 0.75, 1.5, 2.25 and 3, equally likely, noise 0.08."""
    radius = 0.75 * (1 + _integers(4, n, generator))
    angle = 2 * math.pi * _uniform(n, generator)
    return _polar(radius, angle) + 0.08 * _normal(n, generator)


DENSITIES: dict[str, Callable[..., Tensor]] = {
    "eight_gaussians": eight_gaussians,
    "checkerboard": checkerboard,
    "moons": moons,
    "circles": circles,
    "two_spirals": two_spirals,
    "pinwheel": pinwheel,
    "swiss_roll": swiss_roll,
    "rings": rings,
}


def eight_gaussians_log_density(x: Points) -> Float[Tensor, " n"]:
    """Return the log-density of `eight_gaussians` in nats."""
    angle = torch.arange(8, dtype=x.dtype, device=x.device) * (math.pi / 4)
    means, std = _polar(torch.full_like(angle, 4.0), angle) / 1.414, 0.5 / 1.414
    squared = (x[:, None] - means).square().sum(-1) / std**2
    return (-0.5 * squared).logsumexp(1) - math.log(8 * 2 * math.pi * std**2)


def checkerboard_log_density(x: Points) -> Float[Tensor, " n"]:
    """Return the log-density of `checkerboard` in nats: -ln 32 on its cells, -inf elsewhere."""
    cells = torch.floor(x / 2)
    dark = (cells.sum(1) % 2 == 0) & ((cells >= -2) & (cells < 2)).all(1)
    # torch.where would make float32 of two Python numbers, whatever x is
    return torch.full_like(x[:, 0], -math.log(32)).masked_fill(~dark, -math.inf)


LOG_DENSITIES: dict[str, Callable[[Tensor], Tensor]] = {
    "eight_gaussians": eight_gaussians_log_density,
    "checkerboard": checkerboard_log_density,
}

# nats; the mixture's is a numerical integral, which a test repeats
ENTROPY = {"eight_gaussians": 2.831880406137666, "checkerboard": math.log(32)}
