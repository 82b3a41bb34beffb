"""The adaptive solver of the reverse-time SDE, for any score on any Gaussian path (Jolicoeur-Martineau 2021, Algorithm 1).

Euler-Maruyama and the stochastic improved Euler share two evaluations of the score; their difference chooses each sample's own
step (`step_size.py`), and the higher order is gone on with (`schemes.py`).
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.answers import require as require_answer
from common.dynamics.paths import broadcast
from common.dynamics.samplers.loop import Sampler, Times, check_times
from common.dynamics.samplers.noise import Source, draws
from common.dynamics.samplers.result import Callback, Samples
from common.errors import SolverError
from replications.gotta_go_fast.adaptive_loop import Problem, solve
from replications.gotta_go_fast.brownian import REMEMBER, Noise
from replications.gotta_go_fast.schemes import Field, drift_alone, improved_euler
from replications.gotta_go_fast.step_size import Control, Norm, Previous

Error = Literal["sde", "drift"]
State = Float[Tensor, "batch *shape"]
WHAT = "the adaptive SDE solver"


def adaptive_sde(
    rtol: float,
    atol: float,
    *,
    first_step: float = 0.01,
    safety: float = 0.9,
    power: float = 0.9,
    norm: Norm = "rms",
    extrapolate: bool = True,
    previous: Previous = "compared",
    error: Error = "sde",
    noise: Noise = "redrawn",
    reuse: bool = False,
    max_iterations: int = 100_000,
) -> Sampler:
    """Return `sample(model, x, times, *, generator=None, callback=None) -> Samples`; the defaults are the paper's.

    rtol, atol, safety, power, norm, previous: as `Control` says. first_step: in units of time. extrapolate: go on with the
    higher order. error: of the SDE, or of its drift alone (Lamba's). noise: what becomes of a rejected step's (`brownian.py`).
    reuse: after a rejection the score where the step starts is not asked again: the same samples for fewer evaluations.

    `sample` goes from the first of `times` to the last and chooses those between itself. `nfe` and `rejected` are each sample's
    own: two evaluations per step on trial, less one per rejection with `reuse`; the released code counts its slowest sample's.
    A generator seeds one stream of noise per sample. A callback gets every sample's own time, [batch], after each step on trial,
    and may change states, so nothing is reused beside it. A last denoising step is `denoised_last`'s. Raises `SolverError` as
    `solve` says.
    """
    control, remember = Control(rtol, atol, safety, power, norm, previous).checked(), REMEMBER.get(noise)
    scheme = {"sde": improved_euler, "drift": drift_alone}.get(error)
    if remember is None or scheme is None:
        raise SolverError(f"no noise {noise!r} or no error {error!r}; choose redrawn, kept or bridge, and sde or drift")
    if not first_step > 0:
        raise SolverError(f"first_step must be above 0; got {first_step:g}")

    @torch.no_grad()
    def sample(model: Answers, x: State, times: Times, *, generator: Source = None, callback: Callback | None = None) -> Samples:
        require_answer(model, WHAT, "score")
        check_times(model.path, times, WHAT, downwards=True, singular_at_noise=True)
        start, end = times.double()[[0, -1]].tolist()
        field = reverse_time(model)
        again = reuse and callback is None
        problem = Problem(WHAT, field, start, end, scheme(extrapolate), control, remember, first_step, max_iterations, again)
        return solve(problem, x, draws(x, generator, WHAT), callback)

    return sample


def reverse_time(model: Answers) -> Field:
    """Return the reverse-time SDE as a field, per unit of time towards the data: -(f x - g^2 score) and g."""
    path = model.path

    def field(x: Float[Tensor, "rows *shape"], t: Float[Tensor, " rows"]) -> tuple[Tensor, Tensor]:
        f, g2 = path.drift_coefficient(t), path.diffusion_squared(t)
        drift = (broadcast(-f.to(x), x) * x).addcmul_(broadcast(g2.to(x), x), model.score(x, t))
        return drift, broadcast(g2.sqrt().to(x), x)

    return field
