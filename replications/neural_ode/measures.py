"""What is measured of an ODE block: evaluations, error, time, bytes kept for the backward pass, reversibility."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from replications.neural_ode.adjoint import Solve, solve_ode
from replications.neural_ode.networks import Classifier, ODEBlock
from replications.neural_ode.solvers import Counting, unit_interval


class Solved(NamedTuple):
    """The state at time 1 and the evaluations it took."""

    state: Tensor
    evaluations: int


@torch.no_grad()
def solved(field: nn.Module, z: Float[Tensor, "*shape"], solve: Solve) -> Solved:
    """Return the state at time 1 of the flow of `field` from z at time 0."""
    counting = Counting(field)
    end = solve_ode(counting, z, unit_interval(z), solve)[-1]
    return Solved(end, counting.calls)


def relative_error(found: Float[Tensor, "*shape"], true: Float[Tensor, "*shape"]) -> float:
    """Return |found - true| / |true|, norms over everything."""
    return float((found - true).norm() / true.norm())


@torch.no_grad()
def reconstruction_error(field: nn.Module, z: Float[Tensor, "*shape"], solve: Solve) -> float:
    """Return the relative error of z after a solve to time 1 and back, as the adjoint recomputes its trajectory."""
    times = unit_interval(z)
    there = solve_ode(field, z, times, solve)[-1]
    return relative_error(solve_ode(field, there, times.flip(0), solve)[-1], z)


class Timed(nn.Module):
    """A field that adds up the wall time spent in it, in `seconds`: what is left of a solve's time is the solver's own."""

    def __init__(self, field: nn.Module) -> None:
        super().__init__()
        self.field, self.seconds = field, 0.0

    def forward(self, t: Float[Tensor, ""], z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return field(t, z) and add its time."""
        begin = time.perf_counter()
        value = self.field(t, z)
        if value.is_cuda:
            torch.cuda.synchronize()
        self.seconds += time.perf_counter() - begin
        return value


class Counts(NamedTuple):
    """Evaluations of one forward and one backward pass."""

    forward: int
    backward: int


def adjoint_counts(net: Classifier, z: Float[Tensor, "batch *shape"], loss: Callable[[Tensor], Tensor], solve: Solve) -> Counts:
    """Return the evaluations of the block's forward pass and of its adjoint pass for `loss(logits)`, from the state z."""
    block: ODEBlock = net.body
    before = block.solve, block.adjoint
    block.solve, block.adjoint = solve, True
    try:
        # the gradients go to z and to the field, as in training; what they are is not wanted here
        torch.autograd.grad(loss(net.head(block(z.requires_grad_()))), [z, *block.parameters()])
        return Counts(block.evaluations, block.backward_evaluations)
    finally:
        block.solve, block.adjoint = before


def saved_bytes(work: Callable[[], Any], owned: nn.Module) -> int:
    """Return the bytes of all tensors that autograd keeps for the backward pass of `work()`, without `owned`'s parameters.

    Tensors that share memory count once.
    """
    parameters = {parameter.untyped_storage().data_ptr() for parameter in owned.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        # held until all is counted: freed memory would be used again and counted once
        result = work()
    del result
    return sum(kept.values())
