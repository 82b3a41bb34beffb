"""Samplers of the probability-flow ODE dx/dt = velocity(x, t), from t = 1 (noise) down to t near 0 (data).

Euler and Heun are written out; every other method is torchdiffeq's. The state is float64 around a float32 network: near the data
end of a diffusion path a float32 state makes adaptive solvers fail with "underflow in dt".
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Answers, require
from common.dynamics.samplers.result import Callback, Counted, Samples, finished, require_finite
from common.errors import SolverError

Times = Float[Tensor, " points"]
State = Float[Tensor, "batch *shape"]
FIXED = ("euler", "midpoint", "heun2", "heun3", "rk4")
ADAPTIVE = ("adaptive_heun", "bosh3", "fehlberg2", "dopri5", "dopri8")


@torch.no_grad()
def euler(
    denoiser: Answers, x: State, times: Times, *, generator: Generator | None = None, callback: Callback | None = None
) -> Samples:
    """Explicit Euler on the given times: order 1, one evaluation per step."""
    require(denoiser, "Euler")
    x, grid = x.double(), times.tolist()
    for step, (t, t_next) in enumerate(pairwise(grid)):
        x = x + (t_next - t) * denoiser.velocity(x, t)
        if callback:
            callback(step, t_next, x)
    return finished("Euler", x, len(grid) - 1)


@torch.no_grad()
def heun(
    denoiser: Answers, x: State, times: Times, *, generator: Generator | None = None, callback: Callback | None = None
) -> Samples:
    """Heun (explicit trapezoidal rule) on the given times: order 2, two evaluations per step."""
    require(denoiser, "Heun")
    x, grid = x.double(), times.tolist()
    for step, (t, t_next) in enumerate(pairwise(grid)):
        slope = denoiser.velocity(x, t)
        ahead = denoiser.velocity(x + (t_next - t) * slope, t_next)
        x = x + 0.5 * (t_next - t) * (slope + ahead)
        if callback:
            callback(step, t_next, x)
    return finished("Heun", x, 2 * (len(grid) - 1))


def torchdiffeq_solver(
    method: str, *, rtol: float = 1e-5, atol: float = 1e-5, options: dict[str, Any] | None = None
) -> Callable[..., Samples]:
    """Return a sampler that calls torchdiffeq.

    Fixed-step methods (`FIXED`) step exactly on `times`. Adaptive ones (`ADAPTIVE`) go from the first to the last time at the
    given tolerances; the whole batch shares their steps, so its size is part of what an NFE means. `callback` is given the state
    at every time. `options` are torchdiffeq's, e.g. {"max_num_steps": 10_000}.

    Raises `SolverError` for an unknown method, when the step size underflows, and when values are not finite.
    """
    if method not in FIXED + ADAPTIVE:
        raise SolverError(f"no ODE method {method!r}; choose one of {', '.join(FIXED + ADAPTIVE)}")

    @torch.no_grad()
    def sample(
        denoiser: Answers,
        x: State,
        times: Times,
        *,
        generator: Generator | None = None,
        callback: Callback | None = None,
    ) -> Samples:
        require(denoiser, method)
        field = Counted(lambda t, state: denoiser.velocity(state, t))
        # only the end is kept unless somebody looks: a fixed-step solve on 1000 times must not hold 1000 states
        wanted = times if callback else times[[0, -1]]
        grid = {"grid_constructor": lambda *_: times.to(x.device)} if method in FIXED else {}
        states = integrate(field, x, wanted, method=method, rtol=rtol, atol=atol, options={**grid, **(options or {})})
        for step, (t, state) in enumerate(zip(times.tolist()[1:], states[1:]) if callback else ()):
            callback(step, t, state)
        return finished(method, states[-1], field.calls)

    return sample


@torch.no_grad()
def trajectory(
    denoiser: Answers, x: State, times: Times, *, rtol: float = 1e-7, atol: float = 1e-7
) -> Float[Tensor, "points batch *shape"]:
    """Return the flow's states at every one of `times`, by dopri5 with dense output."""
    require(denoiser, "dopri5")
    return integrate(lambda t, state: denoiser.velocity(state, t), x, times, method="dopri5", rtol=rtol, atol=atol)


def integrate(
    field: Callable[[Tensor, Any], Any],
    state: Any,
    times: Times,
    *,
    method: str,
    rtol: float,
    atol: float,
    options: dict[str, Any] | None = None,
) -> Any:
    """Return torchdiffeq's solution at `times` with float64 states (a tensor, or a tuple of them), gradients allowed."""
    from torchdiffeq import odeint

    first = state[0] if isinstance(state, tuple) else state
    state = tuple(part.double() for part in state) if isinstance(state, tuple) else state.double()
    times = times.to(first.device, torch.float64)
    if method not in FIXED:
        # adaptive solvers step past the end and interpolate back, but beyond t_min the field of a diffusion path is singular
        options = {"step_t": times[-1:], **(options or {})}
    try:
        states = odeint(field, state, times, method=method, rtol=rtol, atol=atol, options=options or {})
    except AssertionError as error:
        raise SolverError(
            f"{method} at rtol={rtol:g}, atol={atol:g}: {error}; loosen the tolerance, stop further from the data end (t_min), "
            "or train the network longer"
        ) from None
    for part in states if isinstance(states, tuple) else (states,):
        require_finite(method, part[-1])
    return states
