"""Gradients through an ODE solve in constant memory: the adjoint sensitivity method (Sections 2, App. B and C).

The state follows dz/dt = f(t, z, θ). With the adjoint a(t) = ∂L/∂z(t), a second solve runs backwards in time over

    d/dt (z, a, g, s) = (f, -aᵀ ∂f/∂z, -aᵀ ∂f/∂θ, -aᵀ ∂f/∂t),                                (eq. 4, 5; Alg. 1, 2)

and ends at t_0 with a = ∂L/∂z(t_0), g = ∂L/∂θ and s = ∂L/∂t_0. All three products are one vector-Jacobian product of f with a.
Where the loss sees the state at times t_0 < t_1 < ... < t_N (Figure 2), the solve goes from one to the one before: there the
loss's own gradient is added to a, aᵀf to that time's gradient, and z is set back to what the forward solve found, so that it
cannot drift over more than one interval. Only these N + 1 states are kept, however many steps the solver took.

The sign of ∂L/∂t_0 is that of the direct derivation: z(t_1) = z(t_0) + ∫ f dt, hence ∂L/∂t_1 = a(t_1)ᵀ f and for a field without
explicit time ∂L/∂t_0 = -a(t_0)ᵀ f.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

# field(t, z) -> dz/dt; solve(field, state, times) -> states at `times`, for a state that is a tuple of tensors
Parts = tuple[Tensor, ...]
Solve = Callable[[Callable[[Tensor, Parts], Parts], Parts, Float[Tensor, " times"]], Parts]


def solve_ode(
    field: nn.Module, z: Float[Tensor, "*shape"], times: Float[Tensor, " times"], solve: Solve
) -> Float[Tensor, "times *shape"]:
    """Return z at every one of `times` (increasing or decreasing); gradients go through the solver's own operations."""
    return solve(lambda t, state: (field(t, state[0]),), (z,), times)[0]


def solve_ode_adjoint(
    field: nn.Module,
    z: Float[Tensor, "*shape"],
    times: Float[Tensor, " times"],
    solve: Solve,
    backward_solve: Solve | None = None,
    parameters: Sequence[Tensor] | None = None,
) -> Float[Tensor, "times *shape"]:
    """Return z at every one of `times`; gradients in z, `times` and the field's parameters come from the adjoint.

    `field(t, z)` must be a module that owns everything it learns, unless `parameters` says what gets a gradient: a tensor that it
    only closes over has none otherwise. `backward_solve` is the solver of the second solve, the same unless given.
    """
    parameters = field.parameters() if parameters is None else parameters
    parameters = tuple(parameter for parameter in parameters if parameter.requires_grad)
    return _Adjoint.apply(field, solve, backward_solve or solve, len(parameters), z, times, *parameters)


class _Adjoint(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, field: nn.Module, solve: Solve, backward_solve: Solve, count: int, z: Tensor, times: Tensor, *parameters: Tensor
    ) -> Tensor:
        with torch.no_grad():
            states = solve_ode(field, z, times, solve)
        ctx.field, ctx.solve = field, backward_solve
        ctx.save_for_backward(states, times, *parameters)
        return states

    @staticmethod
    def backward(ctx: Any, losses: Tensor) -> tuple[Any, ...]:
        states, times, *parameters = ctx.saved_tensors
        needs_times = ctx.needs_input_grad[5]
        adjoint = losses[-1]
        gradients = [torch.zeros_like(parameter) for parameter in parameters]
        start = torch.zeros((), dtype=times.dtype, device=times.device)  # s, which ends as the gradient of the first time
        time_gradients = [start] * len(times)
        with torch.no_grad():
            for i in range(len(times) - 1, 0, -1):
                if needs_times:
                    time_gradients[i] = (losses[i] * ctx.field(times[i], states[i])).sum()
                    start = start - time_gradients[i]
                state = (states[i], adjoint, start, *gradients)
                ends = ctx.solve(augmented(ctx.field, parameters), state, times[[i, i - 1]])
                adjoint, start, *gradients = (part[-1] for part in ends[1:])
                adjoint = adjoint + losses[i - 1]
        time_gradients[0] = start
        in_times = torch.stack(time_gradients) if needs_times else None
        return None, None, None, None, adjoint, in_times, *gradients


def augmented(field: nn.Module, parameters: list[Tensor]) -> Callable[[Tensor, Parts], Parts]:
    """Return the right-hand side of (z, a, s, g_1, ..., g_P): one evaluation of f and one vector-Jacobian product."""

    def right_hand_side(t: Tensor, state: Parts) -> Parts:
        with torch.enable_grad():
            t, z = t.detach().requires_grad_(), state[0].detach().requires_grad_()
            value = field(t, z)
            inputs = (z, t, *parameters)
            products = torch.autograd.grad(value, inputs, -state[1], allow_unused=True)
        return value.detach(), *(torch.zeros_like(x) if p is None else p for x, p in zip(inputs, products))

    return right_hand_side
