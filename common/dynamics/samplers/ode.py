"""Samplers of the probability-flow ODE dx/dt = velocity(x, t), from t = 1 (noise) down to t near 0 (data).

Euler and Heun are written out; every other method is torchdiffeq's. The state is float64 around a float32 network: near the data
end of a diffusion path a float32 state makes adaptive solvers fail with "underflow in dt".
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers, require
from common.dynamics.guard import Guarded
from common.dynamics.paths import Prior
from common.dynamics.samplers.loop import Noise, Sampler, Step, Times, check_times, sampler
from common.dynamics.samplers.noise import Source
from common.dynamics.samplers.result import Callback, Counted, Samples, called_back, finished, require_finite
from common.errors import SolverError

State = Float[Tensor, "batch *shape"]
FIXED = ("euler", "midpoint", "heun2", "heun3", "rk4")
ADAPTIVE = ("adaptive_heun", "bosh3", "fehlberg2", "dopri5", "dopri8")


def euler_method(path: Prior, times: Times) -> Step:
    """Explicit Euler: order 1, one evaluation per step."""

    def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
        x = x + (t_next - t) * model.velocity(x, t)
        return x, x

    return step


def heun_method(path: Prior, times: Times) -> Step:
    """Heun (explicit trapezoidal rule): order 2, two evaluations per step."""

    def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
        slope = model.velocity(x, t)
        ahead = model.velocity(x + (t_next - t) * slope, t_next)
        x = x + 0.5 * (t_next - t) * (slope + ahead)
        return x, x

    return step


euler = sampler("Euler", euler_method, quantity="velocity", downwards=False, dtype=torch.float64)
heun = sampler("Heun", heun_method, quantity="velocity", visits="both", downwards=False, dtype=torch.float64)


def torchdiffeq_solver(method: str, *, rtol: float = 1e-5, atol: float = 1e-5, options: dict[str, Any] | None = None) -> Sampler:
    """Return a sampler that calls torchdiffeq.

    Fixed-step methods (`FIXED`) step exactly on `times`. Adaptive ones (`ADAPTIVE`) go from the first to the last time at the
    given tolerances; the whole batch shares their steps, so its size is part of what an NFE means, and with a callback they start
    anew at every time. `options` are torchdiffeq's, e.g. {"max_num_steps": 10_000}.

    Raises `SolverError` for an unknown method, when the step size underflows, and when values are not finite.
    """
    if method not in FIXED + ADAPTIVE:
        raise SolverError(f"no ODE method {method!r}; choose one of {', '.join(FIXED + ADAPTIVE)}")

    @torch.no_grad()
    def sample(model: Answers, x: State, times: Times, *, generator: Source = None, callback: Callback | None = None) -> Samples:
        require(model, method)
        check_times(model.path, times, method, downwards=False, singular_at_noise=False)
        field, grid = Counted(lambda t, state: model.velocity(state, t)), times.double()

        def solved(state: State, part: Times) -> State:
            # only the end is kept: a fixed-step solve on 1000 times must not hold 1000 states
            steps = {"grid_constructor": lambda *_: part.to(x.device)} if method in FIXED else {}
            merged = {**steps, **(options or {})}
            return integrate(field, state, part[[0, -1]], method=method, rtol=rtol, atol=atol, options=merged)[-1]

        if callback is None:
            return finished(method, solved(x, grid), field.calls)
        for number, part in enumerate(grid.unfold(0, 2, 1)):
            x = called_back(callback, number, float(part[1]), solved(x, part))
        return finished(method, x, field.calls)

    return sample


@torch.no_grad()
def trajectory(
    model: Answers, x: State, times: Times, *, rtol: float = 1e-7, atol: float = 1e-7
) -> Float[Tensor, "points batch *shape"]:
    """Return the flow's states at every one of `times`, by dopri5 with dense output."""
    require(model, "dopri5")
    check_times(model.path, times, "dopri5", downwards=False, singular_at_noise=False)
    return integrate(lambda t, state: model.velocity(state, t), x, times, method="dopri5", rtol=rtol, atol=atol)


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
    what = f"{method} at rtol={rtol:g}, atol={atol:g}"
    try:
        states = odeint(Guarded(field, what), state, times, method=method, rtol=rtol, atol=atol, options=options or {})
    except (AssertionError, SolverError) as error:
        said = str(error) if isinstance(error, SolverError) else f"{what}: {error}"
        raise SolverError(
            f"{said}; loosen the tolerance, stop further from the data end (t_min), or train the network longer"
        ) from None
    for part in states if isinstance(states, tuple) else (states,):
        require_finite(method, part[-1])
    return states
