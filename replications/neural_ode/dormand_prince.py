"""Dormand and Prince's method where no gradients go through it: both solves of the adjoint, and every measurement.

The rules are those of torchdiffeq's dopri5, evaluation by evaluation: first step, error, next step, interpolation at the times
that are asked for. What is left out is its bookkeeping, which takes a good part of the time on a small network.
"""

import math
from collections.abc import Callable
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from common.errors import SolverError

Parts = tuple[Tensor, ...]

NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
# the fifth order less an embedded fourth; torchdiffeq takes Shampine's
ERROR = (
    *(35 / 384 - 1951 / 21600, 0.0, 500 / 1113 - 22642 / 50085, 125 / 192 - 451 / 720),
    *(-2187 / 6784 + 12231 / 42400, 11 / 84 - 649 / 6300, -1 / 60),
)
# of the state half-way through a step, for the interpolation
MIDDLE = (
    *(6025192743 / 30085553152 / 2, 0.0, 51252292925 / 65400821598 / 2, -2691868925 / 45128329728 / 2),
    *(187940372067 / 1594534317056 / 2, -1776094331 / 19743644256 / 2, 11237099 / 235043384 / 2),
)
ORDER, SAFETY, LARGEST, SMALLEST = 5, 0.9, 10.0, 0.2


@torch.no_grad()
def dormand_prince(
    field: Callable[[Tensor, Parts], Parts],
    state: Parts,
    times: Float[Tensor, " times"],
    *,
    tolerance: float,
    rtol: float | None = None,
) -> Parts:
    """Return the states at `times` (either direction); the part with the largest error decides.

    `tolerance` is the absolute one, and the relative one too unless `rtol` is given.

    Raises `SolverError` when the step size underflows or an error is not a number.
    """
    flat, rtol = _Flat(field, state, times), tolerance if rtol is None else rtol
    grid, y = times.tolist(), torch.cat([part.reshape(-1) for part in state])
    slopes = y.new_empty(7, y.numel())
    slopes[0] = flat.slope(grid[0], y)
    sign = 1.0 if grid[-1] >= grid[0] else -1.0
    step = first_step(flat, grid[0], y, slopes[0], sign, tolerance, rtol)
    time, found, last = grid[0], [y], None
    for wanted in grid[1:]:
        while sign * (wanted - time) > 0:
            if time + step == time or not math.isfinite(step):
                raise SolverError(f"dopri5 at tolerance {tolerance:g}: underflow of the step size at t = {time:.6g}")
            end = _tried(flat, time, step, y, slopes)
            error = slopes.T @ slopes.new_tensor([step * weight for weight in ERROR])
            ratio = flat.size(error / torch.maximum(y.abs(), end.abs()).mul_(rtol).add_(tolerance))
            if ratio <= 1:
                last = time, step, y, end, slopes
                time, y, slopes = time + step, end, torch.empty_like(slopes)
                slopes[0] = last[-1][6]
            step *= next_factor(ratio)
        found.append(_between(wanted, *last) if last else y)
    return flat.parts(torch.stack(found))


class _Flat:
    """A field of a tuple of tensors as one of a long vector."""

    def __init__(self, field: Callable[[Tensor, Parts], Parts], state: Parts, times: Tensor) -> None:
        self.field, self.times = field, times
        self.shapes, self.sizes = [part.shape for part in state], [part.numel() for part in state]
        self.roots = torch.tensor([size**-0.5 for size in self.sizes], dtype=state[0].dtype, device=state[0].device)

    def slope(self, time: float, y: Tensor) -> Tensor:
        return torch.cat([part.reshape(-1) for part in self.field(self.times.new_tensor(time), self.parts(y))])

    def parts(self, y: Float[Tensor, "*times long"]) -> Parts:
        return tuple(part.view((*y.shape[:-1], *shape)) for part, shape in zip(y.split(self.sizes, -1), self.shapes))

    def size(self, y: Tensor) -> float:
        """Return the largest of the parts' root mean squares."""
        return float((torch.stack(torch._foreach_norm(y.split(self.sizes))) * self.roots).max())


def _tried(flat: _Flat, time: float, step: float, y: Tensor, slopes: Tensor) -> Tensor:
    """Return the state after one step; the slopes of its stages go into rows 1 to 6, the last being that state's own."""
    end = y
    for stage, (node, weights) in enumerate(zip(NODES, STAGES), 1):
        end = torch.addmv(y, slopes[:stage].T, slopes.new_tensor([step * weight for weight in weights]))
        slopes[stage] = flat.slope(time + node * step, end)
    return end


def next_factor(ratio: float) -> float:
    """Return what a step is multiplied by when its error was `ratio` times the one that is allowed."""
    if math.isnan(ratio):
        return ratio
    if ratio == 0:
        return LARGEST
    return min(LARGEST, max(SAFETY / ratio ** (1 / ORDER), 1.0 if ratio < 1 else SMALLEST))


class Sized(Protocol):
    """A field of a long vector, and what the size of such a vector is."""

    def slope(self, time: float, y: Tensor) -> Tensor:
        """Return dy/dt."""
        ...

    def size(self, y: Tensor) -> float:
        """Return the size of an error or a slope, in units of what is allowed."""
        ...


def first_step(flat: Sized, time: float, y: Tensor, slope: Tensor, sign: float, atol: float, rtol: float) -> float:
    """Return the step to try first, by one evaluation more (Hairer, Norsett, Wanner: Solving ODEs I, Section II.4)."""
    scale = y.abs().mul_(rtol).add_(atol)
    state, speed = flat.size(y / scale), flat.size(slope / scale)
    trial = 1e-6 if state < 1e-5 or speed < 1e-5 else 0.01 * state / speed
    bend = flat.size((flat.slope(time + sign * trial, y + sign * trial * slope) - slope) / scale) / trial
    most = max(speed, bend)
    step = max(1e-6, 1e-3 * trial) if most <= 1e-15 else (0.01 / most) ** (1 / ORDER)
    return sign * min(100 * trial, step)


def _between(wanted: float, start: float, step: float, y: Tensor, end: Tensor, slopes: Tensor) -> Tensor:
    """Return the state inside the last step: the quartic through both ends, their slopes and the state half-way."""
    first, last = step * slopes[0], step * slopes[6]
    middle = torch.addmv(y, slopes.T, slopes.new_tensor([step * weight for weight in MIDDLE]))
    x = (wanted - start) / step
    quartic = 2 * (last - first) - 8 * (end + y) + 16 * middle
    cubic = 5 * first - 3 * last + 18 * y + 14 * end - 32 * middle
    square = last - 4 * first - 11 * y - 5 * end + 16 * middle
    return y + x * (first + x * (square + x * (cubic + x * quartic)))
