"""Log-likelihood by the instantaneous change of variables (Chen 2018, eq. 8).

Along dx/dt = v(x, t) the density obeys d log p_t(x_t) / dt = -div v, so with the flow from the data end t_0 to the noise end t_1

    log p_{t_0}(x) = log p_{t_1}(x_{t_1}) + int_{t_0}^{t_1} div v dt.

Shared by CNF, FFJORD, score SDE and flow matching. With Hutchinson's estimator one probe is drawn per solve: a fresh one at every
evaluation would make the right-hand side discontinuous and the adaptive solver stall.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Answers, require
from common.dynamics.divergence import Field, exact_divergence, hutchinson_divergence, rademacher
from common.dynamics.samplers.ode import integrate
from common.dynamics.samplers.result import Counted
from common.errors import SolverError


class LogLikelihood(NamedTuple):
    """Log-density in nats, number of evaluations of the field, and the latent that the flow ends at."""

    log_density: Float[Tensor, " batch"]
    nfe: int
    latent: Float[Tensor, "batch *shape"]


def flow_log_density(
    field: Field,
    x: Float[Tensor, "batch *shape"],
    prior_log_density: Callable[[Tensor], Tensor],
    times: Float[Tensor, " ends"],
    *,
    probe: Float[Tensor, "batch *shape"] | None = None,
    chunk: int | None = None,
    method: str = "dopri5",
    rtol: float = 1e-5,
    atol: float = 1e-5,
) -> LogLikelihood:
    """Return the log-density at x, a point of the flow of `field` at times[0] whose end at times[-1] follows the prior.

    With a `probe` the divergence is Hutchinson's, without one exact (`chunk` dimensions at once). State and integral are float64;
    the result can be differentiated in x and the field's parameters.
    """

    def augmented(t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        if probe is None:
            return exact_divergence(field, t, state[0], chunk=chunk)
        return hutchinson_divergence(field, t, state[0], probe.to(state[0]))

    counted = Counted(augmented)
    start = (x, torch.zeros(len(x), dtype=torch.float64, device=x.device))
    states, integrals = integrate(counted, start, times, method=method, rtol=rtol, atol=atol)
    return LogLikelihood(prior_log_density(states[-1]) + integrals[-1], counted.calls, states[-1])


@torch.no_grad()
def log_likelihood(
    denoiser: Answers,
    x: Float[Tensor, "batch *shape"],
    *,
    divergence: Literal["exact", "hutchinson"] = "exact",
    generator: Generator | None = None,
    method: str = "dopri5",
    rtol: float = 1e-5,
    atol: float = 1e-5,
    t_min: float | None = None,
    t_max: float = 1.0,
    chunk: int | None = None,
) -> LogLikelihood:
    """Return log p(x) of a model by its probability-flow ODE, from t_min (the path's own unless given) to t_max.

    x counts as a point at t_min, and the model's density at t_max as the prior's: the result is the density of what an exact ODE
    sampler started from the prior would make. `generator` draws the Rademacher probe of the Hutchinson divergence; `chunk` bounds
    the memory of the exact one.
    """
    require(denoiser, "the ODE likelihood")
    probe = None
    if divergence == "hutchinson":
        if generator is None:
            raise SolverError("the Hutchinson divergence draws a probe: pass a generator")
        probe = rademacher(x, generator=generator)
    times = torch.tensor([denoiser.path.t_min if t_min is None else t_min, t_max], dtype=torch.float64)
    return flow_log_density(
        lambda t, state: denoiser.velocity(state, t),
        x,
        denoiser.path.prior_log_density,
        times,
        probe=probe,
        chunk=chunk,
        method=method,
        rtol=rtol,
        atol=atol,
    )
