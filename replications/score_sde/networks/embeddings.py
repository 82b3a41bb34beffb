"""What the network is told of the noise: a time step or the logarithm of sigma, as sines and cosines."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

Embedded = Float[Tensor, "times dim"]


class StepEmbedding(nn.Module):
    """Sines and cosines of a step in a thousand, or of a noise level's index, at frequencies from 1 down to 1/10000 (Ho 2020)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.half = dim // 2

    def forward(self, t: Float[Tensor, " times"]) -> Embedded:
        """Return [sin(w t), cos(w t)]."""
        exponents = torch.arange(self.half, dtype=t.dtype, device=t.device) / (self.half - 1)
        return _waves(t[:, None] * torch.exp(-math.log(10000) * exponents))


class FourierEmbedding(nn.Module):
    """Sines and cosines of ln sigma at `dim`/2 random frequencies w ~ N(0, scale^2), which no training moves (Tancik 2020)."""

    def __init__(self, dim: int, scale: float) -> None:
        super().__init__()
        # part of the weights: a loaded network must have the frequencies that it was trained with
        self.register_buffer("frequencies", scale * torch.randn(dim // 2))

    def forward(self, t: Float[Tensor, " times"]) -> Embedded:
        """Return [sin(2 pi w t), cos(2 pi w t)]."""
        # phases are hundreds of radians; multiplied in the official model's order, float32 rounds them as it does there
        return _waves(t[:, None] * self.frequencies * 2 * math.pi)


def _waves(phases: Tensor) -> Tensor:
    return torch.cat([phases.sin(), phases.cos()], 1)
