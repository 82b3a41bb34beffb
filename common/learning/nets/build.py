"""Backbones from settings: a settings class knows how to build its network, and a paper may bring its own.

No class is ever looked up by a name from a file; whoever loads a model says which kinds it may be.
"""

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

import psutil
import torch
from pydantic import Field, PositiveInt
from torch import nn

from common.errors import SettingsError
from common.learning.nets.mlp import ResidualMLP, parameter_count
from common.learning.nets.unet import UNet
from common.runs.settings import Settings

Built = TypeVar("Built")


class Backbone(Settings):
    """Base of every backbone's settings; a subclass fixes `kind` and says how its network is built."""

    kind: str = Field(description="kind of network")

    def build(self, shape: tuple[int, ...]) -> nn.Module:
        """Return an untrained `net(x, t)` for samples of `shape`; raise `SettingsError` where the two do not fit."""
        raise NotImplementedError(f"{type(self).__name__} must say how its network is built")


class MLPSettings(Backbone):
    """A residual multilayer perceptron."""

    kind: Literal["mlp"] = "mlp"
    width: PositiveInt = Field(description="units per layer")
    blocks: PositiveInt = Field(description="residual blocks of two layers")
    embedding: PositiveInt = Field(default=64, multiple_of=2, description="size of the time embedding")

    def build(self, shape: tuple[int, ...]) -> nn.Module:
        """Return an untrained network; any shape will do."""
        return ResidualMLP(shape, self.width, self.blocks, self.embedding)


class UNetSettings(Backbone):
    """A U-Net with attention."""

    kind: Literal["unet"] = "unet"
    channels: PositiveInt = Field(multiple_of=2, description="features at full resolution")
    multipliers: tuple[PositiveInt, ...] = Field(min_length=1, description="features per resolution, in units of `channels`")
    blocks: PositiveInt = Field(description="residual blocks per resolution")
    attention: tuple[PositiveInt, ...] = Field(default=(), description="resolutions (heights) with self-attention")
    head_channels: PositiveInt = Field(default=64, description="channels of one attention head")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="dropout inside residual blocks")
    resample: Literal["residual", "convolution"] = Field(
        default="residual", description="where the resolution changes: inside a residual block, or in a convolution"
    )

    def build(self, shape: tuple[int, ...]) -> nn.Module:
        """Return an untrained network for images."""
        if len(shape) != 3:
            raise SettingsError(f"backbone.kind: a U-Net needs images, but samples have shape {list(shape)}; use kind: mlp")
        return UNet(shape, **self.model_dump(exclude={"kind"}))


COMMON: tuple[type[Backbone], ...] = (MLPSettings, UNetSettings)
BackboneSettings = Annotated[MLPSettings | UNetSettings, Field(discriminator="kind")]


def check_fits(settings: Backbone, shape: tuple[int, ...]) -> None:
    """Raise `SettingsError` unless the network can be built for samples of `shape`, and be trained in this machine's memory.

    Takes neither memory nor time.
    """
    try:
        with torch.device("meta"):
            count = parameter_count(build_backbone(settings, shape, seed=0))
    except RuntimeError as error:
        raise SettingsError(f"backbone: no machine can hold this network ({error}); make it smaller") from None
    # weights, gradients, Adam's two moments, average: float32
    needed, there = 20 * count / 2**30, psutil.virtual_memory().total / 2**30
    if needed > there:
        raise SettingsError(
            f"backbone: training this network of {count:.3g} parameters takes {needed:.3g} GiB of memory, and this machine has "
            f"{there:.3g}; make it smaller"
        )


def seeded(seed: int, build: Callable[[], Built]) -> Built:
    """Return what `build()` makes, its initial weights depending on the seed alone; the global random state is as it was.

    torch's initialisers take no generator, so the global one is seeded for their sake and put back.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def build_backbone(settings: Backbone, shape: tuple[int, ...], *, seed: int) -> nn.Module:
    """Return an untrained network whose initial weights depend on the seed alone; the global random state is left as it was.

    Raises `SettingsError` where the settings do not fit the shape.
    """
    return seeded(seed, lambda: settings.build(shape))
