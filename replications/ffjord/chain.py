"""A chain of time-conditioned layers with an elementwise function between them: its value and trace in closed form.

    a_l = W_l h_{l-1} + c_l,    h_l = phi(a_l) for l < L,    dz/dt = a_L,    h_0 = z

At one time every layer is one matrix and one vector. A trace is carried forwards beside the value: tangents T, which start as
`seed` at one place of the chain and go once round it,

    T_l = phi'(a_l) * (W_l T_{l-1}),    trace = sum over k and features of seed_k * T_end,k .

The seed makes it exact (unit vectors) or Hutchinson's estimate (one probe); the place at which it starts makes it the trace of
df/dz or of the same factors in another cyclic order, which is the bottleneck trick (eq. 9). No derivative is taken twice when a
loss with the trace in it is differentiated.

Points stand in the last dimension, where products with few features are fastest. tanh(a) = 2 sigmoid(2 a) - 1, and a sigmoid
costs a CPU a quarter of a tanh: the factors go into the weights.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from replications.ffjord.layers import TimedLayer

Nonlinearity = Literal["tanh", "softplus", "silu"]
NONLINEARITIES: dict[Nonlinearity, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "softplus": nn.functional.softplus,
    "silu": nn.functional.silu,
}


class Seed(NamedTuple):
    """Where tangents start: after so many layers (0: at z), and which; no vectors, no trace."""

    after: int
    vectors: Float[Tensor, "tangents features batch"]


class Affine(NamedTuple):
    """A layer at several times."""

    weight: Float[Tensor, "times outputs inputs"]
    bias: Float[Tensor, "times outputs 1"]


class Chain(NamedTuple):
    """The layers' parameters, with a tanh's factors in them, and the vectors of all layers one after another."""

    nonlinearity: Nonlinearity
    weights: tuple[Float[Tensor, "outputs inputs"], ...]
    bias: Float[Tensor, " all_outputs"]
    shift: Float[Tensor, " all_outputs"]
    gate_slope: Float[Tensor, " all_outputs"] | None
    gate_bias: Float[Tensor, " all_outputs"] | None

    def at(self, times: Float[Tensor, " times"]) -> list[Affine]:
        """Return every layer at the times."""
        sizes = [len(weight) for weight in self.weights]
        t = times[:, None]
        if self.gate_slope is None:
            bias = torch.addcmul(self.bias, self.shift, t)
            weights = [weight.expand(len(times), -1, -1) for weight in self.weights]
        else:
            gate = torch.addcmul(self.gate_bias, self.gate_slope, t).sigmoid_()
            bias = torch.addcmul(self.shift * t, self.bias, gate)
            weights = [weight * scale for weight, scale in zip(self.weights, gate[..., None].split(sizes, 1))]
        return [Affine(weight, part) for weight, part in zip(weights, bias[..., None].split(sizes, 1))]

    def pull_back(self, times: Float[Tensor, " times"], gradients: list[Affine]) -> list[Tensor]:
        """Return the gradients of the tensors of this chain, from those of every layer at the times."""
        sizes, t = [len(weight) for weight in self.weights], times[:, None]
        of_bias = torch.cat([layer.bias for layer in gradients], 1).squeeze(2)
        of_shift = (of_bias * t).sum(0)
        if self.gate_slope is None:
            return [*(layer.weight.sum(0) for layer in gradients), of_bias.sum(0), of_shift]
        gate = torch.addcmul(self.gate_bias, self.gate_slope, t).sigmoid_()
        of_weights = [(layer.weight * scale).sum(0) for layer, scale in zip(gradients, gate[..., None].split(sizes, 1))]
        of_gate = torch.cat([(layer.weight * weight).sum(2) for layer, weight in zip(gradients, self.weights)], 1)
        of_gate = of_gate.addcmul_(of_bias, self.bias).mul_(gate - gate.square())
        return [*of_weights, (of_bias * gate).sum(0), of_shift, (of_gate * t).sum(0), of_gate.sum(0)]

    def tensors(self) -> list[Tensor]:
        """Return the tensors of this chain in the order of `pull_back`."""
        gate = [] if self.gate_slope is None else [self.gate_slope, self.gate_bias]
        return [*self.weights, self.bias, self.shift, *gate]


def chain(layers: Iterable[TimedLayer], nonlinearity: Nonlinearity) -> Chain:
    """Return the chain of the layers, differentiable in their parameters."""
    parts = [layer.parts() for layer in layers]
    weights, biases, shifts = ([part[i] for part in parts] for i in range(3))
    if nonlinearity == "tanh":
        inside = [2.0] * (len(parts) - 1) + [1.0]  # the sigmoid is given 2 a
        biases = [factor * (b if i == 0 else b - w.sum(1)) for i, (factor, w, b) in enumerate(zip(inside, weights, biases))]
        weights = [(factor if i == 0 else 2 * factor) * w for i, (factor, w) in enumerate(zip(inside, weights))]
        shifts = [factor * shift for factor, shift in zip(inside, shifts)]
    gates = (None, None) if parts[0].gate_slope is None else tuple(torch.cat([part[i] for part in parts]) for i in (3, 4))
    return Chain(nonlinearity, tuple(weights), torch.cat(biases), torch.cat(shifts), *gates)


def activate(nonlinearity: Nonlinearity, a: Tensor, out: Tensor | None = None) -> Tensor:
    """Return phi(a), which for a tanh's chain is the sigmoid, or write it into `out`."""
    if nonlinearity == "tanh":
        return torch.sigmoid(a, out=out)
    h = NONLINEARITIES[nonlinearity](a)
    return h if out is None else out.copy_(h)


