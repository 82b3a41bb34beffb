"""The rival: the planar normalizing flow of Rezende & Mohamed (2015), a stack of one-unit layers.

    y = x + û tanh(w . x + b),    log|det dy/dx| = log|1 + (1 - tanh^2(w . x + b)) û . w|    (Chen 2018, eq. 7)

A layer is invertible if û . w > -1, which û = u + (softplus(u . w) - 1 - u . w) w / |w|^2 ensures for any u; the inverse has no
closed form. Several flows are kept side by side along a leading dimension `models`, as in `planar_cnf`.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn.functional import softplus


class PlanarFlow(nn.Module):
    """Planar flows of the given depths, side by side; layers beyond a model's depth are the identity."""

    def __init__(self, depths: Sequence[int], dim: int = 2, *, generator: Generator) -> None:
        super().__init__()
        models, layers = len(depths), max(depths)

        def normal(*shape: int) -> Tensor:
            return torch.randn(layers, models, *shape, generator=generator)

        self.w = nn.Parameter(normal(dim, 1))
        self.u = nn.Parameter(0.3 * normal(1, dim))
        self.b = nn.Parameter(normal(1, 1))
        self.register_buffer("on", (torch.arange(layers)[:, None] < torch.tensor(list(depths))).float()[:, :, None, None])

    def constrained(self) -> tuple[Float[Tensor, "layers models 1 dim"], Float[Tensor, "layers models 1 1"]]:
        """Return û of every layer and û . w: u moved along w until the layer is invertible; 0 where switched off."""
        overlap = self.u @ self.w
        # by its formula: computed from û and w it could round to less than -1
        allowed = softplus(overlap) - 1
        shift = (allowed - overlap) / self.w.square().sum(-2, keepdim=True)
        return (self.u + shift * self.w.transpose(-1, -2)) * self.on, allowed * self.on

    def forward(
        self, x: Float[Tensor, "models batch dim"], first: int = 0
    ) -> tuple[Float[Tensor, "models batch dim"], Float[Tensor, "models batch"]]:
        """Return the flow's image of x and log|det| of its Jacobian, starting at layer `first`."""
        u, overlap = (part[first:] for part in self.constrained())
        hidden = []
        for w_k, u_k, b_k in zip(self.w[first:].unbind(0), u.unbind(0), self.b[first:].unbind(0)):
            h = torch.tanh(torch.baddbmm(b_k, x, w_k))
            x = torch.baddbmm(x, h, u_k)
            hidden.append(h)
        # all layers' determinants at once
        slopes = 1 - torch.stack(hidden).squeeze(-1).square()
        return x, torch.log1p(slopes * overlap.squeeze(-1)).sum(0)
