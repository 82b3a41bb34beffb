"""Time embeddings: a scalar time in [0, 1] as a vector of sines and cosines."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SinusoidalEmbedding(nn.Module):
    """Sines and cosines at geometrically spaced frequencies, 1 to `fastest` radians per unit of time."""

    def __init__(self, dim: int, fastest: float = 1000.0) -> None:
        super().__init__()
        exponents = torch.linspace(0, 1, dim // 2)
        self.register_buffer("frequencies", torch.exp(exponents * math.log(fastest)), persistent=False)

    def forward(self, t: Float[Tensor, " times"]) -> Float[Tensor, "times dim"]:
        """Return [cos(w t), sin(w t)]."""
        angles = t[:, None] * self.frequencies
        return torch.cat([angles.cos(), angles.sin()], 1)


class FourierEmbedding(nn.Module):
    """Random Fourier features (Tancik 2020, as in score SDE): frequencies 2 pi N(0, scale^2), fixed at initialisation."""

    def __init__(self, dim: int, scale: float = 16.0) -> None:
        super().__init__()
        # part of the weights: a loaded model must have the frequencies that it was trained with
        self.register_buffer("frequencies", 2 * math.pi * scale * torch.randn(dim // 2))

    def forward(self, t: Float[Tensor, " times"]) -> Float[Tensor, "times dim"]:
        """Return [cos(w t), sin(w t)]."""
        angles = t[:, None] * self.frequencies
        return torch.cat([angles.cos(), angles.sin()], 1)
