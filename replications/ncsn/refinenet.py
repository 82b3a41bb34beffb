"""The network of NCSN (appendix A): a RefineNet of four cascades (Lin 2017) on a dilated residual network, for noisy images.

Four stages of residual blocks go down: full resolution, half of it, and then dilation 2 and 4 where a classifier would halve it
again. Four refinement blocks come back, each with the maps of its stage and what the block before made of the deeper ones.
InstanceNorm++ stands before the convolutions and poolings, and is the only place where the noise level enters. The output is the
score itself.

Blocks take their norm as `norm(channels)`, a module called with the maps and the noise levels, and their pooling as a function of
the maps; the network takes its stages as a list, from which its refinement blocks follow.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import SettingsError
from common.learning.nets.build import Backbone
from replications.ncsn.instance_norm import InstanceNormPlus

Maps = Float[Tensor, "batch channels height width"]
NewMaps = Float[Tensor, "batch out new_height new_width"]
Level = Int[Tensor, " times"]
Norm = Callable[[int], nn.Module]
Pooling = Callable[[Tensor], Tensor]


def _conv(channels: int, out: int, *, dilation: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=dilation, dilation=dilation, bias=bias)


def _mean_5x5(maps: Tensor) -> Tensor:
    # as a convolution, because F.avg_pool2d takes six to ten times as long on a CPU
    channels = maps.shape[1]
    return F.conv2d(maps, maps.new_full((channels, 1, 5, 5), 1 / 25), padding=2, groups=channels)


class Stage(NamedTuple):
    """Two residual blocks: features of the second, in units of the network's `filters`; whether the first goes down; dilation."""

    multiplier: int
    down: bool = False
    dilation: int = 1

    @property
    def halves(self) -> bool:
        """Whether the resolution is halved."""
        return self.down and self.dilation == 1


STAGES = (Stage(1), Stage(2, down=True), Stage(2, down=True, dilation=2), Stage(2, down=True, dilation=4))


class Chain(nn.ModuleList):
    """Modules one after the other, each of which is told the noise level."""

    def forward(self, x: Maps, level: Level) -> NewMaps:
        """Return what the last one makes."""
        for module in self:
            x = module(x, level)
        return x