def first_derivative(nonlinearity: Nonlinearity, a: Tensor, h: Tensor) -> Tensor:
    """Return phi'(a), where h = phi(a)."""
    if nonlinearity == "tanh":
        return torch.addcmul(h, h, h, value=-1)
    s = torch.sigmoid(a)
    return s if nonlinearity == "softplus" else torch.addcmul(s, h, 1 - s)


def second_derivative(nonlinearity: Nonlinearity, a: Tensor, h: Tensor, d: Tensor) -> Tensor:
    """Return phi''(a), where h = phi(a) and d = phi'(a)."""
    if nonlinearity == "tanh":
        return torch.addcmul(d, d, h, value=-2)
    if nonlinearity == "softplus":
        return torch.addcmul(d, d, d, value=-1)
    s = torch.sigmoid(a)
    return (1 - s) * (s * (1 - h) + d)


def value_and_trace(
    layers: Sequence[Affine], nonlinearity: Nonlinearity, z: Float[Tensor, "dim batch"], seed: Seed
) -> tuple[Float[Tensor, "dim batch"], Float[Tensor, " batch"]]:
    """Return dz/dt and the trace at the layers' one time, by operations that autograd knows."""
    matrices = [layer.weight[0] for layer in layers]
    derivatives, h = [], z
    for i, (matrix, layer) in enumerate(zip(matrices, layers)):
        a = torch.addmm(layer.bias[0], matrix, h)
        h = a if i == len(layers) - 1 else activate(nonlinearity, a)
        derivatives.append(None if h is a else first_derivative(nonlinearity, a, h))
    if not len(seed.vectors):
        return h, torch.zeros_like(z[0])
    tangents = seed.vectors
    for i in around(len(layers), seed.after):
        tangents = matrices[i] @ tangents
        tangents = tangents if derivatives[i] is None else tangents * derivatives[i]
    return h, (seed.vectors * tangents).sum((0, 1))


def around(count: int, after: int) -> list[int]:
    """Return the layers in the order in which tangents that start after `after` of them pass through."""
    return [(after + i) % count for i in range(count)]
