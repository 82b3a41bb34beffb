"""Layers whose weights move with the image: those of the field of an amortised flow (FFJORD, Section 4.3).

    low rank    (W + U(x) V(x)^T) h + w t + b + b(x)     W, w, b shared; U, V, b linear in the encoder's feature
    full        W(x) h + w(x) t + b(x)                   a hypernetwork: everything is linear in the feature

All of it stays the same during a solve and is computed once, before it: also W + U V^T, where its product with h costs less than
those with W, U and V.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

SMALL = 4  # a weight of so many times the numbers of U and V is still worth adding up: fewer products, each with a call's cost


class Layer(NamedTuple):
    """An affine layer for a batch of images; what is shared has no batch dimension. No `left` and `right` at rank 0."""

    weight: Float[Tensor, "*batch outputs inputs"]
    time: Float[Tensor, "*batch 1 outputs"]
    shift: Float[Tensor, "batch_or_1 1 outputs"]
    left: Float[Tensor, "batch outputs rank"] | None = None
    right: Float[Tensor, "batch inputs rank"] | None = None

    def linear(self, h: Float[Tensor, "batch rows inputs"], shift: Tensor | None = None) -> Float[Tensor, "batch rows outputs"]:
        """Return (W + U V^T) h of every row, plus `shift`."""
        if shift is not None and self.weight.ndim == 3:
            return torch.baddbmm(shift, h, self.weight.mT)
        moved = h @ self.weight.mT if shift is None else torch.add(h @ self.weight.mT, shift)
        return moved if self.left is None else torch.baddbmm(moved, h @ self.right, self.left.mT)

    def transposed(self, g: Float[Tensor, "batch rows outputs"]) -> Float[Tensor, "batch rows inputs"]:
        """Return (W + U V^T)^T g of every row."""
        moved = g @ self.weight
        return moved if self.left is None else torch.baddbmm(moved, g @ self.left, self.right.mT)

    def at(self, t: Float[Tensor, "*times"], h: Float[Tensor, "batch rows inputs"]) -> Float[Tensor, "batch rows outputs"]:
        """Return the layer's output at time t, one for all or [rows, 1], one for each."""
        return self.linear(h, torch.addcmul(self.shift, self.time, t))

    def merged(self) -> "Layer":
        """Return the layer with W + U V^T for its weight if that is small beside U and V, otherwise itself."""
        if self.left is None:
            return self
        outputs, inputs = self.weight.shape
        if outputs * inputs > SMALL * (outputs + inputs) * self.left.shape[2]:
            return self
        # stored with the longer side last, which products with few rows like
        if outputs > inputs:
            weight = torch.baddbmm(self.weight.mT, self.right, self.left.mT).mT
        else:
            weight = torch.baddbmm(self.weight, self.left, self.right.mT)
        return Layer(weight, self.time, self.shift)

    def aliased(self) -> "Layer":
        """Return the same layer of tensors that stand for these in a graph."""
        return Layer(*(None if part is None else part.view_as(part) for part in self))

    def tensors(self) -> list[Tensor]:
        """Return everything that the layer's output depends on beside t and h."""
        return [part for part in self if part is not None]


class LowRankLayers(nn.Module):
    """Shared layers of the given widths and, for a rank above 0, what the feature adds to them."""

    def __init__(self, widths: Sequence[int], features: int, rank: int) -> None:
        super().__init__()
        self.pairs, self.rank = list(pairwise(widths)), rank
        # the last column takes time
        self.shared = nn.ModuleList(nn.Linear(inputs + 1, outputs) for inputs, outputs in self.pairs)
        self.sizes = [size for i, o in self.pairs for size in (o * rank, i * rank, o)] if rank else []
        self.amortised = nn.Linear(features, sum(self.sizes)) if rank else None

    def forward(self, feature: Float[Tensor, "batch features"]) -> list[Layer]:
        """Return the layers of a batch of images."""
        layers = [Layer(each.weight[:, :-1], each.weight[:, -1:].mT, each.bias[None, None]) for each in self.shared]
        if self.amortised is None:
            return layers
        own = iter(self.amortised(feature).split(self.sizes, 1))
        return [
            layer._replace(
                left=next(own).unflatten(1, (-1, self.rank)),
                right=next(own).unflatten(1, (-1, self.rank)),
                shift=layer.shift + next(own)[:, None],
            ).merged()
            for layer in layers
        ]


class FullLayers(nn.Module):
    """Layers that are the feature's alone; at the start they are those of shared layers, moved by a part of that size."""

    def __init__(self, widths: Sequence[int], features: int) -> None:
        super().__init__()
        self.pairs = list(pairwise(widths))
        self.sizes = [size for i, o in self.pairs for size in (o * i, o, o)]
        self.amortised = nn.Linear(features, sum(self.sizes))
        with torch.no_grad():
            parts = zip(self.pairs, self.amortised.weight.split([o * (i + 2) for i, o in self.pairs]))
            for (inputs, _), part in parts:
                part.mul_((inputs + 1) ** -0.5)
            starts = [nn.Linear(i + 1, o) for i, o in self.pairs]
            flat = [[each.weight[:, :-1].flatten(), each.weight[:, -1], each.bias] for each in starts]
            self.amortised.bias.copy_(torch.cat([part for layer in flat for part in layer]))

    def forward(self, feature: Float[Tensor, "batch features"]) -> list[Layer]:
        """Return the layers of a batch of images."""
        own = iter(self.amortised(feature).split(self.sizes, 1))
        return [
            Layer(next(own).unflatten(1, (outputs, inputs)), next(own)[:, None], next(own)[:, None])
            for inputs, outputs in self.pairs
        ]
