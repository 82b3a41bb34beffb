"""Between grey levels 0 ... levels-1 and the interval [-1, 1] that models see.

A level v becomes 2 (v + u)/levels - 1 with u uniform on [0, 1) (uniform dequantisation, so that likelihoods are of discrete data)
or u = 1/2 (the middle of its cell).
"""

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor


def to_unit(values: Int[Tensor, "*shape"], levels: int, *, generator: Generator | None = None) -> Float[Tensor, "*shape"]:
    """Return float32 values in [-1, 1]; dequantised with fresh uniform noise when a generator is given."""
    noise = 0.5 if generator is None else torch.rand(values.shape, generator=generator, device=values.device)
    return 2 * (values + noise) / levels - 1


def from_unit(x: Float[Tensor, "*shape"], levels: int) -> Int[Tensor, "*shape"]:
    """Return the level whose cell holds x; values outside [-1, 1] go to the nearest end."""
    return torch.floor((x + 1) * levels / 2).clamp(0, levels - 1).to(torch.int64)
