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
from common.dynamics.divergence import DivergenceField, rademacher, with_exact_divergence, with_hutchinson
from common.dynamics.samplers.ode import integrate
from common.dynamics.samplers.result import Counted
from common.errors import SolverError

EXACT_UP_TO = 64  # dimensions: there the exact divergence is affordable, and an estimate's noise is not worth having

Divergence = Literal["auto", "exact", "hutchinson"]


class Transported(NamedTuple):
    """States and the divergence's integral since the first time, at every time asked for, and evaluations of the field."""

    states: Float[Tensor, "times *batch_shape"]
    integrals: Float[Tensor, "times *batch"]
    nfe: int


class LogLikelihood(NamedTuple):
    """Log-density in nats, number of evaluations of the field, the latent that the flow ends at, and whether it is an estimate.

    A noisy log-density is unbiased as it stands, but its exponential is not: see `metrics.density.importance_weighted`.
    """

    log_density: Float[Tensor, "*batch"]
    nfe: int
    latent: Float[Tensor, "*batch_shape"]
    noisy: bool = False


def transport(
    field: DivergenceField,
    x: Float[Tensor, "*batch_shape"],
    times: Float[Tensor, " times"],
    start: Float[Tensor, "*batch"],
    *,
    method: str = "dopri5",
    rtol: float = 1e-5,
    atol: float = 1e-5,
) -> Transported:
    """Return the flow of `field` from x through `times`, and the integral of its divergence, which begins at `start`.

    State and integral are float64; the result can be differentiated in x and the field's parameters.
    """
    counted = Counted(lambda t, state: field(t, state[0]))
    states, integrals = integrate(counted, (x, start), times, method=method, rtol=rtol, atol=atol)
    return Transported(states, integrals, counted.calls)


def flow_log_density(
    field: DivergenceField,
    x: Float[Tensor, "*batch_shape"],
    prior_log_density: Callable[[Tensor], Tensor],
    times: Float[Tensor, " times"],
    *,
    noisy: bool = False,
    method: str = "dopri5",
    rtol: float = 1e-5,
    atol: float = 1e-5,
) -> LogLikelihood:
    """Return the log-density at x, a point of the flow of `field` at times[0] whose end at times[-1] follows the prior.

    `field` gives its divergence beside its value: exact, estimated (then say `noisy`), or in a closed form of its own. The
    prior's log-density says the shape of the result.
    """
    start = torch.zeros_like(prior_log_density(x), dtype=torch.float64)
    moved = transport(field, x, times, start, method=method, rtol=rtol, atol=atol)
    latent = moved.states[-1]
    return LogLikelihood(prior_log_density(latent) + moved.integrals[-1], moved.nfe, latent, noisy)


def is_estimated(divergence: Divergence, dim: int) -> bool:
    """Whether the divergence in `dim` dimensions is Hutchinson's estimate: if asked for, or by itself above EXACT_UP_TO."""
    return divergence == "hutchinson" or (divergence == "auto" and dim > EXACT_UP_TO)


@torch.inference_mode(False)  # a divergence differentiates, whatever the caller forbids
@torch.no_grad()
def log_likelihood(
    model: Answers,
    x: Float[Tensor, "batch *shape"],
    *,
    divergence: Divergence = "auto",
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
    sampler started from the prior would make. The divergence is exact up to EXACT_UP_TO dimensions and Hutchinson's above, unless
    one is asked for; `generator` draws the latter's Rademacher probe, `chunk` bounds the memory of the former.
    """
    require(model, "the ODE likelihood")
    x = x.clone()  # a tensor made in inference mode cannot be differentiated in
    noisy = is_estimated(divergence, x[0].numel())
    if noisy and generator is None:
        raise SolverError("the Hutchinson divergence draws a probe: pass a generator")

    def velocity(t: Tensor, state: Tensor) -> Tensor:
        return model.velocity(state, t)

    field = (
        with_hutchinson(velocity, rademacher(x, generator=generator)) if noisy else with_exact_divergence(velocity, chunk=chunk)
    )
    times = torch.tensor([model.path.t_min if t_min is None else t_min, t_max], dtype=torch.float64)
    return flow_log_density(field, x, model.path.prior_log_density, times, noisy=noisy, method=method, rtol=rtol, atol=atol)
