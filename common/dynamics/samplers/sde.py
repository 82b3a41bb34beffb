"""Samplers of the reverse-time SDE dx = [f x - g^2 score] dt + g dw, integrated from noise down to data (Song 2021, eq. 6).

The state keeps x's dtype: at the accuracy of these schemes float32 rounding does not show.
"""

from collections import deque

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Answers, as_time, require
from common.dynamics.paths import GaussianPath
from common.dynamics.samplers.loop import Noise, Sampler, Step, Times, at, check_times, sampler
from common.dynamics.samplers.noise import Source
from common.dynamics.samplers.result import Callback, Counted, Samples, called_back, finished
from common.errors import SolverError

State = Float[Tensor, "batch *shape"]
TORCHSDE = ("euler", "milstein", "srk")


def euler_maruyama_method(path: GaussianPath, times: Times) -> Step:
    """Euler-Maruyama: weak order 1, one evaluation per step."""
    drift, diffusion = at(times[:-1], path.drift_coefficient), at(times[:-1], path.diffusion_squared)

    def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
        h, f, g2 = t - t_next, drift[t], diffusion[t]
        mean = x - h * (f * x - g2 * model.score(x, t))
        return mean + (h * g2) ** 0.5 * noise(x), mean

    return step


euler_maruyama = sampler("Euler-Maruyama", euler_maruyama_method, quantity="score", singular_at_noise=True)


def torchsde_solver(method: str = "euler") -> Sampler:
    """Return a sampler that calls torchsde ("euler", "milstein", "srk") on the reverse-time SDE, stepping on `times`.

    The times must be evenly spaced: torchsde takes one step size. NFE counts every call of the score, so 1 per step for Euler and
    Milstein (the noise is additive, which makes them the same scheme) and 4 for srk. Its Brownian motion is the whole batch's, so
    it takes a generator and no streams of noise.
    """
    if method not in TORCHSDE:
        raise SolverError(f"no SDE method {method!r}; choose one of {', '.join(TORCHSDE)}")
    what = f"torchsde's {method}"

    @torch.no_grad()
    def sample(model: Answers, x: State, times: Times, *, generator: Source = None, callback: Callback | None = None) -> Samples:
        import torchsde

        require(model, what, "score")
        check_times(model.path, times, what, downwards=True, singular_at_noise=True)
        if not isinstance(generator, Generator):
            raise SolverError(f"{what} draws its noise for the whole batch: pass a generator")
        grid = times.double()
        gaps = grid[:-1] - grid[1:]
        if not torch.allclose(gaps, gaps.mean()):
            raise SolverError(f"{what} takes one step size; give evenly spaced times")
        flat, steps = x.flatten(1), len(gaps)
        reverse = _ReverseSDE(model, x.shape, float(grid[0]), float(gaps.mean()))
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
        stops = torch.arange(steps + 1.0, dtype=torch.float64)[:: 1 if callback else steps]
        for number, part in enumerate(stops.unfold(0, 2, 1)):
            flat = torchsde.sdeint(reverse, flat, part, bm=noise, method=method, dt=1.0)[-1]
            if callback:
                flat = called_back(callback, number, float(grid[number + 1]), flat.reshape(x.shape)).flatten(1)
        return finished(what, flat.reshape(x.shape), reverse.score.calls)

    return sample


class _ReverseSDE:
    """The reverse-time SDE in torchsde's terms: time grows, states are flat, noise is diagonal (and additive).

    Its time s counts steps, t = start - step s: whole numbers add without rounding, where torchsde, adding up fractions, falls
    short of the end and asks for Brownian increments over 1e-16, for which it takes extra evaluations and may never return.
    """

    noise_type = "diagonal"
    sde_type = "ito"

    def __init__(self, model: Answers, shape: torch.Size, start: float, step: float) -> None:
        self.path, self.shape, self.start, self.step = model.path, shape, start, step
        self.score = Counted(model.score)
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
