"""The rival: the planar normalizing flow of Rezende & Mohamed (2015), a stack of one-unit layers.

    y = x + û tanh(w . x + b),    log|det dy/dx| = log|1 + (1 - tanh^2(w . x + b)) û . w|    (Chen 2018, eq. 7)

A layer is invertible if û . w > -1, which û = u + (softplus(u . w) - 1 - u . w) w / |w|^2 ensures for any u; the inverse has no
closed form. Several flows are kept side by side along a leading dimension `models`, as in `planar_cnf`.
"""

from collections.abc import Sequence
from typing import Any

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
        y, log_det = _Layers.apply(x.transpose(1, 2), self.w[first:].transpose(2, 3), u.transpose(2, 3), self.b[first:], overlap)
        return y.transpose(1, 2), log_det


class _Layers(torch.autograd.Function):
    """All layers in turn, and their gradient in closed form; points stand in the last dimension, as in `planar_solve`.

    Parameters are w [layers, models, 1, dim], u [layers, models, dim, 1], and b and û . w [layers, models, 1, 1].
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, u: Tensor, b: Tensor, overlap: Tensor) -> tuple[Tensor, Tensor]:
        layers = len(w)
        states, hidden = x.new_empty(layers + 1, *x.shape), x.new_empty(layers, len(x), 1, x.shape[-1])
        states[0].copy_(x)
        z, h = states.unbind(0), hidden.unbind(0)
        for k, (w_k, u_k, b_k) in enumerate(zip(w.unbind(0), u.unbind(0), b.unbind(0))):
            torch.baddbmm(b_k, w_k, z[k], out=h[k]).tanh_()
            torch.addcmul(z[k], u_k, h[k], out=z[k + 1])
        # all layers' determinants at once
        slopes = 1 - hidden.square()
        ctx.save_for_backward(states, hidden, slopes, w, u, overlap)
        return z[-1].clone(), torch.log1p(slopes * overlap).sum((0, 2))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_y: Tensor, grad_log_det: Tensor) -> tuple[Tensor, ...]:
        states, hidden, slopes, w, u, overlap = ctx.saved_tensors
        to_slopes = grad_log_det[:, None] / (1 + slopes * overlap)  # d log|det| / d (slopes * overlap)
        from_log_det = -2 * overlap * to_slopes * hidden * slopes
        to_state, to_inner = torch.empty_like(states), torch.empty_like(hidden)
        g, a, d, later = (part.unbind(0) for part in (to_state, to_inner, slopes, from_log_det))
        out_of, into = u.transpose(2, 3).unbind(0), w.transpose(2, 3).unbind(0)
        g[-1].copy_(grad_y)
        for k in range(len(w) - 1, -1, -1):
            torch.bmm(out_of[k], g[k + 1], out=a[k])
            torch.addcmul(later[k], a[k], d[k], out=a[k])
            torch.addcmul(g[k + 1], into[k], a[k], out=g[k])
        return (
            g[0],
            to_inner @ states[:-1].transpose(2, 3),
            to_state[1:] @ hidden.transpose(2, 3),
            to_inner.sum(3, keepdim=True),
            (to_slopes * slopes).sum(3, keepdim=True),
        )