class Layer(nn.Module):
    """norm - ELU - 3x3 convolution."""

    def __init__(self, norm: Norm, channels: int, out: int, *, dilation: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.norm, self.conv = norm(channels), _conv(channels, out, dilation=dilation, bias=bias)

    def forward(self, x: Maps, level: Level) -> Float[Tensor, "batch out height width"]:
        """Return maps of the same size."""
        return self.conv(F.elu(self.norm(x, level)))


class ResidualBlock(nn.Module):
    """Two layers, plus the input.

    A block that goes `down` halves the resolution (odd sizes upwards) by means over 2x2 pixels, or, if dilated, keeps it: there
    dilation stands for what subsampling would do.
    """

    def __init__(self, norm: Norm, channels: int, out: int, *, down: bool = False, dilation: int = 1) -> None:
        super().__init__()
        self.halves = down and dilation == 1
        self.layers = Chain([Layer(norm, channels, channels, dilation=dilation), Layer(norm, channels, out, dilation=dilation)])
        if self.halves:
            self.shortcut = nn.Conv2d(channels, out, 1)
        elif down or channels != out:
            self.shortcut = _conv(channels, out, dilation=dilation)
        else:
            self.shortcut = nn.Identity()

    def forward(self, x: Maps, level: Level) -> NewMaps:
        """Return the block's maps."""
        h = self.layers(x, level)
        if self.halves:
            # a 1x1 convolution of means is the mean of 1x1 convolutions
            h, x = (F.avg_pool2d(maps, 2, ceil_mode=True) for maps in (h, x))
        return self.shortcut(x) + h


class ConvUnit(nn.Module):
    """Two layers without biases, plus the input (RefineNet's residual convolution unit)."""

    def __init__(self, norm: Norm, channels: int) -> None:
        super().__init__()
        self.layers = Chain(Layer(norm, channels, channels, bias=False) for _ in range(2))

    def forward(self, x: Maps, level: Level) -> Maps:
        """Return maps of the same shape."""
        return x + self.layers(x, level)


class Fusion(nn.Module):
    """The sum of maps of several resolutions: norm - 3x3 convolution - bilinear to the size of the first - sum."""

    def __init__(self, norm: Norm, channels: Sequence[int], out: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(norm(each) for each in channels)
        self.convs = nn.ModuleList(_conv(each, out) for each in channels)

    def forward(self, several: Sequence[Tensor], level: Level) -> Maps:
        """Return maps of the first one's size."""
        total, *others = [conv(norm(maps, level)) for maps, norm, conv in zip(several, self.norms, self.convs)]
        for maps in others:
            total = total + _bilinear(maps, total.shape[-2:])
        return total


def _bilinear(maps: Tensor, size: torch.Size) -> Tensor:
    if maps.shape[-2:] == size:
        return maps
    # corner pixels stay corner pixels
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=True)


class ChainedPooling(nn.Module):
    """ELU, then plus a pooled and convolved map, plus that one pooled and convolved again.

    NCSN's pooling is a mean over 5x5 pixels, zeros beyond the border counting, where RefineNet takes the maximum.
    """

    def __init__(self, norm: Norm, channels: int, pooling: Pooling = _mean_5x5, stages: int = 2) -> None:
        super().__init__()
        self.pooling = pooling
        self.norms = nn.ModuleList(norm(channels) for _ in range(stages))
        self.convs = nn.ModuleList(_conv(channels, channels, bias=False) for _ in range(stages))

    def forward(self, x: Maps, level: Level) -> Maps:
        """Return maps of the same shape."""
        total = path = F.elu(x)
        for norm, conv in zip(self.norms, self.convs):
            path = conv(self.pooling(norm(path, level)))
            total = total + path
        return total


class RefineBlock(nn.Module):
    """Two units for each input, their fusion, chained pooling, and `units` more units."""

    def __init__(self, norm: Norm, channels: Sequence[int], out: int, units: int = 1, pooling: Pooling = _mean_5x5) -> None:
        super().__init__()
        self.adapt = nn.ModuleList(Chain(ConvUnit(norm, each) for _ in range(2)) for each in channels)
        self.fuse = Fusion(norm, channels, out) if len(channels) > 1 else None
        self.pool = ChainedPooling(norm, out, pooling)
        self.finish = Chain(ConvUnit(norm, out) for _ in range(units))

    def forward(self, several: Sequence[Tensor], level: Level) -> Maps:
        """Return maps of the first one's size."""
        adapted = [adapt(maps, level) for maps, adapt in zip(several, self.adapt)]
        fused = self.fuse(adapted, level) if self.fuse else adapted[0]
        return self.finish(self.pool(fused, level), level)


class RefineNet(nn.Module):
    """`net(x, t)` of images with pixels in [0, 1]; t is the index of the noise level, or nothing without `levels`.

    `refine_norm` stands in the refinement blocks, by default the same InstanceNorm++ as everywhere.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        levels: int | None,
        stages: Sequence[Stage] = STAGES,
        refine_norm: Norm | None = None,
        pooling: Pooling = _mean_5x5,
    ) -> None:
        super().__init__()
        self.levels = levels
        norm = partial(InstanceNormPlus, levels=levels or 1)
        widths = [filters * stage.multiplier for stage in stages]
        self.enter = _conv(channels, filters)
        self.stages = nn.ModuleList(
            Chain(
                [
                    ResidualBlock(norm, before, width, down=stage.down, dilation=stage.dilation),
                    ResidualBlock(norm, width, width, dilation=stage.dilation),
                ]
            )
            for stage, (before, width) in zip(stages, pairwise([filters, *widths]))
        )
        block = partial(RefineBlock, refine_norm or norm, pooling=pooling)
        deepest, *others = reversed(widths)
        # what a block makes has the features of the maps that it is to meet
        self.refine = nn.ModuleList(
            [
                block([deepest], others[0]),
                *(block([width, width], out) for width, out in pairwise(others)),
                block([widths[0], widths[0]], filters, units=3),
            ]
        )
        self.leave = Layer(norm, filters, channels)

    def forward(self, x: Maps, t: Float[Tensor, " times"]) -> Maps:
        """Return the network's output, of x's shape; t is each sample's level, or [1], the level of all."""
        level = t.long() if self.levels else torch.zeros(1, dtype=torch.long, device=t.device)
        h, maps, refined = self.enter(2 * x - 1), [], []
        for stage in self.stages:
            h = stage(h, level)
            maps.append(h)
        for block in self.refine:
            refined = [block([maps.pop(), *refined], level)]
        return self.leave(refined[0], level)


class RefineNetSettings(Backbone):
    """The RefineNet of NCSN; the paper's sizes are 64 filters for MNIST and 128 for CIFAR-10 and CelebA, with 10 levels."""

    kind: Literal["refinenet"] = "refinenet"
    filters: PositiveInt = Field(description="features at full resolution")
    levels: PositiveInt | None = Field(
        default=None, description="number of noise levels; null = a network that is not told the level"
    )

    def build(self, shape: tuple[int, ...]) -> nn.Module:
        """Return an untrained network for images."""
        check_images(shape, STAGES, "use kind: mlp")
        return RefineNet(shape[0], self.filters, self.levels)


def check_images(shape: tuple[int, ...], stages: Sequence[Stage], remedy: str) -> None:
    """Raise `SettingsError`, saying what to do, unless samples are images of which the stages leave more than one pixel."""
    if len(shape) != 3:
        raise SettingsError(f"backbone.kind: a RefineNet needs images, but samples have shape {list(shape)}; use kind: mlp")
    halvings = sum(stage.halves for stage in stages)
    if max(shape[1:]) <= 2**halvings:
        times = f" {halvings} times" if halvings > 1 else ""
        raise SettingsError(
            f"backbone.kind: a RefineNet halves the resolution{times}, and {list(shape)} leaves one pixel; {remedy}"
        )
