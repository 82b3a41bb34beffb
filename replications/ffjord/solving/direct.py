"""A Runge-Kutta solve of a state and of the integral of its field's trace, differentiated step by step.

Forwards, dopri5 with the rules of `neural_ode.dormand_prince`, except that the last step ends where the solve ends: nothing is
interpolated, and the derivative of the accepted steps is exact, step sizes held (discretise, then differentiate). Refused steps
are forgotten. Backwards through one step x_i = y + h sum_{j<i} a_ij k_j, y' = y + h sum_j b_j k_j, the last stage first,

    g_k_i = h (b_i g_y' + sum_{j>i} a_ji g_x_j),    g_x_i = (df/dx)^T g_k_i,    g_y = g_y' + sum_i g_x_i,

one vector-Jacobian product per stage of an accepted step, where an adjoint solve takes one for every evaluation of a solve of
its own. What a field evaluates is written on a *tape*, block by block.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from common.errors import SolverError
from replications.neural_ode.dormand_prince import ERROR, NODES, STAGES, first_step, next_factor


class Block(Protocol):
    """Evaluations at a few times; values first, then traces, and the same on the way back in the other order."""

    def slope(self, stage: int, z: Tensor, out: Tensor) -> None:
        """Write dz/dt at one of the block's times."""
        ...

    def traces(self) -> Float[Tensor, "traced batch"]:
        """Return the traces that the block was asked for, once all values are there."""
        ...

    def pull_traces(self, share: Float[Tensor, "traced batch"]) -> None:
        """Take the gradient of the traces; before any `pull`."""
        ...

    def pull(self, stage: int, g: Tensor) -> Tensor:
        """Return the gradient of the state at a stage, from that of its slope and its trace."""
        ...


class Tape(Protocol):
    """What a field evaluates in one solve."""

    parameters: tuple[Tensor, ...]
    recorded: bool  # whether it is kept for a backward pass

    def block(self, times: Float[Tensor, " times"], traced: slice) -> Block:
        """Return a block of evaluations to come."""
        ...

    def gradients(self, blocks: Sequence[Any]) -> tuple[Tensor | None, ...]:
        """Return the gradients of `parameters`, once all is pulled back."""
        ...


class Method(NamedTuple):
    """A method whose last stage is the step's end: its nodes and rows from the second stage on, and the weights of its error."""

    nodes: tuple[float, ...]
    rows: tuple[tuple[float, ...], ...]
    error: tuple[float, ...] | None = None


DOPRI5 = Method(NODES, STAGES, ERROR)
RK4 = Method((0.5, 0.5, 1.0, 1.0), ((0.5,), (0.0, 0.5), (0.0, 0.0, 1.0), (1 / 6, 1 / 3, 1 / 3, 1 / 6)))


class Control(NamedTuple):
    """From when to when, and how: `steps` equal ones, or as many as the tolerances take."""

    start: float
    end: float
    method: Method
    steps: int = 1
    atol: float = 0.0
    rtol: float = 0.0


class Step(NamedTuple):
    """An accepted step and the evaluations that it made."""

    h: float
    block: Block


class Solved(NamedTuple):
    """State and integral at the end, what led there, and how many evaluations that took."""

    z: Float[Tensor, "rows batch"]
    integral: Float[Tensor, " batch"]
    first: Block
    steps: list[Step]
    nfe: int


@cache
def _tables(method: Method) -> tuple[Tensor, Tensor, slice]:
    """Return the rows and the error's weights, of every stage what its gradient is made of, and which traces a block needs."""
    stages, end = len(method.rows), method.rows[-1]
    rows = torch.zeros(stages + 1, stages + 1, dtype=torch.float64)
    for i, row in enumerate(method.rows):
        rows[i, : len(row)] = torch.tensor(row, dtype=torch.float64)
    if method.error is not None:
        rows[-1] = torch.tensor(method.error, dtype=torch.float64)
    # for stage j, last first: the weight of the step's end, then those of the stages after j, last first
    back = torch.zeros(stages, stages, dtype=torch.float64)
    for m, j in enumerate(range(stages - 1, -1, -1)):
        back[m, : m + 1] = torch.stack([rows[-2, j], *(rows[i - 1, j] for i in range(stages - 1, j, -1))])
    needless = 1 if end[1] == 0 and (method.error is None or method.error[1] == 0) else 0
    return rows, back, slice(needless, None)


