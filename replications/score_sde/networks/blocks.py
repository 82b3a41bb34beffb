"""What the networks of score SDE are made of: convolutions with DDPM's initial weights, residual blocks, changes of resolution.

Initial weights are uniform, their variance `scale` over the mean of inputs and outputs of a unit; biases are zero. The last
convolution of a residual branch starts at nearly nothing.
"""

import math
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import SettingsError
from replications.score_sde.networks import fir as filtered
from replications.score_sde.networks.fir import Maps, NewMaps

Direction = Literal["down", "up"]
Embedding = Float[Tensor, "times embedding"]
NOTHING = 1e-10


def conv(channels: int, out: int, *, kernel: int = 3, scale: float = 1.0) -> nn.Conv2d:
    """Return a convolution that keeps the size of its maps."""
    layer = nn.Conv2d(channels, out, kernel, padding=kernel // 2)
    initialise(layer, 2 * scale / (kernel**2 * (channels + out)))
    return layer


def linear(inputs: int, outputs: int) -> nn.Linear:
    """Return a linear layer."""
    layer = nn.Linear(inputs, outputs)
    initialise(layer, 2 / (inputs + outputs))
    return layer


def initialise(layer: nn.Conv2d | nn.Linear, variance: float) -> None:
    """Draw uniform weights of this variance, and no bias."""
    bound = math.sqrt(3 * variance)
    nn.init.uniform_(layer.weight, -bound, bound)
    nn.init.zeros_(layer.bias)


def norm(channels: int) -> nn.GroupNorm:
    """Return a group norm of 32 groups, or of groups of four channels where that makes fewer."""
    groups = min(channels // 4, 32)
    if not groups or channels % groups:
        raise SettingsError(
            f"backbone.channels: maps of {channels} features do not split into {groups or 1} groups of four or more; choose "
            "channels and multipliers whose products and sums are multiples of 4, and of 32 above 128"
        )
    return nn.GroupNorm(groups, channels, eps=1e-6)


def merged(x: Maps, h: Maps, rescale: bool) -> Maps:
    """Return the sum of two branches, over sqrt(2) if asked, which keeps the variance of independent ones."""
    return (x + h) * math.sqrt(0.5) if rescale else x + h


def resampled(x: Maps, direction: Direction, fir: bool) -> NewMaps:
    """Return x at half or double the resolution, through the filter or by means over 2x2 pixels and repetition."""
    if fir:
        return filtered.halved(x) if direction == "down" else filtered.doubled(x)
    return F.avg_pool2d(x, 2) if direction == "down" else F.interpolate(x, scale_factor=2.0, mode="nearest")


class Resample(nn.Module):
    """Half or double the resolution, with a 3x3 convolution or without; with the filter the two are one (`fir`)."""

    def __init__(self, channels: int, out: int, direction: Direction, *, fir: bool, convolve: bool = True) -> None:
        super().__init__()
        self.direction, self.fir = direction, fir
        self.conv = conv(channels, out) if convolve else None

    def forward(self, x: Maps, emb: Embedding | None = None) -> NewMaps:
        """Return the maps at the new resolution; they are not told the time."""
        if self.conv is None:
            return resampled(x, self.direction, self.fir)
        weight, bias = self.conv.weight, self.conv.bias
        if self.fir:
            change = filtered.halved_and_convolved if self.direction == "down" else filtered.doubled_and_convolved
            return change(x, weight, bias)
        if self.direction == "down":
            # zeros below and to the right only
            return F.conv2d(F.pad(x, (0, 1, 0, 1)), weight, bias, stride=2)
        return self.conv(resampled(x, "up", fir=False))


class ResidualBlock(nn.Module):
    """norm - swish - (resample) - conv, plus time - norm - swish - dropout - conv, plus the input.

    A block of the kind "biggan" can change the resolution, of both branches (Brock 2019); one of the kind "ddpm" never does. They
    differ in the initial weights of the shortcut too.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        *,
        embedding: int,
        dropout: float,
        kind: Literal["ddpm", "biggan"],
        rescale: bool,
        fir: bool = False,
        direction: Direction | None = None,
    ) -> None:
        super().__init__()
        self.kind, self.rescale, self.fir, self.direction = kind, rescale, fir, direction
        self.norm1, self.conv1 = norm(channels), conv(channels, out)
        self.time = linear(embedding, out)
        self.norm2, self.conv2 = norm(out), conv(out, out, scale=NOTHING)
        self.dropout = nn.Dropout(dropout)
        shortcut = channels != out or direction is not None
        self.skip = conv(channels, out, kernel=1, scale=0.1 if kind == "ddpm" else 1.0) if shortcut else nn.Identity()

    def forward(self, x: Maps, emb: Embedding) -> NewMaps:
        """Return the block's maps; emb is each sample's time, or that of all, embedded and through the swish."""
        h = F.silu(self.norm1(x))
        if self.direction is not None:
            h, x = resampled(h, self.direction, self.fir), resampled(x, self.direction, self.fir)
        h = self.conv1(h) + self.time(emb)[:, :, None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return merged(self.skip(x), h, self.rescale)
