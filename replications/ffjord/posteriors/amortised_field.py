"""The field of an amortised flow, with its trace in closed form (FFJORD, Section 4.3 and eq. 7).

With layers A_1 ... A_L and slopes s_l = sigma'(.), the Jacobian is A_L diag(s_{L-1}) A_{L-1} ... diag(s_1) A_1, and for rows E,
the unit vectors (exact) or one probe (Hutchinson's),

    trace = sum over rows  (A_L^T E) . diag(s_{L-1}) A_{L-1} ... diag(s_1) (A_1 E)

A_1 E and A_L^T E are constants of a solve, so one hidden layer's trace costs one product with its slopes, exact or estimated.
Forward mode: a training differentiates this once, where a vector-Jacobian product would be differentiated twice.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn.functional import softplus

from common.dynamics.divergence import rademacher
from replications.ffjord.posteriors.amortised_layers import Layer
from replications.ffjord.posteriors.amortised_tape import AmortisedTape

ActivationName = Literal["tanh", "softplus"]


class Activation(NamedTuple):
    """sigma(a), sigma'(a, sigma), and sigma''(sigma, sigma')."""

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor, Tensor], Tensor]
    curvature: Callable[[Tensor, Tensor], Tensor]


ACTIVATIONS: dict[str, Activation] = {
    # through the sigmoid, which costs a quarter of torch's tanh on a CPU
    "tanh": Activation(lambda a: 2 * torch.sigmoid(2 * a) - 1, lambda a, h: 1 - h.square(), lambda h, s: -2 * h * s),
    "softplus": Activation(softplus, lambda a, h: torch.sigmoid(a), lambda h, s: s - s.square()),
}


class AmortisedField:
    """`field(t, z) -> dz/dt, trace` for one batch of images, to be used for one solve: the rows stay the same.

    `constants` is everything beside t and z that the field depends on: an adjoint must be told, or it gives them no gradient.
    They are aliases: the rows' images are made of the layers' tensors, not of their aliases, so no gradient is counted twice.
    """

    def __init__(self, layers: Sequence[Layer], rows: Float[Tensor, "batch rows dim"], activation: ActivationName) -> None:
        ends = [layers[0].linear(rows), layers[-1].transposed(rows)]
        if len(layers) == 2:
            ends = [(ends[0] * ends[1]).sum(1)]  # with one hidden layer they only meet each other
        self.ends = [end.view_as(end) for end in ends]
        self.layers = [layer.aliased() for layer in layers]
        self.activation = ACTIVATIONS[activation]
        self.constants = (*(part for layer in self.layers for part in layer.tensors()), *self.ends)

    def __call__(
        self, t: Float[Tensor, ""], z: Float[Tensor, "batch dim"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, " batch"]]:
        """Return dz/dt and the trace of its Jacobian (or Hutchinson's estimate of it)."""
        h, slopes = z[:, None], []
        for layer in self.layers[:-1]:
            a = layer.at(t, h)
            h = self.activation.value(a)
            slopes.append(self.activation.slope(a, h))
        return self.layers[-1].at(t, h)[:, 0], self.trace(slopes)[:, 0]

    def trace(self, slopes: Sequence[Float[Tensor, "batch points _"]]) -> Float[Tensor, "batch points"]:
        """Return the trace at several points of every item, from the hidden layers' slopes there."""
        if len(slopes) == 1:
            return torch.linalg.vecdot(slopes[0], self.ends[0][:, None])
        tangents, leaving = (end[:, None] for end in self.ends)
        for layer, slope in zip(self.layers[1:-1], slopes):
            bent = tangents * slope[:, :, None]
            tangents = layer.linear(bent.flatten(1, 2)).unflatten(1, bent.shape[1:3])
        return torch.linalg.vecdot((tangents * leaving).sum(2), slopes[-1])

    def tape(self) -> AmortisedTape:
        """Return what a solve is written on: its backward pass needs no graph of every evaluation."""
        return AmortisedTape(self)


def unit_rows(z: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim dim"]:
    """Return the unit vectors for every item: the trace is exact."""
    return torch.eye(z.shape[1], dtype=z.dtype, device=z.device).expand(len(z), -1, -1)


def probe_row(z: Float[Tensor, "batch dim"], *, generator: Generator) -> Float[Tensor, "batch 1 dim"]:
    """Return one row of random signs for every item: the trace is Hutchinson's estimate."""
    return rademacher(z, generator=generator)[:, None]
