"""Solve dz/dt = W_2 tanh(W_1 z + b_1) + b_2 by the classical Runge-Kutta rule, with its backward pass written out.

The latent ODE's field has one hidden layer and no time in it, so every product with its Jacobian is closed:

    J^T v = W_1^T ((1 - tanh^2) * (W_2^T v)),

and the gradient of the solve (discretise, then differentiate) is a loop over the steps with two small products per stage. All
gradients of the weights are left to the end, where they are two large products over all stages. Autograd would record some ten
operations per stage and the adjoint ODE would solve everything again; both cost several times as much for networks this small.

The solution comes at the steps' ends, with its slopes; `Hermite` gives it at any other time, so one solve on one grid
serves a whole batch of series, each observed at times of its own.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Weights = tuple[Tensor, Tensor, Tensor, Tensor]


class Solution(NamedTuple):
    """States and slopes at the ends of the steps."""

    states: Float[Tensor, "nodes models batch latent"]
    slopes: Float[Tensor, "nodes models batch latent"]


class Stages(NamedTuple):
    """Where a solve evaluated the field: four states a step and the last one, and what an integral along it weighs them by."""

    states: Float[Tensor, "stages models batch latent"]
    weights: Float[Tensor, " stages"]


def solve(z: Float[Tensor, "models batch latent"], weights: Weights, *, span: float, steps: int) -> Solution:
    """Return the solution from 0 to `span` (which may be negative) at steps + 1 equally spaced times; differentiable.

    `weights` are W_1 [models, latent, hidden], b_1 [models, 1, hidden], W_2 [models, hidden, latent] and b_2 [models, 1, latent];
    the field is evaluated 4 steps + 1 times.
    """
    return solve_with_stages(z, weights, span=span, steps=steps)[0]


def solve_with_stages(
    z: Float[Tensor, "models batch latent"], weights: Weights, *, span: float, steps: int
) -> tuple[Solution, Stages]:
    """Return the solution as `solve` does, and the states at which the field was evaluated; both are differentiable.

    A component dL/dt = g(z), L(0) = 0 that nothing depends on needs no place in the state: solving [z, L] together by the same
    rule gives L(span) = sum of weights * g(states) exactly.
    """
    h = span / steps
    inputs, slopes = _RungeKutta.apply(z, *weights, h, steps)
    share = torch.tensor([1.0, 2.0, 2.0, 1.0, 0.0], dtype=z.dtype, device=z.device) * (h / 6)
    return Solution(inputs[::4], slopes), Stages(inputs, torch.cat([share[:4].repeat(steps), share[4:]]))


class _RungeKutta(torch.autograd.Function):
    """States at all stages and slopes at the steps' ends, and the gradient of both in closed form."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, h: float, steps: int
    ) -> tuple[Tensor, Tensor]:
        stages = 4 * steps + 1
        inputs, slopes = z.new_empty(stages, *z.shape), z.new_empty(stages, *z.shape)
        hidden = z.new_empty(stages, *z.shape[:-1], w1.shape[-1])
        x, a, k = inputs.unbind(0), hidden.unbind(0), slopes.unbind(0)

        def field(s: int) -> None:
            torch.baddbmm(b1, x[s], w1, out=a[s]).tanh_()
            torch.baddbmm(b2, a[s], w2, out=k[s])

        x[0].copy_(z)
        for s in range(0, stages - 1, 4):
            field(s)
            torch.add(x[s], k[s], alpha=h / 2, out=x[s + 1])
            field(s + 1)
            torch.add(x[s], k[s + 1], alpha=h / 2, out=x[s + 2])
            field(s + 2)
            torch.add(x[s], k[s + 2], alpha=h, out=x[s + 3])
            field(s + 3)
            torch.add(x[s], k[s], alpha=h / 6, out=x[s + 4])
            x[s + 4].add_(k[s + 1], alpha=h / 3).add_(k[s + 2], alpha=h / 3).add_(k[s + 3], alpha=h / 6)
        field(stages - 1)
        ctx.save_for_backward(inputs, hidden, w1, w2)
        ctx.h = h
        return inputs, slopes[::4].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_states: Tensor, grad_slopes: Tensor) -> tuple[Tensor | None, ...]:
        inputs, hidden, w1, w2 = ctx.saved_tensors
        h, last = ctx.h, len(inputs) - 1
        derivative = 1 - hidden.square()
        to_slope, to_hidden = torch.empty_like(inputs), torch.empty_like(hidden)
        gk, ga, d = to_slope.unbind(0), to_hidden.unbind(0), derivative.unbind(0)
        w1_t, w2_t = w1.transpose(-1, -2), w2.transpose(-1, -2)

        def pull(s: int) -> Tensor:
            """Return J^T gk at stage s."""
            torch.bmm(gk[s], w2_t, out=ga[s]).mul_(d[s])
            return torch.bmm(ga[s], w1_t)

        gk[last].copy_(grad_slopes[-1])
        adjoint = grad_states[last] + pull(last)
        for s in range(last - 4, -1, -4):
            torch.mul(adjoint, h / 6, out=gk[s + 3])
            g4 = pull(s + 3).add_(grad_states[s + 3])
            torch.mul(adjoint, h / 3, out=gk[s + 2]).add_(g4, alpha=h)
            g3 = pull(s + 2).add_(grad_states[s + 2])
            torch.mul(adjoint, h / 3, out=gk[s + 1]).add_(g3, alpha=h / 2)
            g2 = pull(s + 1).add_(grad_states[s + 1])
            torch.add(grad_slopes[s // 4], adjoint, alpha=h / 6, out=gk[s]).add_(g2, alpha=h / 2)
            adjoint = adjoint + pull(s) + g2 + g3 + g4 + grad_states[s]
        return (
            adjoint,
            _outer(inputs, to_hidden),
            to_hidden.sum((0, 2))[:, None],
            _outer(hidden, to_slope),
            to_slope.sum((0, 2))[:, None],
            None,
            None,
        )


def _outer(x: Float[Tensor, "stages models batch a"], y: Float[Tensor, "stages models batch b"]) -> Float[Tensor, "models a b"]:
    """Return the sum over stages and batch of x y^T: one large product per model."""
    return x.transpose(0, 1).flatten(1, 2).transpose(-1, -2) @ y.transpose(0, 1).flatten(1, 2)


class Hermite:
    """Cubic Hermite interpolation between equally spaced nodes on [0, span], as two constant matrices.

    Its error is of fourth order in the step, the order of the solver. Times are inside [0, span] (or [span, 0]).
    """

    def __init__(self, times: Float[Tensor, " times"], *, span: float, steps: int) -> None:
        h = span / steps
        position = times.double() / h
        left = position.floor().clamp(0, steps - 1).long()
        u, rows = position - left, torch.arange(len(times))
        self.states = torch.zeros(len(times), steps + 1, dtype=torch.float64)
        self.slopes = torch.zeros_like(self.states)
        self.states[rows, left], self.states[rows, left + 1] = (1 + 2 * u) * (1 - u) ** 2, u**2 * (3 - 2 * u)
        self.slopes[rows, left], self.slopes[rows, left + 1] = h * u * (1 - u) ** 2, h * u**2 * (u - 1)

    def __call__(self, solution: Solution) -> Float[Tensor, "times models batch latent"]:
        """Return the solution at the times."""
        flat = [part.flatten(1) for part in solution]
        found = self.states.to(flat[0]) @ flat[0] + self.slopes.to(flat[1]) @ flat[1]
        return found.unflatten(1, solution.states.shape[1:])
