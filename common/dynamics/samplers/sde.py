"""Samplers of the reverse-time SDE dx = [f x - g^2 score] dt + g dw, integrated from noise down to data (Song 2021, eq. 6).

The state keeps x's dtype: at the accuracy of these schemes float32 rounding does not show.
"""

from collections import deque
from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Answers, as_time, require
from common.dynamics.samplers.result import Callback, Counted, Samples, finished
from common.errors import SolverError

Times = Float[Tensor, " points"]
State = Float[Tensor, "batch *shape"]
TORCHSDE = ("euler", "milstein", "srk")


@torch.no_grad()
def euler_maruyama(
    denoiser: Answers, x: State, times: Times, *, generator: Generator, callback: Callback | None = None
) -> Samples:
    """Euler-Maruyama on the given times: weak order 1, one evaluation per step. The noise is drawn on x's device."""
    _check(denoiser, times, "Euler-Maruyama")
    path, grid = denoiser.path, times.double()
    # scalars of the whole schedule at once: no device transfer inside the loop
    drifts = path.drift_coefficient(grid[:-1]).tolist()
    diffusions = path.diffusion_squared(grid[:-1]).tolist()
    for step, ((t, t_next), f, g2) in enumerate(zip(pairwise(grid.tolist()), drifts, diffusions)):
        h = t - t_next
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        x = x - h * (f * x - g2 * denoiser.score(x, t)) + (h * g2) ** 0.5 * noise
        if callback:
            callback(step, t_next, x)
    return finished("Euler-Maruyama", x, len(drifts))


def torchsde_solver(method: str = "euler") -> Callable[..., Samples]:
    """Return a sampler that calls torchsde ("euler", "milstein", "srk") on the reverse-time SDE, stepping on `times`.

    The times must be evenly spaced: torchsde takes one step size. NFE counts every call of the score, so 1 per step for Euler and
    Milstein (the noise is additive, which makes them the same scheme) and 4 for srk.
    """
    if method not in TORCHSDE:
        raise SolverError(f"no SDE method {method!r}; choose one of {', '.join(TORCHSDE)}")

    @torch.no_grad()
    def sample(denoiser: Answers, x: State, times: Times, *, generator: Generator, callback: Callback | None = None) -> Samples:
        import torchsde

        _check(denoiser, times, f"torchsde's {method}")
        grid = times.double()
        gaps = grid[:-1] - grid[1:]
        if not torch.allclose(gaps, gaps.mean()):
            raise SolverError(f"torchsde's {method} takes one step size; give evenly spaced times")
        flat, steps = x.flatten(1), len(gaps)
        reverse = _ReverseSDE(denoiser, x.shape, float(grid[0]), float(gaps.mean()))
        noise = torchsde.BrownianInterval(
            t0=0.0,
            t1=float(steps),
            size=flat.shape,
            dtype=x.dtype,
            device=x.device,
            entropy=int(torch.randint(2**62, (), generator=generator, device=generator.device)),
            levy_area_approximation="space-time" if method == "srk" else "none",
        )
        # on the host: torchsde compares times in Python at every step
        wanted = torch.arange(steps + 1.0, dtype=torch.float64)[:: 1 if callback else steps]
        states = torchsde.sdeint(reverse, flat, wanted, bm=noise, method=method, dt=1.0)
        for step, (t, state) in enumerate(zip(grid.tolist()[1:], states[1:]) if callback else ()):
            callback(step, t, state.reshape(x.shape))
        return finished(f"torchsde's {method}", states[-1].reshape(x.shape), reverse.score.calls)

    return sample


class _ReverseSDE:
    """The reverse-time SDE in torchsde's terms: time grows, states are flat, noise is diagonal (and additive).

    Its time s counts steps, t = start - step s: whole numbers add without rounding, where torchsde, adding up fractions, falls
    short of the end and asks for Brownian increments over 1e-16, for which it takes extra evaluations and may never return.
    """

    noise_type = "diagonal"
    sde_type = "ito"

    def __init__(self, denoiser: Answers, shape: torch.Size, start: float, step: float) -> None:
        self.path, self.shape, self.start, self.step = denoiser.path, shape, start, step
        self.score = Counted(denoiser.score)
        # torchsde checks the drift's shape before the first step, and srk asks up to four times for the same drift
        self.recent: deque[tuple[float, Tensor, Tensor]] = deque(maxlen=4)

    def f(self, s: Tensor, y: Tensor) -> Tensor:
        """Return dx/ds: a step forward in s is one backward in t."""
        for time, state, drift in self.recent:
            if state is y and time == float(s):
                return drift
        t = self._time(s, y)
        score = self.score(y.reshape(self.shape), t).flatten(1)
        drift = -self.step * (self.path.drift_coefficient(t) * y - self.path.diffusion_squared(t) * score)
        self.recent.append((float(s), y, drift))
        return drift

    def g(self, s: Tensor, y: Tensor) -> Tensor:
        """Return the diffusion coefficient per square root of a step, the same for every component."""
        return (self.step * self.path.diffusion_squared(self._time(s, y))).sqrt().expand_as(y)

    def _time(self, s: Tensor, y: Tensor) -> Tensor:
        return as_time(self.start - self.step * float(s), y)


def _check(denoiser: Answers, times: Tensor, what: str) -> None:
    require(denoiser, what, "score")
    if not bool((times[1:] < times[:-1]).all()):
        raise SolverError(f"{what} runs from noise to data; give decreasing times")
    if float(times[0]) > denoiser.path.t_max:
        raise SolverError(
            f"{what} on path {denoiser.path.name!r}: drift and diffusion are infinite at t = {float(times[0]):g}; start at "
            f"t <= {denoiser.path.t_max:g}"
        )
