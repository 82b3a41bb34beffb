"""Convolutional fields dz/dt = f(t, z) for images, and their divergence by one tangent (Grathwohl 2019, Sections 3.1 and 4.2).

Every convolution sees the time as one more, constant, channel. Its part of the result is the same for all images, so it is
computed once, for one image, and added: W * [t; h] + b = W_h * h + (W_t * t + b).

A chain of such layers knows its derivative: the tangent of h is W_h * dh, times the activation's slope. Hutchinson's estimate
e^T J e takes one tangent that starts at e. Unlike a vector-Jacobian product it can be trained through without differentiating a
gradient, at the same value.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from common.dynamics.divergence import DivergenceField

Maps = Float[Tensor, "batch channels y x"]
NewMaps = Float[Tensor, "batch out new_y new_x"]
Tangent = Callable[[Tensor], Tensor]
Resampling = Literal["none", "halve", "double"]


class TimeConvolution(nn.Module):
    """A convolution of the maps and a constant channel t: 3x3 on the same grid, 4x4 where it halves or (transposed) doubles it."""

    def __init__(self, inputs: int, outputs: int, resample: Resampling = "none") -> None:
        super().__init__()
        kernel, stride = (3, 1) if resample == "none" else (4, 2)
        kind, apply, axis = (nn.Conv2d, F.conv2d, 1) if resample != "double" else (nn.ConvTranspose2d, F.conv_transpose2d, 0)
        whole = kind(inputs + 1, outputs, kernel)
        time, state = whole.weight.detach().split([1, inputs], dim=axis)
        self.time, self.state, self.bias = nn.Parameter(time.clone()), nn.Parameter(state.clone()), whole.bias
        self.apply_weight = partial(apply, stride=stride, padding=1)

    def forward(self, t: Float[Tensor, ""], h: Maps) -> NewMaps:
        """Return the convolution of [t; h]."""
        return self.linear(h) + self.apply_weight(t.to(h).expand(1, 1, *h.shape[2:]), self.time, self.bias)

    def linear(self, h: Maps) -> NewMaps:
        """Return what of the result depends on h; it is the derivative, applied to h."""
        return self.apply_weight(h, self.state)


class Chain(nn.Module):
    """Time-conditioned convolutions with softplus between them, and after the last one too if `active_end`."""

    def __init__(self, layers: Sequence[TimeConvolution], *, active_end: bool = False) -> None:
        super().__init__()
        self.layers, self.active = nn.ModuleList(layers), len(layers) if active_end else len(layers) - 1

    def forward(self, t: Float[Tensor, ""], h: Maps) -> NewMaps:
        """Return the last layer's maps."""
        for number, layer in enumerate(self.layers):
            h = layer(t, h)
            h = F.softplus(h) if number < self.active else h
        return h

    def linearised(self, t: Float[Tensor, ""], h: Maps) -> tuple[NewMaps, Tangent]:
        """Return the last layer's maps and the derivative there, a function from a tangent of h to one of the result."""
        slopes = []
        for number, layer in enumerate(self.layers):
            h = layer(t, h)
            if number < self.active:
                slopes.append(torch.sigmoid(h))
                h = F.softplus(h)
        return h, partial(self._tangent, slopes)

    def _tangent(self, slopes: Sequence[Tensor], v: Maps) -> NewMaps:
        for number, layer in enumerate(self.layers):
            v = layer.linear(v)
            v = v * slopes[number] if number < self.active else v
        return v


class EncoderDecoder(nn.Module):
    """Two chains, one down to a small grid and one back."""

    def __init__(self, encoder: Chain, decoder: Chain) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, t: Float[Tensor, ""], z: Maps) -> Maps:
        """Return dz/dt."""
        return self.decoder(t, self.encoder(t, z))

    def linearised(self, t: Float[Tensor, ""], z: Maps) -> tuple[Maps, Tangent]:
        """Return dz/dt and its derivative in z."""
        h, down = self.encoder.linearised(t, z)
        value, up = self.decoder.linearised(t, h)
        return value, lambda v: up(down(v))


def same_grid(channels: int, widths: Sequence[int]) -> Chain:
    """Return a field of len(widths) + 1 convolutions on one grid; the paper's has widths 64, 64, its authors' recipe 64, 64, 64."""
    return Chain([TimeConvolution(*sizes) for sizes in zip((channels, *widths), (*widths, channels))])


def encoder_decoder(channels: int, widths: Sequence[int]) -> EncoderDecoder:
    """Return the single-scale field: convolutions of these widths (the paper's 64, 64, 128, 128), every second one halving the
    grid, and their mirror image of transposed ones.
    """
    sizes = list(zip((channels, *widths), widths, ("none", "halve") * len(widths)))
    mirrored = [(outputs, inputs, "none" if resample == "none" else "double") for inputs, outputs, resample in reversed(sizes)]
    encoder = Chain([TimeConvolution(*each) for each in sizes], active_end=True)
    return EncoderDecoder(encoder, Chain([TimeConvolution(*each) for each in mirrored]))


def with_probe(field: nn.Module, probe: Float[Tensor, "batch channels y x"]) -> DivergenceField:
    """Return a field that gives Hutchinson's estimate e^T J e beside its value, by the one probe of a solve (eq. 8).

    `field` is a `Chain` or an `EncoderDecoder`: any field with a method `linearised`.
    """

    def both(t: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        value, derivative = field.linearised(t, z)
        return value, (probe * derivative(probe)).flatten(1).sum(1)

    return both


def with_bottleneck_probe(field: EncoderDecoder, probe: Float[Tensor, "batch channels y x"]) -> DivergenceField:
    """Return the same with a probe of the encoder's maps h, which are fewer: the trace of J_g J_h is that of J_h J_g (eq. 9)."""

    def both(t: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        h, down = field.encoder.linearised(t, z)
        value, up = field.decoder.linearised(t, h)
        return value, (probe * down(up(probe))).flatten(1).sum(1)

    return both
