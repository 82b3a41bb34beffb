"""Linear layers that know the time: at any one time, an affine map of h.

    concatsquash    (W h + b) * sigmoid(w_g t + b_g) + w_s t      gate and shift elementwise over the outputs
    concat          W [t; h] + b = W_h h + b + w_t t              no gate

The paper's text says that the time is concatenated everywhere (Section 4); the authors' scripts for flat data take concatsquash.

Both are (W h + b) * gate(t) + shift t, which is all that `chain.py` needs to know of them.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

LayerName = Literal["concatsquash", "concat"]


class Parts(NamedTuple):
    """A layer as (W h + b) * sigmoid(gate_slope t + gate_bias) + shift t; without a gate both of its parts are None."""

    weight: Float[Tensor, "outputs inputs"]
    bias: Float[Tensor, " outputs"]
    shift: Float[Tensor, " outputs"]
    gate_slope: Float[Tensor, " outputs"] | None
    gate_bias: Float[Tensor, " outputs"] | None


class ConcatSquash(nn.Module):
    """A linear layer whose outputs are scaled by a gate between 0 and 1 and shifted, both by the time."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear, self.gate = nn.Linear(inputs, outputs), nn.Linear(1, outputs)
        self.shift = nn.Linear(1, outputs, bias=False)

    def forward(self, t: Float[Tensor, "*one"], h: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """Return the layer's value; t is the time of all, or [batch], of each."""
        t = t.reshape(-1, 1)
        return self.linear(h) * torch.sigmoid(self.gate(t)) + self.shift(t)

    def parts(self) -> Parts:
        """Return the layer's parameters by their places in the affine map."""
        gate = self.gate.weight.squeeze(1), self.gate.bias
        return Parts(self.linear.weight, self.linear.bias, self.shift.weight.squeeze(1), *gate)


class Concat(nn.Module):
    """A linear layer with the time as its first input."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(1 + inputs, outputs)

    def forward(self, t: Float[Tensor, "*one"], h: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """Return the layer's value; t is the time of all, or [batch], of each."""
        return self.linear(torch.cat([t.reshape(-1, 1).expand(len(h), 1), h], 1))

    def parts(self) -> Parts:
        """Return the layer's parameters by their places in the affine map."""
        weight = self.linear.weight
        return Parts(weight[:, 1:], self.linear.bias, weight[:, 0], None, None)


TimedLayer = ConcatSquash | Concat
LAYERS: dict[LayerName, type[TimedLayer]] = {"concatsquash": ConcatSquash, "concat": Concat}
