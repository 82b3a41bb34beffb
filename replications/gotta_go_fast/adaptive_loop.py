"""The loop of adaptive steps: every sample has its own time, step and noise, and leaves when it arrives.

Only samples on their way are evaluated, so a batch costs the mean of its samples' evaluations and not its slowest sample's. No
sample depends on another: neither its steps nor its noise change with the batch that it is in.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from common.dynamics.samplers.result import Callback, Samples, called_back, require_finite
from common.errors import SolverError
from replications.gotta_go_fast.brownian import Memory, Remember
from replications.gotta_go_fast.schemes import Field, Scheme, Stage
from replications.gotta_go_fast.step_size import Control, next_step, scaled_error, tolerance

NEAR = 1e-6  # a step that would end nearer to the end than this goes all the way


class Problem(NamedTuple):
    """What is solved, from which time to which, and how."""

    what: str
    field: Field
    start: float
    end: float
    scheme: Scheme
    control: Control
    remember: Remember
    first_step: float
    max_iterations: int
    reuse: bool = False

    def left(self, t: Tensor) -> Tensor:
        """Return the time that is left to travel."""
        return (self.end - t).abs()

    def ahead(self, t: Tensor, h: Tensor) -> Tensor:
        """Return the time a step away."""
        return t + h if self.end > self.start else t - h


class Travellers(NamedTuple):
    """The samples on their way, a row each. Times and steps are float64, the states what the caller's are."""

    rows: Int[Tensor, " rows"]  # their places in the batch, on the host
    x: Float[Tensor, "rows *shape"]
    compared: Float[Tensor, "rows *shape"]  # the value of the last accepted step that the tolerance looks at
    t: Float[Tensor, " rows"]
    h: Float[Tensor, " rows"]
    moved: Bool[Tensor, " rows"]  # whether the last step was accepted
    rejected: Int[Tensor, " rows"]
    stage: Stage | tuple[()]  # drift and diffusion where the last steps started, if they are to be reused
    memory: Memory

    def only(self, chosen: Bool[Tensor, " rows"]) -> "Travellers":
        """Return those chosen."""
        indices = chosen.nonzero()[:, 0]
        rows, *parts, stage, memory = self
        kept = [part.index_select(0, indices) for part in parts]
        stage, memory = (tuple(part.index_select(0, indices) for part in group) for group in (stage, memory))
        return Travellers(rows[indices.to(rows.device)], *kept, stage, memory)


def solve(
    problem: Problem,
    x: Float[Tensor, "batch *shape"],
    draw: Callable[[Tensor], Tensor],
    callback: Callback | None = None,
) -> Samples:
    """Return the states at the end, two evaluations per step on trial, and how many of these were rejected.

    Where the field is not asked again after a rejection (`reuse`), this saves one of the next two.

    draw(rows) gives fresh normals for the samples at these places. A callback gets the number of the trial, every sample's own
    time and all the states, arrived ones included; it may replace the states of those that took part.

    Raises `SolverError` where an error is not finite, a step underflows or `max_iterations` trials do not suffice.
    """
    found, times = x.clone(), torch.full((len(x),), problem.start, dtype=torch.float64, device=x.device)
    nfe, rejected = torch.zeros(2, len(x), dtype=torch.int64)
    going = _at_start(problem, x, times)
    for number in range(problem.max_iterations):
        going = _trial(problem, going, draw(going.rows))
        if callback:
            found[going.rows], times[going.rows] = going.x, going.t
            going = going._replace(x=called_back(callback, number, times.clone(), found.clone())[going.rows])
        # those that have arrived go nowhere, and nor does a step that is not a number
        onwards = (problem.ahead(going.t, going.h) - going.t).abs() > 0
        if not bool(onwards.all()):
            arrived = going.t == problem.end
            if bool((stuck := ~(onwards | arrived)).any()):
                raise _error(problem, going.only(stuck), "the step size underflowed, or the error is not finite")
            there = going.only(arrived)
            found[there.rows], rejected[there.rows] = there.x, there.rejected.cpu()
            nfe[there.rows] = 2 * (number + 1) - (rejected[there.rows] if problem.reuse else 0)
            going = going.only(onwards)
        if not len(going.rows):
            require_finite(problem.what, found)
            return Samples(found, nfe, rejected)
    raise _error(problem, going, f"not there after {problem.max_iterations} steps on trial")


def _at_start(problem: Problem, x: Tensor, times: Tensor) -> Travellers:
    h = torch.full_like(times, min(problem.first_step, abs(problem.end - problem.start)))
    rejected = torch.zeros_like(times, dtype=torch.int64)
    return Travellers(torch.arange(len(x)), x, x, times.clone(), h, rejected == 0, rejected, (), ())


def _trial(problem: Problem, now: Travellers, fresh: Tensor) -> Travellers:
    """Return the samples after one step on trial each, accepted or not."""
    left = problem.left(now.t)
    t_next = torch.where(now.h < left, problem.ahead(now.t, now.h), problem.end)
    since, until = (now.t - problem.start).abs(), (t_next - problem.start).abs()
    dw, memory = problem.remember(now.memory, fresh, since, until, now.moved)
    stage = _first_stage(problem, now)
    kept, compared, error = problem.scheme(problem.field, stage, now.x, t_next, now.h, dw)
    scaled = scaled_error(problem.control, error, tolerance(problem.control, compared, now.compared, now.x))
    moved = scaled <= 1
    # few are rejected: to put these back is far quicker than to choose for every number
    back, t = (~moved).nonzero()[:, 0], torch.where(moved, t_next, now.t)
    return now._replace(
        x=kept.index_copy_(0, back, now.x.index_select(0, back)),
        compared=compared.index_copy_(0, back, now.compared.index_select(0, back)),
        t=t,
        h=next_step(problem.control, now.h, scaled, problem.left(t), NEAR),
        moved=moved,
        rejected=now.rejected + ~moved,
        stage=stage if problem.reuse else (),
        memory=memory,
    )


def _first_stage(problem: Problem, now: Travellers) -> Stage:
    """Return drift and diffusion where the samples are; those whose last step was rejected are where they were."""
    if not now.stage:
        return problem.field(now.x, now.t)
    moved = now.moved.nonzero()[:, 0]
    if not len(moved):
        return now.stage
    for old, new in zip(now.stage, problem.field(now.x.index_select(0, moved), now.t[moved])):
        old.index_copy_(0, moved, new)
    return now.stage


def _error(problem: Problem, stuck: Travellers, why: str) -> SolverError:
    first = f"sample {int(stuck.rows[0])} at t = {float(stuck.t[0]):.6g} with h = {float(stuck.h[0]):.3g}"
    others = f" and {len(stuck.rows) - 1} others" if len(stuck.rows) > 1 else ""
    return SolverError(
        f"{problem.what}: {why}: {first}{others}; loosen the tolerances, stop further from the data end, "
        "or train the network longer"
    )
