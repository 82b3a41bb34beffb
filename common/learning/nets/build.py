"""Backbones from settings. The initial weights depend on the seed alone."""

from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveInt
from torch import nn

from common.errors import SettingsError
from common.learning.nets.mlp import ResidualMLP
from common.learning.nets.unet import UNet
from common.runs.settings import Settings


class MLPSettings(Settings):
    """A residual multilayer perceptron."""

    kind: Literal["mlp"] = "mlp"
    width: PositiveInt = Field(description="units per layer")
    blocks: PositiveInt = Field(description="residual blocks of two layers")
    embedding: PositiveInt = Field(default=64, multiple_of=2, description="size of the time embedding")


class UNetSettings(Settings):
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


BackboneSettings = Annotated[MLPSettings | UNetSettings, Field(discriminator="kind")]


def check_fits(settings: MLPSettings | UNetSettings, shape: tuple[int, ...]) -> None:
    """Raise `SettingsError` unless the network can be built for samples of `shape`; takes neither memory nor time."""
    with torch.device("meta"):
        build_backbone(settings, shape, seed=0)


def build_backbone(settings: MLPSettings | UNetSettings, shape: tuple[int, ...], *, seed: int) -> nn.Module:
    """Return an untrained network for samples of `shape`; the global random state is left as it was.

    Raises `SettingsError` where the settings do not fit the shape.
    """
    with torch.random.fork_rng(devices=[]):
        # torch's initialisers take no generator, so the global one is seeded for their sake and put back
        torch.manual_seed(seed)
        if isinstance(settings, MLPSettings):
            return ResidualMLP(shape, settings.width, settings.blocks, settings.embedding)
        if len(shape) != 3:
            raise SettingsError(f"backbone.kind: a U-Net needs images, but samples have shape {list(shape)}; use kind: mlp")
        return UNet(
            shape,
            settings.channels,
            settings.multipliers,
            settings.blocks,
            settings.attention,
            settings.head_channels,
            settings.dropout,
            settings.resample,
        )
