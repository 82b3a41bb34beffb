"""Convolutional fields dz/dt = f(t, z) for images, and their divergence by tangents (Grathwohl 2019, Sections 3.1 and 4.2).

Every convolution sees the time as one more, constant, channel. Its part of the result is the same for all images, so it is
computed once, for one image, and added: W * [t; h] + b = W_h * h + (W_t * t + b).

Layers a_l = W_l * [t; h_{l-1}] + b_l with h_l = softplus(a_l) between them know their derivative: a tangent of h_l is that of
h_{l-1} after W_l, times sigmoid(a_l). Hutchinson's estimate e^T J e takes one tangent that starts at e. Unlike a vector-Jacobian
product it can be trained through without differentiating a gradient, at the same value. A tangent that starts between two layers
and goes once round the chain estimates the trace of the same factors in another cyclic order: the bottleneck trick (eq. 9).
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Maps = Float[Tensor, "batch channels y x"]
NewMaps = Float[Tensor, "batch out new_y new_x"]
Resampling = Literal["none", "halve", "double"]
GRID = {"none": 1.0, "halve": 0.5, "double": 2.0}


class TimeConvolution(nn.Module):
    """A convolution of maps and a constant channel t: 3x3 on the same grid, 4x4 where it halves or (transposed) doubles it."""

    def __init__(self, inputs: int, outputs: int, resample: Resampling = "none") -> None:
        super().__init__()
        kernel, stride = (3, 1) if resample == "none" else (4, 2)
        kind, apply, axis = (nn.Conv2d, F.conv2d, 1) if resample != "double" else (nn.ConvTranspose2d, F.conv_transpose2d, 0)
        whole = kind(inputs + 1, outputs, kernel)
        time, state = whole.weight.detach().split([1, inputs], dim=axis)
        self.time, self.state, self.bias = nn.Parameter(time.clone()), nn.Parameter(state.clone()), whole.bias
        self.outputs, self.grid = outputs, GRID[resample]
        self.apply_weight = partial(apply, stride=stride, padding=1)

    def forward(self, t: Float[Tensor, ""], h: Maps) -> NewMaps:
        """Return the convolution of [t; h]."""
        return self.linear(h) + self.apply_weight(t.to(h).expand(1, 1, *h.shape[2:]), self.time, self.bias)

    def linear(self, h: Maps) -> NewMaps:
        """Return what of the result depends on h; it is the derivative, applied to h."""
        return self.apply_weight(h, self.state)


class ConvolutionalField(nn.Module):
    """A chain of time-conditioned convolutions, softplus between them; tangents start after `traced_after` of the layers."""

    def __init__(self, layers: Sequence[TimeConvolution], traced_after: int = 0) -> None:
        super().__init__()
        self.layers, self.traced_after = nn.ModuleList(layers), traced_after

    def forward(self, t: Float[Tensor, ""], z: Maps) -> Maps:
        """Return dz/dt."""
        return self.evaluated(t, z)[0]

    def evaluated(self, t: Float[Tensor, ""], z: Maps) -> tuple[Maps, list[Tensor]]:
        """Return dz/dt and the preactivations a_l of all layers but the last, whose value it is."""
        inner, h = [], z
        for layer in self.layers[:-1]:
            inner.append(layer(t, h))
            h = F.softplus(inner[-1])
        return self.layers[-1](t, h), inner

    def around(self, tangent: Maps, inner: Sequence[Tensor]) -> Maps:
        """Return what a tangent is after all layers, the first of them that after which it starts."""
        count = len(self.layers)
        for i in ((self.traced_after + k) % count for k in range(count)):
            tangent = self.layers[i].linear(tangent)
            tangent = tangent * torch.sigmoid(inner[i]) if i < count - 1 else tangent
        return tangent

    def traced_maps(self, z: Maps) -> NewMaps:
        """Return maps of the shape at which tangents start, their values undefined."""
        shape = list(z.shape)
        for layer in self.layers[: self.traced_after]:
            shape[1:] = layer.outputs, *(int(side * layer.grid) for side in shape[2:])
        return z.new_empty(shape)


def same_grid(channels: int, widths: Sequence[int]) -> ConvolutionalField:
    """Return a field of len(widths) + 1 convolutions on one grid: widths 64, 64 in the paper, a third in the authors' recipe."""
    return ConvolutionalField([TimeConvolution(*sizes) for sizes in zip((channels, *widths), (*widths, channels))])


def encoder_decoder(channels: int, widths: Sequence[int], *, bottleneck: bool = False) -> ConvolutionalField:
    """Return the single-scale field: convolutions of these widths (the paper's 64, 64, 128, 128), every second one halving the
    grid, and their mirror image of transposed ones. With `bottleneck`, traces are taken between the two.
    """
    down = list(zip((channels, *widths), widths, ("none", "halve") * len(widths)))
    up = [(outputs, inputs, "none" if resample == "none" else "double") for inputs, outputs, resample in reversed(down)]
    return ConvolutionalField([TimeConvolution(*each) for each in down + up], len(down) if bottleneck else 0)
