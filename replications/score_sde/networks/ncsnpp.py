"""DDPM, DDPM++ and NCSN++ (Song 2021, appendix H) as one U-Net and its options.

Resolution by resolution the maps go down through residual blocks, every block's maps being kept; through the middle; and up
again, each block being given the maps kept at its own place. Beside them a second path may lead the image down, or the output up
(progressive.py).

The output is `net(x, t)` as it leaves the last convolution: the noise, if common's Denoiser is told `prediction: noise`. The
official models for the VE path go one step further and divide it by sigma(t), taken from their input or their own table, so that
they answer with the score; there the convolution's result is minus the noise. Denoiser does that division, with the path's sigma
and its sign, and checkpoint.py turns the sign of what it reads. On the VP and sub-VP paths the official models predict the noise.

Time comes as `t: steps` of a thousand or as a level's `index` (`embedding: sinusoidal`), or as `log_sigma` (`fourier`).
"""

from functools import partial
from typing import Literal

from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from common.errors import SettingsError
from common.learning.nets.build import Backbone
from replications.score_sde.networks.attention import Attention
from replications.score_sde.networks.blocks import NOTHING, Direction, Resample, ResidualBlock, conv, linear, norm
from replications.score_sde.networks.embeddings import FourierEmbedding, StepEmbedding
from replications.score_sde.networks.fir import Maps
from replications.score_sde.networks.progressive import InputSkip, OutputSkip, OutputStart, PathResidual
from replications.score_sde.networks.stages import Attended, DownStage, UpStage