class _Flat:
    """State and integral as one long vector, for the rules of the step size."""

    def __init__(self, tape: Tape, z: Tensor) -> None:
        self.tape, self.z_shape, self.sizes, self.calls = tape, z.shape, [z.numel(), z.shape[-1]], 0
        self.roots = z.new_tensor([size**-0.5 for size in self.sizes])
        self.like = z

    def evaluate(self, time: float, y: Tensor, out: Tensor) -> Block:
        block = self.tape.block(self.like.new_tensor([time]), slice(None))
        block.slope(0, self.state(y), self.state(out))
        out[self.sizes[0] :] = block.traces()[0]
        self.calls += 1
        return block

    def slope(self, time: float, y: Tensor) -> Tensor:
        out = torch.empty_like(y)
        self.evaluate(time, y, out)
        return out

    def state(self, y: Tensor) -> Tensor:
        return y[: self.sizes[0]].view(self.z_shape)

    def size(self, y: Tensor) -> float:
        return float((torch.stack(torch._foreach_norm(y.split(self.sizes))) * self.roots).max())

    def step(self, method: Method, time: float, h: float, y: Tensor, slopes: Tensor) -> tuple[Tensor, Block]:
        """Return the state after a step and its evaluations; slopes go to the rows after the first."""
        rows, _, traced = _tables(method)
        scaled, size = (rows * h).to(y), self.sizes[0]
        z, columns = y[:size], slopes[:, :size].T
        block = self.tape.block(self.like.new_tensor([time + node * h for node in method.nodes]), traced)
        for i, row in enumerate(scaled[:-1].unbind(0), 1):
            x = torch.addmv(z, columns[:, :i], row[:i])
            block.slope(i - 1, x.view(self.z_shape), slopes[i, :size].view(self.z_shape))
        slopes[1:, size:][traced] = block.traces()
        self.calls += len(method.rows)
        return torch.addmv(y, slopes.T, scaled[-2]), block


def solve(tape: Tape, z: Float[Tensor, "rows batch"], control: Control) -> Solved:
    """Return the end of a solve from z, and the integral of the trace on the way.

    Raises `SolverError` when the step size underflows or something is not finite.
    """
    flat, method = _Flat(tape, z), control.method
    time, end = control.start, control.end
    y = torch.cat([z.reshape(-1), z.new_zeros(z.shape[-1])])
    slopes = y.new_zeros(len(method.rows) + 1, y.numel())
    first, steps = flat.evaluate(time, y, slopes[0]), []
    sign = 1.0 if end >= time else -1.0
    h = (end - time) / control.steps
    if method.error is not None:
        h = first_step(flat, time, y, slopes[0], sign, control.atol, control.rtol)
    while sign * (end - time) > 0:
        if time + h == time or not math.isfinite(h):
            raise SolverError(f"underflow of the step size at t = {time:.6g}; loosen the tolerance, or compute in float64")
        last = sign * (end - time - h) <= 1e-6 * abs(h)
        h = end - time if last else h
        arrived, block = flat.step(method, time, h, y, slopes)
        ratio = _error(flat, control, h, y, arrived, slopes)
        if ratio <= 1:
            time, y = end if last else time + h, arrived
            slopes[0] = slopes[-1]  # the next step's first slope is this one's last
            if tape.recorded:
                steps.append(Step(h, block))
        h *= 1.0 if method.error is None else next_factor(ratio)
    return Solved(flat.state(y), y[flat.sizes[0] :], first, steps, flat.calls)


def _error(flat: _Flat, control: Control, h: float, y: Tensor, arrived: Tensor, slopes: Tensor) -> float:
    """Return the step's error in units of what is allowed; 0 where the steps are fixed."""
    if control.method.error is None:
        return 0.0
    weights = (_tables(control.method)[0][-1] * h).to(y)
    return flat.size((slopes.T @ weights) / torch.maximum(y.abs(), arrived.abs()).mul_(control.rtol).add_(control.atol))


def pull_back(
    solved: Solved, method: Method, g_z: Float[Tensor, "rows batch"], g_integral: Float[Tensor, " batch"]
) -> Float[Tensor, "rows batch"]:
    """Return the gradient of the solve's start, from those of its end; blocks keep what belongs to the parameters."""
    rows, back, traced = _tables(method)
    count = len(method.rows)
    blocks = [solved.first, *(step.block for step in solved.steps)]
    spans = [step.h for step in solved.steps] + [0.0]
    for i, block in enumerate(blocks):
        # a block's last evaluation is the first stage of the step after it, and the others are stages of its own step
        weights = [float(rows[-2, 0]) * spans[i]]
        if i:
            weights = [spans[i - 1] * weight for weight in rows[-2, 1:count].tolist()] + weights
        share = torch.outer(g_z.new_tensor(weights), g_integral)
        block.pull_traces(share[traced] if i else share)
    gradients = g_z.new_empty(count + 1, g_z.numel())
    gradients[0] = g_z.reshape(-1)
    for i in range(len(solved.steps) - 1, -1, -1):
        h, block = solved.steps[i]
        for m, weights in enumerate((back * h).to(g_z).unbind(0), 1):
            g = (gradients[:m].T @ weights[:m]).view(g_z.shape)
            stage = count - m  # 0: the step's start, which the block before evaluated
            found = block.pull(stage - 1, g) if stage else blocks[i].pull(-1, g)
            gradients[m] = found.reshape(-1)
        gradients[0] = gradients.sum(0)
    return gradients[0].view(g_z.shape).clone()
