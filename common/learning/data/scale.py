"""Between L grey values 0 ... L-1 and the interval [-1, 1] that models see, and between that and other ranges of pixels.

A grey value v becomes 2 (v + u)/L - 1 with u uniform on [0, 1) (uniform dequantisation, so that likelihoods are of discrete
data) or u = 1/2 (the middle of its cell).
"""

import torch
from jaxtyping import Float, Integer
from torch import Generator, Tensor


def to_unit(
    values: Integer[Tensor, "*shape"], grey_values: int, *, generator: Generator | None = None
) -> Float[Tensor, "*shape"]:
    """Return float32 values in (-1, 1); dequantised with fresh noise when a generator (on the values' device) is given."""
    if generator is None:
        return 2 * (values + 0.5) / grey_values - 1
    # float32 cannot tell noise this close to the border from the next cell: without the margin some values would change theirs
    margin = 2 * grey_values * torch.finfo(torch.float32).eps
    noise = torch.rand(values.shape, generator=generator, device=values.device).clamp(margin, 1 - margin)
    return 2 * (values + noise) / grey_values - 1


def from_unit(x: Float[Tensor, "*shape"], grey_values: int) -> Integer[Tensor, "*shape"]:
    """Return the grey value (int64) whose cell holds x; values outside [-1, 1] go to the nearest end.

    `from_unit(to_unit(v, grey_values), grey_values) == v`, whatever the noise.
    """
    return torch.floor((x + 1) * grey_values / 2).clamp(0, grey_values - 1).to(torch.int64)


def rescaled(
    x: Float[Tensor, "*shape"], old: tuple[float, float], new: tuple[float, float] = (-1.0, 1.0)
) -> Float[Tensor, "*shape"]:
    """Return values of the range `old` as values of the range `new`: what is at one's ends comes to the other's."""
    if tuple(old) == tuple(new):
        return x
    return new[0] + (new[1] - new[0]) / (old[1] - old[0]) * (x - old[0])