class NCSNppSettings(Backbone):
    """A network of score SDE; published.py has those of the paper."""

    kind: Literal["ncsnpp"] = "ncsnpp"
    channels: PositiveInt = Field(multiple_of=4, description="features at full resolution, in units of which the others count")
    multipliers: tuple[PositiveInt, ...] = Field(min_length=1, description="features per resolution, in units of `channels`")
    blocks: PositiveInt = Field(description="residual blocks per resolution on the way down; one more on the way up")
    block: Literal["ddpm", "biggan"] = Field(
        default="biggan", description="where the resolution changes: between the residual blocks, or inside one of its own"
    )
    rescale: bool = Field(default=True, description="sums of two branches are divided by sqrt(2)")
    fir: bool = Field(default=True, description="the resolution changes through the filter [1, 3, 3, 1]; false = plain means")
    resample_conv: bool = Field(
        default=True, description="between blocks the resolution changes with a convolution (block: ddpm)"
    )
    input: Literal["none", "residual", "input_skip"] = Field(default="none", description="path of the image beside the way down")
    output: Literal["none", "output_skip", "residual"] = Field(default="none", description="path of the output beside the way up")
    join: Literal["sum", "cat"] = Field(default="sum", description="how the image joins the maps (input: input_skip)")
    attention: tuple[PositiveInt, ...] = Field(default=(), description="resolutions (heights) with self-attention")
    embedding: Literal["sinusoidal", "fourier"] = Field(description="of steps or indices, or of log sigma")
    fourier_scale: PositiveFloat = Field(default=16.0, description="standard deviation of the Fourier frequencies")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="dropout inside residual blocks")
    centred: bool = Field(default=True, description="pixels are in [-1, 1]; false = in [0, 1], and the network centres them")

    def build(self, shape: tuple[int, ...]) -> nn.Module:
        """Return an untrained network for images whose sides can be halved as often as the multipliers ask."""
        if len(shape) != 3:
            raise SettingsError(f"backbone.kind: NCSN++ needs images, but samples have shape {list(shape)}; use kind: mlp")
        halvings = len(self.multipliers) - 1
        if any(side % 2**halvings for side in shape[1:]):
            raise SettingsError(
                f"backbone.multipliers: {len(self.multipliers)} resolutions halve images of {list(shape[1:])} pixels {halvings} "
                "times, which leaves a remainder; take fewer, or kind: unet"
            )
        heights = [shape[1] // 2**k for k in range(len(self.multipliers))]
        if unknown := set(self.attention) - set(heights):
            raise SettingsError(f"backbone.attention: no resolution has height {sorted(unknown)}; the heights are {heights}")
        return NCSNpp(self, shape[0], heights)


class NCSNpp(nn.Module):
    """`net(x, t)` for images of `image` channels, with maps of these `heights`."""

    def __init__(self, settings: NCSNppSettings, image: int, heights: list[int]) -> None:
        super().__init__()
        self.centred, nf, time = settings.centred, settings.channels, 4 * settings.channels
        if settings.embedding == "fourier":
            embedding: nn.Module = FourierEmbedding(2 * nf, settings.fourier_scale)
        else:
            embedding = StepEmbedding(nf)
        inputs = 2 * nf if settings.embedding == "fourier" else nf
        self.embed = nn.Sequential(embedding, linear(inputs, time), nn.SiLU(), linear(time, time), nn.SiLU())
        self.enter = conv(image, nf)

        branches = {"rescale": settings.rescale, "fir": settings.fir}
        block = partial(ResidualBlock, embedding=time, dropout=settings.dropout, kind=settings.block, **branches)
        attention = partial(Attention, rescale=settings.rescale)

        def attended(height: int, channels: int) -> Attention | None:
            return attention(channels) if height in settings.attention else None

        def change(channels: int, direction: Direction) -> nn.Module:
            if settings.block == "biggan":
                return block(channels, channels, direction=direction)
            return Resample(channels, channels, direction, fir=settings.fir, convolve=settings.resample_conv)

        def way_in(beside: int, channels: int) -> nn.Module | None:
            if settings.input == "input_skip":
                return InputSkip(image, channels, join=settings.join, fir=settings.fir)
            return PathResidual(beside, channels, "down", **branches) if settings.input == "residual" else None

        def way_out(beside: int | None, channels: int) -> nn.Module | None:
            if settings.output == "output_skip":
                return OutputSkip(channels, image, fir=settings.fir)
            if settings.output == "residual":
                return PathResidual(beside, channels, "up", **branches) if beside else OutputStart(channels)
            return None

        widths = [nf * multiplier for multiplier in settings.multipliers]
        lowest = len(widths) - 1
        self.down = nn.ModuleList()
        channels, beside, kept = nf, image, [nf]
        for k, (height, width) in enumerate(zip(heights, widths)):
            blocks = []
            for _ in range(settings.blocks):
                blocks.append(Attended(block(channels, width), attended(height, width)))
                kept.append(channels := width)
            halve, into = (change(width, "down"), way_in(beside, width)) if k < lowest else (None, None)
            self.down.append(DownStage(blocks, halve, into))
            if k < lowest:
                joined = settings.input == "input_skip" and settings.join == "cat"
                channels, beside = 2 * width if joined else width, width
                kept.append(channels)

        self.middle = nn.ModuleList(
            [Attended(block(channels, channels), attention(channels)), Attended(block(channels, channels), None)]
        )

        self.up = nn.ModuleList()
        below: int | None = None
        for k, (height, width) in reversed(list(enumerate(zip(heights, widths)))):
            blocks = []
            for _ in range(settings.blocks + 1):
                blocks.append(block(channels + kept.pop(), width))
                channels = width
            out, double = way_out(below, width), change(width, "up") if k else None
            self.up.append(UpStage(blocks, attended(height, width), out, double))
            below = width
        self.leave = None
        if settings.output != "output_skip":
            self.leave = nn.Sequential(norm(widths[0]), nn.SiLU(), conv(widths[0], image, scale=NOTHING))

    def forward(self, x: Maps, t: Float[Tensor, " times"]) -> Maps:
        """Return the network's output, of x's shape; t is each sample's, or [1], that of all."""
        emb = self.embed(t)
        path = x if self.centred else 2 * x - 1
        kept = [self.enter(path)]
        for stage in self.down:
            maps, path = stage(kept[-1], path, emb)
            kept += maps
        h, path = kept[-1], None
        for block in self.middle:
            h = block(h, emb)
        for stage in self.up:
            h, path = stage(h, kept, path, emb)
        return path if self.leave is None else self.leave(h)
