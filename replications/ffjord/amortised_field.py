"""The field of an amortised flow, with its trace in closed form (FFJORD, Section 4.3 and eq. 7).

With layers A_1 ... A_L and slopes s_l = sigma'(.), the Jacobian is A_L diag(s_{L-1}) A_{L-1} ... diag(s_1) A_1, and for rows E,
the unit vectors (exact) or one probe (Hutchinson's),

    trace = sum over rows  (A_L^T E) . diag(s_{L-1}) A_{L-1} ... diag(s_1) (A_1 E)

A_1 E and A_L^T E are constants of a solve, so one hidden layer's trace costs one product with its slopes, exact or estimated.
Forward mode: a training differentiates this once, where a vector-Jacobian product would be differentiated twice.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.divergence import rademacher
from replications.ffjord.amortised_layers import Layer

Activation = Callable[[Tensor], tuple[Tensor, Tensor]]  # a -> sigma(a), sigma'(a)
ActivationName = Literal["tanh", "softplus"]


def tanh(a: Float[Tensor, "*shape"]) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Return tanh(a) and its derivative; through the sigmoid, which costs a third of torch's tanh on a CPU."""
    h = 2 * torch.sigmoid(2 * a) - 1
    return h, 1 - h.square()


def softplus(a: Float[Tensor, "*shape"]) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Return log(1 + e^a) and its derivative."""
    return torch.nn.functional.softplus(a), torch.sigmoid(a)


ACTIVATIONS: dict[str, Activation] = {"tanh": tanh, "softplus": softplus}


class AmortisedField:
    """`field(t, z) -> dz/dt, trace` for one batch of images, to be used for one solve: the rows stay the same.

    `constants` is everything beside t and z that the field depends on: an adjoint must be told, or it gives them no gradient.
    """

    def __init__(self, layers: Sequence[Layer], rows: Float[Tensor, "batch rows dim"], activation: ActivationName) -> None:
        self.first, *self.middle, self.last = layers
        self.activation = ACTIVATIONS[activation]
        self.entering, self.leaving = self.first.linear(rows), self.last.transposed(rows)
        # with one hidden layer they only meet each other
        self.gains = None if self.middle else (self.entering * self.leaving).sum(1)
        ends = [self.entering, self.leaving] if self.gains is None else [self.gains]
        self.constants = (*(part for layer in layers for part in layer.tensors()), *ends)

    def __call__(
        self, t: Float[Tensor, ""], z: Float[Tensor, "batch dim"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, " batch"]]:
        """Return dz/dt and the trace of its Jacobian (or Hutchinson's estimate of it)."""
        h, slope = self.activation(self.first.at(t, z[:, None]))
        tangents = self.entering
        for layer in self.middle:
            tangents = layer.linear(tangents * slope)
            h, slope = self.activation(layer.at(t, h))
        gains = (tangents * self.leaving).sum(1) if self.gains is None else self.gains
        return self.last.at(t, h)[:, 0], (gains * slope[:, 0]).sum(1)


def unit_rows(z: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim dim"]:
    """Return the unit vectors for every item: the trace is exact."""
    return torch.eye(z.shape[1], dtype=z.dtype, device=z.device).expand(len(z), -1, -1)


def probe_row(z: Float[Tensor, "batch dim"], *, generator: Generator) -> Float[Tensor, "batch 1 dim"]:
    """Return one row of random signs for every item: the trace is Hutchinson's estimate."""
    return rademacher(z, generator=generator)[:, None]
