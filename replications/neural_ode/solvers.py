"""The solvers of the paper's tables behind one call: torchdiffeq's Runge-Kutta methods and SciPy's Adams methods.

A solver is `solve(field, state, times) -> states`: the state is a tuple of tensors, `field(t, state)` gives their derivatives,
and every part of the result has one more axis, of the times, in front. Time may run either way. Adaptive torchdiffeq methods
control the largest of the parts' root-mean-square errors; SciPy's the root-mean-square over everything.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.errors import SolverError
from replications.neural_ode.adams import ADAMS, adams
from replications.neural_ode.adjoint import Parts, Solve

ADAPTIVE = ("dopri5", "dopri8", "bosh3", "adaptive_heun")
FIXED = ("euler", "midpoint", "rk4")
SolverName = Literal["dopri5", "dopri8", "bosh3", "adaptive_heun", "vode", "lsoda"]


def adaptive(name: str, tolerance: float) -> Solve:
    """Return the named solver with atol = rtol = `tolerance`. Raises `SolverError` for a name that is not known."""
    if name in ADAMS:
        return partial(adams, method=name, rtol=tolerance, atol=tolerance)
    if name in ADAPTIVE:
        return partial(_runge_kutta, method=name, tolerance=tolerance)
    raise SolverError(f"no adaptive solver {name!r}; choose one of {', '.join(ADAPTIVE + ADAMS)}")


def fixed(name: str, steps: int) -> Solve:
    """Return the named Runge-Kutta method with `steps` equal steps between the first and the last time."""
    if name not in FIXED:
        raise SolverError(f"no solver {name!r} with fixed steps; choose one of {', '.join(FIXED)}")
    return partial(_runge_kutta, method=name, steps=steps)


def _runge_kutta(
    field: Callable[[Tensor, Parts], Parts],
    state: Parts,
    times: Float[Tensor, " times"],
    *,
    method: str,
    tolerance: float = 1e-3,
    steps: int | None = None,
) -> Parts:
    from torchdiffeq import odeint

    # a grid of our own: torchdiffeq's step_size makes one step more where the division rounds up
    grid = {} if steps is None else {"grid_constructor": lambda f, y, t: torch.linspace(t[0], t[-1], steps + 1).to(t)}
    try:
        return odeint(field, state, times, method=method, rtol=tolerance, atol=tolerance, options=grid)
    except AssertionError as error:
        raise SolverError(f"{method} at tolerance {tolerance:g}: {error}; loosen it, or compute in float64") from None


class Counting(nn.Module):
    """A field that counts its evaluations in `calls`."""

    def __init__(self, field: nn.Module) -> None:
        super().__init__()
        self.field, self.calls = field, 0

    def forward(self, t: Float[Tensor, ""], z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return field(t, z) and count."""
        self.calls += 1
        return self.field(t, z)


def unit_interval(like: Tensor) -> Float[Tensor, " 2"]:
    """Return the times 0 and 1 in `like`'s dtype and on its device: the depth of every ODE block."""
    return torch.tensor([0.0, 1.0], dtype=like.dtype, device=like.device)
