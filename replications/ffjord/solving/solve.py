"""Push points along a field and integrate its divergence on the way, differentiably: `push`.

    direct     backpropagation through the accepted steps of the solve; memory grows with their number
    adjoint    a second solve, backwards in time, of the augmented state (Grathwohl 2018, Section 3; Chen 2018, Algorithm 1)

Forward and backward evaluations are counted apart: one is an evaluation of field and divergence, refused steps included; the
other a vector-Jacobian product of both, or an evaluation of the adjoint's solve, which takes such a product too.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from common.dynamics.divergence import DivergenceField
from common.dynamics.samplers.result import require_finite
from common.runs.settings import Settings
from replications.ffjord.solving.autograd_tape import AutogradTape
from replications.ffjord.solving.direct import DOPRI5, RK4, Control, Tape, pull_back, solve
from replications.neural_ode.adjoint import Solve, solve_ode_adjoint
from replications.neural_ode.dormand_prince import dormand_prince
from replications.neural_ode.solvers import fixed


class SolverSettings(Settings):
    """How a flow's equation is solved and differentiated."""

    method: Literal["dopri5", "rk4"] = Field(default="dopri5", description="Runge-Kutta method")
    rtol: NonNegativeFloat = Field(default=1e-5, description="relative tolerance of dopri5")
    atol: NonNegativeFloat = Field(default=1e-5, description="absolute tolerance of dopri5")
    steps: PositiveInt = Field(default=20, description="equal steps of rk4")
    backward: Literal["direct", "adjoint"] = Field(default="direct", description="backpropagate the steps, or solve backwards")


def at_tolerance(tolerance: float) -> SolverSettings:
    """Return dopri5 with one tolerance, absolute and relative."""
    return SolverSettings(rtol=tolerance, atol=tolerance)


@dataclass
class Evaluations:
    """How often a field was evaluated, forwards and on the way back."""

    forward: int = 0
    backward: int = 0

    def reset(self) -> None:
        """Begin to count anew."""
        self.forward = self.backward = 0


class Counting(Protocol):
    """A flow that counts its evaluations."""

    evaluations: Evaluations

    def parameters(self) -> Iterator[Tensor]:
        """Return what it learns."""
        ...


def evaluations_of(flow: Counting, loss: Callable[[], Tensor]) -> Evaluations:
    """Return the evaluations that a loss of the flow and its gradient take; the weights stay as they are."""
    flow.evaluations.reset()
    torch.autograd.grad(loss(), list(flow.parameters()), allow_unused=True)
    counted = replace(flow.evaluations)
    flow.evaluations.reset()
    return counted


class Pushed(NamedTuple):
    """Where the points end, the integral of the divergence on their way, and how many evaluations that took."""

    z: Float[Tensor, "batch *shape"]
    integral: Float[Tensor, " batch"]
    nfe: int


@runtime_checkable
class Taped(Protocol):
    """A field that brings a tape of its own: closed forms in place of autograd."""

    def tape(self) -> Tape:
        """Return a tape for one solve, which knows all that the field depends on."""
        ...


def push(
    field: DivergenceField,
    z: Float[Tensor, "batch *shape"],
    start: float,
    end: float,
    solver: SolverSettings,
    *,
    parameters: Sequence[Tensor] = (),
    evaluations: Evaluations | None = None,
) -> Pushed:
    """Return the points at `end` of the paths through z at `start`, in either direction of time, in z's dtype.

    Differentiable in z and in `parameters`: whatever the field depends on, which a field with `parameters()`, such as a module,
    need not name. `evaluations` counts; the backward ones are there after the backward pass.

    Raises `SolverError` where the solver fails.
    """
    evaluations = Evaluations() if evaluations is None else evaluations
    before = evaluations.forward
    run = _adjoint if solver.backward == "adjoint" else _direct
    end_z, integral = run(field, z, start, end, solver, parameters, evaluations)
    require_finite(f"{solver.method} from {start:g} to {end:g}", end_z)
    return Pushed(end_z, integral, evaluations.forward - before)


def _learnt(field: DivergenceField, parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return what the field depends on: what is named, or else the parameters that it says it has."""
    return tuple(parameters or getattr(field, "parameters", tuple)())


def _direct(
    field: DivergenceField,
    z: Tensor,
    start: float,
    end: float,
    solver: SolverSettings,
    parameters: Sequence[Tensor],
    evaluations: Evaluations,
) -> tuple[Tensor, Tensor]:
    tape = field.tape() if isinstance(field, Taped) else AutogradTape(field, z.shape, _learnt(field, parameters))
    tape.recorded = torch.is_grad_enabled() and (z.requires_grad or len(tape.parameters) > 0)
    if solver.method == "dopri5":
        control = Control(start, end, DOPRI5, atol=solver.atol, rtol=solver.rtol)
    else:
        control = Control(start, end, RK4, steps=solver.steps)
    state = z.flatten(1).T
    if tape.recorded:
        state, integral = _Direct.apply(tape, control, evaluations, state, *tape.parameters)
    else:
        solved = solve(tape, state, control)
        state, integral = solved.z, solved.integral
        evaluations.forward += solved.nfe
    return state.T.reshape(z.shape), integral


class _Direct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, tape: Tape, control: Control, evaluations: Evaluations, z: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.solved = solve(tape, z, control)
        ctx.tape, ctx.control, ctx.evaluations = tape, control, evaluations
        evaluations.forward += ctx.solved.nfe
        return ctx.solved.z.clone(), ctx.solved.integral.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g_z: Tensor, g_integral: Tensor) -> tuple[Any, ...]:
        solved, method = ctx.solved, ctx.control.method
        of_z = pull_back(solved, method, g_z, g_integral)
        ctx.evaluations.backward += len(method.rows) * len(solved.steps)
        gradients = ctx.tape.gradients([solved.first, *(step.block for step in solved.steps)])
        del ctx.solved, ctx.tape
        return None, None, None, of_z, *gradients


def _adjoint(
    field: DivergenceField,
    z: Tensor,
    start: float,
    end: float,
    solver: SolverSettings,
    parameters: Sequence[Tensor],
    evaluations: Evaluations,
) -> tuple[Tensor, Tensor]:
    method: Solve = fixed("rk4", solver.steps)
    if solver.method == "dopri5":
        method = partial(dormand_prince, tolerance=solver.atol, rtol=solver.rtol)
    augmented = _Augmented(field, z.shape, evaluations)
    state = torch.cat([z.flatten(1), z.new_zeros(len(z), 1)], 1)
    ends = solve_ode_adjoint(augmented, state, z.new_tensor([start, end]), method, parameters=_learnt(field, parameters))[-1]
    augmented.backward = True
    return ends[:, :-1].reshape(z.shape), ends[:, -1]


class _Augmented(nn.Module):
    """A field and its divergence as one field of the states [z, integral]; it counts."""

    def __init__(self, field: DivergenceField, shape: torch.Size, evaluations: Evaluations) -> None:
        super().__init__()
        self.field, self.shape, self.evaluations, self.backward = field, shape, evaluations, False

    def forward(self, t: Float[Tensor, ""], state: Float[Tensor, "batch rows"]) -> Float[Tensor, "batch rows"]:
        if self.backward:
            self.evaluations.backward += 1
        else:
            self.evaluations.forward += 1
        value, divergence = self.field(t, state[:, :-1].reshape(self.shape))
        return torch.cat([value.flatten(1), divergence[:, None]], 1)
