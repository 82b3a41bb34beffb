"""The inverse autoregressive flow as a posterior's flow (Kingma et al. 2016, Section 3-4).

    [m, s] = masked network of (z, context),    z <- g z + (1 - g) m,    g = sigmoid(s),    log|det| = sum_i log g_i

m_i and s_i see z_1 ... z_{i-1} only, so the Jacobian is triangular. The order of z is reversed between steps. The feature
enters each step's first hidden layer; all images share the masked weights.
"""

from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn
from torch.nn.functional import elu, linear, logsigmoid

from replications.ffjord.posteriors.posterior_flows import Moved

OPEN = 2.0  # what the gates start with: close to the identity, also after several steps (they advise 1 or 2)


def degrees(units: int, dim: int) -> Int[Tensor, " units"]:
    """Return how many of the leading coordinates each hidden unit may see: 1 ... dim - 1 in turn (Germain et al. 2015)."""
    return torch.arange(units) % max(1, dim - 1) + 1


def masks(dim: int, hidden: int, layers: int) -> list[Bool[Tensor, "outputs inputs"]]:
    """Return which weights a masked network of `layers` hidden layers has; the last one's outputs are m, then s."""
    seen = [torch.arange(dim) + 1, *(degrees(hidden, dim) for _ in range(layers))]
    inner = [later[:, None] >= earlier for earlier, later in pairwise(seen)]
    out = (torch.arange(dim) + 1)[:, None] > seen[-1]
    return [*inner, torch.cat([out, out])]


class MaskedLinear(nn.Linear):
    """A linear layer some of whose weights are zero for good."""

    def __init__(self, mask: Bool[Tensor, "outputs inputs"]) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.float())

    def forward(self, h: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """Return the masked product and the bias."""
        return linear(h, self.weight * self.mask, self.bias)


class InverseAutoregressive(nn.Module):
    """K steps, each with a masked network of its own."""

    def __init__(self, latent: int, features: int, flows: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(
            nn.ModuleList(MaskedLinear(mask) for mask in masks(latent, hidden, layers)) for _ in range(flows)
        )
        self.context = nn.Linear(features, flows * hidden)

    def forward(
        self, z: Float[Tensor, "batch latent"], feature: Tensor, generator: Generator | None = None, exact: bool = True
    ) -> Moved:
        """Return the steps' image of z, and the sum of the log gates."""
        log_det = z.new_zeros(len(z))
        for number, (step, context) in enumerate(zip(self.steps, self.context(feature).chunk(len(self.steps), 1))):
            z = z.flip(1) if number else z
            first, *rest, last = step
            h = elu(first(z) + context)
            for layer in rest:
                h = elu(layer(h))
            mean, gate = last(h).chunk(2, 1)
            log_gate = logsigmoid(gate + OPEN)
            z = torch.lerp(mean, z, log_gate.exp())
            log_det = log_det + log_gate.sum(1)
        return Moved(z, log_det)
