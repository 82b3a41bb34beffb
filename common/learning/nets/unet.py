"""A U-Net with time conditioning and attention, after the published description of guided diffusion's (Dhariwal & Nichol 2021).

Residual blocks of group norm, SiLU and 3x3 convolutions, the time entering as scale and shift of the second norm; self-attention
at chosen resolutions; down- and up-sampling inside residual blocks, or by convolutions between them.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import SettingsError
from common.learning.nets.embedding import SinusoidalEmbedding

Image = Float[Tensor, "batch channels height width"]


def _norm(channels: int) -> nn.GroupNorm:
    # 32 groups as published from 128 channels on; a small network's groups keep four channels, because a norm of each
    # channel by itself would erase every channel's mean
    groups = 32
    while groups > 1 and (channels % groups or channels // groups < 4):
        groups //= 2
    return nn.GroupNorm(groups, channels)


def _zero(module: nn.Module) -> nn.Module:
    """Start a residual branch at zero, so that the block starts as the identity."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


class ResidualBlock(nn.Module):
    """norm - SiLU - (resample) - conv - norm (scaled and shifted by time) - SiLU - dropout - conv, plus the input."""

    def __init__(self, channels: int, out: int, time: int, dropout: float, resample: str = "") -> None:
        super().__init__()
        self.resample = resample
        self.norm1, self.conv1 = _norm(channels), nn.Conv2d(channels, out, 3, padding=1)
        self.time = nn.Linear(time, 2 * out)
        self.norm2, self.conv2 = _norm(out), _zero(nn.Conv2d(out, out, 3, padding=1))
        self.dropout = nn.Dropout(dropout)
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(
        self, x: Image, emb: Float[Tensor, "times time"], size: tuple[int, int] | None = None
    ) -> Float[Tensor, "batch out new_height new_width"]:
        """Return the block's output; `size` is the size to up-sample to."""
        h = F.silu(self.norm1(x))
        if self.resample:
            h, x = _resample(h, self.resample, size), _resample(x, self.resample, size)
        h = self.conv1(h)
        scale, shift = self.time(emb)[:, :, None, None].chunk(2, dim=1)
        h = F.silu(torch.addcmul(shift, self.norm2(h), 1 + scale))
        return self.skip(x) + self.conv2(self.dropout(h))


def _resample(x: Tensor, how: str, size: tuple[int, int] | None) -> Tensor:
    if how == "down":
        # ceil_mode keeps the last row and column of odd sizes
        return F.avg_pool2d(x, 2, ceil_mode=True)
    return F.interpolate(x, size=size, mode="nearest")


class Resample(nn.Module):
    """Half or double the resolution by a convolution; takes the place of a residual block that does."""

    def __init__(self, channels: int, resample: str) -> None:
        super().__init__()
        self.resample = resample
        self.conv = nn.Conv2d(channels, channels, 3, stride=2 if resample == "down" else 1, padding=1)

    def forward(
        self, x: Image, emb: Float[Tensor, "times time"], size: tuple[int, int] | None = None
    ) -> Float[Tensor, "batch channels new_height new_width"]:
        """Return x at half the resolution, or at `size`; the time embedding is not used."""
        return self.conv(x if self.resample == "down" else _resample(x, "up", size))


