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

from common.dynamics.guard import Guarded
from common.dynamics.samplers.result import require_finite
from common.errors import SolverError
from replications.neural_ode.adams import ADAMS, adams
from replications.neural_ode.adjoint import Parts, Solve
from replications.neural_ode.dormand_prince import dormand_prince

ADAPTIVE = ("dopri5", "dopri8", "bosh3", "adaptive_heun")
FIXED = ("euler", "midpoint", "rk4")
SolverName = Literal["dopri5", "dopri8", "bosh3", "adaptive_heun", "vode", "lsoda"]


def adaptive(name: str, tolerance: float) -> Solve:
    """Return the named solver with atol = rtol = `tolerance`. Raises `SolverError` for a name that is not known."""
    if name in ADAMS:
        return partial(adams, method=name, rtol=tolerance, atol=tolerance)
    if name == "dopri5":
        return partial(_dopri5, tolerance=tolerance)
    if name in ADAPTIVE:
        return partial(_runge_kutta, method=name, tolerance=tolerance)
    raise SolverError(f"no adaptive solver {name!r}; choose one of {', '.join(ADAPTIVE + ADAMS)}")


def fixed(name: str, steps: int) -> Solve:
    """Return the named Runge-Kutta method with `steps` equal steps between the first and the last time."""
    if name not in FIXED:
        raise SolverError(f"no solver {name!r} with fixed steps; choose one of {', '.join(FIXED)}")
    return partial(_runge_kutta, method=name, steps=steps)


def _dopri5(
    field: Callable[[Tensor, Parts], Parts],
    state: Parts,
    times: Float[Tensor, " times"],
    *,
    tolerance: float,
) -> Parts:
    """torchdiffeq's where gradients go through the solver; elsewhere the same steps with less around them."""
    if torch.is_grad_enabled():
        return _runge_kutta(field, state, times, method="dopri5", tolerance=tolerance)
    found = dormand_prince(field, state, times, tolerance=tolerance)
    for part in found:
        require_finite(f"dopri5 at tolerance {tolerance:g}", part[-1])
    return found


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

    what = f"{method} with {steps} steps" if steps else f"{method} at tolerance {tolerance:g}"
    grid = {} if steps is None else {"grid_constructor": lambda f, y, t: step_grid(t, steps)}
    try:
        found = odeint(Guarded(field, what), state, times, method=method, rtol=tolerance, atol=tolerance, options=grid)
    except AssertionError as error:
        raise SolverError(f"{what}: {error or 'its times are not in order'}; loosen it, or compute in float64") from None
    for part in found:
        require_finite(what, part[-1])
    return found


def step_grid(times: Float[Tensor, " times"], steps: int) -> Float[Tensor, " points"]:
    """Return the ends of `steps` equal steps from the first time to the last, and every time between that is asked for.

    A grid of our own: torchdiffeq's step_size makes one step more where the division rounds up, and interpolates in between.
    """
    even = torch.lerp(times[0], times[-1], torch.linspace(0, 1, steps + 1, dtype=times.dtype, device=times.device))
    inside = times[1:-1]
    new = inside[(inside[:, None] - even).abs().amin(1) > 1e-6 * (times[-1] - times[0]).abs()]
    # a step that ends within rounding of a time that is asked for ends at that time
    near = (even[:, None] - times).abs()
    even = torch.where(near.amin(1) <= 1e-6 * (times[-1] - times[0]).abs(), times[near.argmin(1)], even)
    return torch.cat([even, new]).sort(descending=bool(times[0] > times[-1])).values


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
