"""Classical Runge-Kutta steps of a planar CNF, with their backward pass written out.

Every unit is tanh(w . x + b) = 2 sigmoid(2 (w . x + b)) - 1, and the sigmoid costs a CPU a quarter of what the tanh does, so the
field works with sigmoids s; the factors go into the weights once per solve. With W = 2 w, B = 2 b, U = 2 u and q = s (1 - s):

    s = sigmoid(W x + B),    dx/dt = U s - sum u,    tr = (4 u . w) . q,
    J^T v = W^T (q * (U^T v)),    d tr / dx = W^T (q * (1 - 2 s) * (4 u . w)).

The gradients of the weights are left to the end, where they are one product for all stages. Points stand in the last dimension,
where small products are fastest: with the two coordinates there they would take four times as long.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Units(NamedTuple):
    """The hidden units' parameters at one time, or at several with a leading dimension; `outward` and what follows are gated."""

    inward: Float[Tensor, "*times models units dim"]  # 2 w
    bias: Float[Tensor, "*times models units 1"]  # 2 b
    outward: Float[Tensor, "*times models dim units"]  # 2 u
    offset: Float[Tensor, "*times models dim 1"]  # - sum of u
    overlap: Float[Tensor, "*times models 1 units"]  # 4 u . w


def field_and_trace(
    units: Units, x: Float[Tensor, "models dim batch"]
) -> tuple[Float[Tensor, "models dim batch"], Float[Tensor, "models batch"]]:
    """Return dx/dt and the trace of its Jacobian, both in closed form (Chen 2018, eq. 9, 10 with the sign of eq. 8)."""
    s = torch.baddbmm(units.bias, units.inward, x).sigmoid()
    return torch.baddbmm(units.offset, units.outward, s), (units.overlap @ (s - s.square())).squeeze(-2)


def runge_kutta(
    units: Units, x: Float[Tensor, "models dim batch"], h: float
) -> tuple[Float[Tensor, "models dim batch"], Float[Tensor, "models batch"]]:
    """Return the state after all steps of length `h` and the integral of the trace on the way; differentiable.

    `units` are those at the ends and the middles of the steps, 2 steps + 1 times.
    """
    return _Steps.apply(x, *units, h)


def _stages(steps: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return of every stage the index of its time and its weight in units of the step."""
    times = 2 * torch.arange(steps, device=like.device)[:, None] + torch.tensor([0, 1, 1, 2], device=like.device)
    weights = torch.tensor([1.0, 2.0, 2.0, 1.0], dtype=like.dtype, device=like.device) / 6
    return times.flatten(), weights.repeat(steps)


class _Steps(torch.autograd.Function):
    """All steps, and the gradient of their end and of the trace's integral in closed form."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
        *parts, h = arguments
        units = Units(*parts)
        steps = len(units.bias) // 2
        weights = _stages(steps, x)[1]
        states = x.new_empty(4 * steps, *x.shape)
        sigmoids = x.new_empty(4 * steps, *units.bias.shape[1:-1], x.shape[-1])
        slopes, traces = torch.empty_like(sigmoids), x.new_empty(4 * steps, len(x), 1, x.shape[-1])
        inward, bias, outward, offset, overlap = (part.unbind(0) for part in units)
        z, s, q, trace = (part.unbind(0) for part in (states, sigmoids, slopes, traces))

        def slope(stage: int, time: int) -> Tensor:
            torch.baddbmm(bias[time], inward[time], z[stage], out=s[stage]).sigmoid_()
            torch.bmm(overlap[time], torch.addcmul(s[stage], s[stage], s[stage], value=-1, out=q[stage]), out=trace[stage])
            return torch.baddbmm(offset[time], outward[time], s[stage])

        end = x
        for step in range(steps):
            a, t = 4 * step, 2 * step
            z[a].copy_(end)
            k1 = slope(a, t)
            torch.add(end, k1, alpha=h / 2, out=z[a + 1])
            k2 = slope(a + 1, t + 1)
            torch.add(end, k2, alpha=h / 2, out=z[a + 2])
            k3 = slope(a + 2, t + 1)
            torch.add(end, k3, alpha=h, out=z[a + 3])
            k4 = slope(a + 3, t + 2)
            end = torch.add(end, k1.add_(k2.add_(k3), alpha=2).add_(k4), alpha=h / 6)
        ctx.save_for_backward(states, sigmoids, slopes, units.inward, units.outward, units.overlap)
        ctx.h = h
        return end, h * torch.tensordot(weights, traces.squeeze(-2), 1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_end: Tensor, grad_integral: Tensor) -> tuple[Tensor | None, ...]:
        states, sigmoids, slopes, inward, outward, overlap = ctx.saved_tensors
        h, steps = ctx.h, len(states) // 4
        times, weights = _stages(steps, states)
        to_slope, to_inner = torch.empty_like(states), torch.empty_like(sigmoids)
        gk, gs, s, q = (part.unbind(0) for part in (to_slope, to_inner, sigmoids, slopes))
        outer, inner = (h / 6 * grad_integral[:, None], h / 3 * grad_integral[:, None])  # what reaches a stage's trace
        into, out_of = inward.transpose(-1, -2).unbind(0), outward.transpose(-1, -2).unbind(0)
        overlaps = overlap.transpose(-1, -2).unbind(0)

        def pull(stage: int, time: int, share: Tensor) -> Tensor:
            """Return what reaches the stage's state through its slope and its trace."""
            traced = overlaps[time] * share
            torch.baddbmm(traced.addcmul_(traced, s[stage], value=-2), out_of[time], gk[stage], out=gs[stage]).mul_(q[stage])
            return torch.bmm(into[time], gs[stage])

        adjoint = grad_end
        for step in range(steps - 1, -1, -1):
            a, t = 4 * step, 2 * step
            torch.mul(adjoint, h / 6, out=gk[a + 3])
            g4 = pull(a + 3, t + 2, outer)
            torch.mul(adjoint, h / 3, out=gk[a + 2]).add_(g4, alpha=h)
            g3 = pull(a + 2, t + 1, inner)
            torch.mul(adjoint, h / 3, out=gk[a + 1]).add_(g3, alpha=h / 2)
            g2 = pull(a + 1, t + 1, inner)
            torch.mul(adjoint, h / 6, out=gk[a]).add_(g2, alpha=h / 2)
            adjoint = adjoint + pull(a, t, outer).add_(g2).add_(g3).add_(g4)
        traces = (h * weights)[:, None, None, None] * grad_integral[:, None]
        by_stage = Units(
            to_inner @ states.transpose(-1, -2),
            to_inner.sum(-1, keepdim=True),
            to_slope @ sigmoids.transpose(-1, -2),
            to_slope.sum(-1, keepdim=True),
            traces @ slopes.transpose(-1, -2),
        )
        gradients = (part.new_zeros(2 * steps + 1, *part.shape[1:]).index_add_(0, times, part) for part in by_stage)
        return adjoint, *gradients, None