class Attention(nn.Module):
    """Multi-head self-attention over the positions of a feature map, plus the input."""

    def __init__(self, channels: int, head_channels: int) -> None:
        super().__init__()
        self.heads = max(1, channels // head_channels)
        if channels % self.heads:
            raise SettingsError(f"backbone.head_channels: {channels} features do not split into heads of {head_channels}")
        self.norm, self.qkv = _norm(channels), nn.Conv2d(channels, 3 * channels, 1)
        self.out = _zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Image) -> Image:
        """Return x plus what its positions attend to."""
        batch, channels, height, width = x.shape
        qkv = self.qkv(self.norm(x)).reshape(batch, 3, self.heads, channels // self.heads, height * width)
        q, k, v = qkv.transpose(-1, -2).unbind(1)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(mixed.transpose(-1, -2).reshape(x.shape))


class _Stage(nn.Module):
    """A residual block or a change of resolution, followed by attention where it is asked for."""

    def __init__(self, block: ResidualBlock | Resample, attention: Attention | None) -> None:
        super().__init__()
        self.block, self.attention = block, attention

    def forward(self, x: Tensor, emb: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        x = self.block(x, emb, size)
        return x if self.attention is None else self.attention(x)


def _heights(height: int, count: int) -> list[int]:
    """Return the height at each of `count` resolutions; odd ones are halved upwards."""
    return [-(-height // 2**halvings) for halvings in range(count)]


class UNet(nn.Module):
    """`net(x, t)` for images [channels, height, width] of any size.

    channels: features at full resolution; multipliers: per resolution; blocks: residual blocks per resolution;
    attention: resolutions (heights) that get self-attention; head_channels: channels of one attention head; resample: change
    the resolution inside a residual block or by a convolution. Raises `SettingsError` where these do not fit the images.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        channels: int,
        multipliers: tuple[int, ...],
        blocks: int,
        attention: tuple[int, ...] = (),
        head_channels: int = 64,
        dropout: float = 0.0,
        resample: Literal["residual", "convolution"] = "residual",
    ) -> None:
        super().__init__()
        resolutions = _heights(shape[1], len(multipliers))
        if unknown := set(attention) - set(resolutions):
            raise SettingsError(f"backbone.attention: no resolution has height {sorted(unknown)}; the heights are {resolutions}")
        time = 4 * channels
        self.embed = nn.Sequential(SinusoidalEmbedding(channels), nn.Linear(channels, time), nn.SiLU(), nn.Linear(time, time))
        self.enter = nn.Conv2d(shape[0], channels, 3, padding=1)

        def stage(c_in: int, c_out: int, resolution: int) -> _Stage:
            block = ResidualBlock(c_in, c_out, time, dropout)
            return _Stage(block, Attention(c_out, head_channels) if resolution in attention else None)

        def change(width: int, how: str) -> _Stage:
            residual = resample == "residual"
            return _Stage(ResidualBlock(width, width, time, dropout, how) if residual else Resample(width, how), None)

        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        width, skips = channels, [channels]
        for level, multiplier in enumerate(multipliers):
            for _ in range(blocks):
                self.down.append(stage(width, multiplier * channels, resolutions[level]))
                width = multiplier * channels
                skips.append(width)
            if level + 1 < len(multipliers):
                self.down.append(change(width, "down"))
                skips.append(width)
        first, last = (ResidualBlock(width, width, time, dropout) for _ in range(2))
        self.middle = nn.ModuleList([_Stage(first, Attention(width, head_channels)), _Stage(last, None)])
        for level, multiplier in reversed(list(enumerate(multipliers))):
            for _ in range(blocks + 1):
                self.up.append(stage(width + skips.pop(), multiplier * channels, resolutions[level]))
                width = multiplier * channels
            if level:
                self.up.append(change(width, "up"))
        self.leave = nn.Sequential(_norm(width), nn.SiLU(), _zero(nn.Conv2d(width, shape[0], 3, padding=1)))

    def forward(self, x: Image, t: Float[Tensor, " times"]) -> Image:
        """Return the network's output, of x's shape; t is each sample's time, or [1], the time of all."""
        emb = F.silu(self.embed(t))
        h = self.enter(x)
        skips = [h]
        for stage in self.down:
            h = stage(h, emb)
            skips.append(h)
        for stage in self.middle:
            h = stage(h, emb)
        for stage in self.up:
            up = stage.block.resample == "up"
            # the next skip has the size to return to, odd sizes included
            h = stage(h, emb, tuple(skips[-1].shape[-2:])) if up else stage(torch.cat([h, skips.pop()], 1), emb)
        return self.leave(h)
