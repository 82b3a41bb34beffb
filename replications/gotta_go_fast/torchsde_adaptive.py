"""Off-the-shelf adaptive solvers of SDEs in Euler-Maruyama's place: torchsde's, of any method that it has (App. A).

The paper tries those of DifferentialEquations.jl. torchsde's estimate the error by doubling steps and share the step of the whole
batch; since the noise is additive, an Ito and a Stratonovich method solve the same equation.

    euler                       strong order 1 here, as Milstein's
    euler_heun, heun, midpoint  of Stratonovich type
    srk                         Roessler's SRA1, strong order 1.5, two drifts a step
"""

from collections import deque

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Answers, as_time, require
from common.dynamics.samplers.loop import Sampler, Times, check_times
from common.dynamics.samplers.noise import Source
from common.dynamics.samplers.result import Callback, Counted, Samples, finished
from common.errors import SolverError

LEAST_STEP = 1e-9  # a step below it is accepted, whatever its error
METHODS = {"euler": "ito", "srk": "ito", "euler_heun": "stratonovich", "heun": "stratonovich", "midpoint": "stratonovich"}


def torchsde_adaptive(
    method: str = "srk", *, rtol: float, atol: float, first_step: float = 0.01, max_evaluations: int = 20_000
) -> Sampler:
    """Return a sampler that calls torchsde with adaptive steps, from the first to the last of the given times.

    Evaluations are counted, those of rejected steps too, but one for each drift: a drift that is asked for again is not taken
    again. It takes a generator and no callback. Raises `SolverError` for an unknown method, past `max_evaluations`, and when
    values are not finite.
    """
    if method not in METHODS:
        raise SolverError(f"no SDE method {method!r}; choose one of {', '.join(METHODS)}")
    what = f"torchsde's adaptive {method} at rtol={rtol:g}, atol={atol:g}"

    @torch.no_grad()
    def sample(model: Answers, x: Tensor, times: Times, *, generator: Source = None, callback: Callback | None = None) -> Samples:
        import torchsde

        require(model, what, "score")
        check_times(model.path, times, what, downwards=True, singular_at_noise=True)
        if not isinstance(generator, Generator) or callback is not None:
            raise SolverError(
                f"{what} draws its noise for the whole batch and keeps its states: pass a generator and no callback"
            )
        span = times.double().cpu()[[0, -1]]
        flat, ends = x.flatten(1), torch.stack([span.new_zeros(()), span[0] - span[1]])
        sde = ReversedInTime(model, x.shape, float(span[0]), METHODS[method], max_evaluations, what)
        noise = torchsde.BrownianInterval(
            t0=ends[0],
            t1=ends[1],
            size=flat.shape,
            dtype=x.dtype,
            device=x.device,
            entropy=int(torch.randint(2**62, (), generator=generator, device=generator.device)),
            levy_area_approximation="space-time" if method == "srk" else "none",
        )
        adaptive = {"adaptive": True, "rtol": rtol, "atol": atol, "dt": first_step, "dt_min": LEAST_STEP}
        try:
            found = torchsde.sdeint(sde, flat, ends, bm=noise, method=method, **adaptive)[-1]
        except AssertionError as error:  # values that are not finite
            raise SolverError(f"{what}: {error}") from None
        return finished(what, found.reshape(x.shape), sde.score.calls)

    return sample


class ReversedInTime:
    """The reverse-time SDE in torchsde's terms, in s = start - t: states are flat, noise is additive."""

    noise_type = "additive"

    def __init__(self, model: Answers, shape: torch.Size, start: float, sde_type: str, most: int, what: str) -> None:
        self.path, self.shape, self.start, self.sde_type, self.most, self.what = model.path, shape, start, sde_type, most, what
        self.score = Counted(model.score)
        # a full step and the first of its two halves start with the same drift, and so does a step after one that was rejected
        self.recent: deque[tuple[float, Tensor, Tensor]] = deque(maxlen=4)

    def f(self, s: Tensor, y: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Return dx/ds. Raises `SolverError` past the largest number of evaluations."""
        for time, state, drift in self.recent:
            if state is y and time == float(s):
                return drift
        if self.score.calls >= self.most:
            raise SolverError(f"{self.what}: not at the end after {self.most} evaluations; loosen the tolerance")
        t = self._time(s, y)
        score = self.score(y.reshape(self.shape), t).flatten(1)
        drift = self.path.diffusion_squared(t) * score - self.path.drift_coefficient(t) * y
        self.recent.append((float(s), y, drift))
        return drift

    def g_prod(self, s: Tensor, y: Float[Tensor, "batch dim"], v: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Return g times the noise's increment, the same factor for every component."""
        return self.path.diffusion_squared(self._time(s, y)).sqrt() * v

    def _time(self, s: Tensor, y: Tensor) -> Tensor:
        return as_time(self.start - float(s), y)
