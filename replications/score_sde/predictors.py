"""Predictors: one step of the reverse-time SDE or of the probability-flow ODE, from one scale to the next (Song 2021, App. D-F).

Each undoes a step x_{i+1} = a x_i + G z of the forward chain (`discretisation.py`) and asks for one score s at i + 1:

    reverse diffusion    (2 - a) x + G^2 s            + G z        eq. 46
    ancestral            (x + G^2 s) / a              + noise z    eq. 4; 47 on the VE path
    probability flow     (2 - a) x + G^2 s / 2

Ancestral noise is sqrt(beta_i) for DDPM and G sigma_i / sigma_{i+1} for SMLD. With Euler's chain reverse diffusion is
Euler-Maruyama, which is common's. The last step to clean data removes all noise but for the probability flow's, which as
published takes half of the score there too.
"""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.paths import GaussianPath, Prior
from common.dynamics.samplers.loop import Method, Noise, Step, Times
from common.dynamics.samplers.sde import euler_maruyama_method
from common.errors import SolverError
from replications.score_sde.discretisation import Kernel, Kernels, published, steps_of

State = Float[Tensor, "batch *shape"]


class Coefficients(NamedTuple):
    """A predictor's step: of_x x + of_score s + noise z."""

    of_x: float
    of_score: float
    noise: float


Rule = Callable[[Kernel], Coefficients]


def reverse_diffusion_rule(kernel: Kernel) -> Coefficients:
    """The forward chain's own increments, taken back."""
    return Coefficients(2 - kernel.scale, kernel.variance, kernel.variance**0.5)


def probability_flow_rule(kernel: Kernel) -> Coefficients:
    """Half of the score and no noise."""
    return Coefficients(2 - kernel.scale, 0.5 * kernel.variance, 0.0)


def ddpm_rule(kernel: Kernel) -> Coefficients:
    """DDPM's ancestral sampling with noise of variance beta_i."""
    return Coefficients(1 / kernel.scale, kernel.variance / kernel.scale, kernel.variance**0.5)


def smld_rule(kernel: Kernel) -> Coefficients:
    """SMLD's ancestral sampling: noise of the variance of x_i given x_{i+1} and x_0, so none on the way to clean data."""
    return ddpm_rule(kernel)._replace(noise=kernel.variance**0.5 * kernel.ratio)


def predictor(rule: Rule, kernels: Kernels = published) -> Method:
    """Return the predictor of a rule over a discretisation of the forward SDE; one evaluation per step."""

    def method(path: GaussianPath, times: Times) -> Step:
        coefficients = {t: rule(kernel) for t, kernel in kernels(path, times).items()}

        def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
            of_x, of_score, std = coefficients[t]
            mean = of_x * x + of_score * model.score(x, t)
            return (mean + std * noise(x) if std else mean), mean

        return step

    return method


reverse_diffusion, probability_flow = predictor(reverse_diffusion_rule), predictor(probability_flow_rule)


def ancestral(path: GaussianPath, times: Times) -> Step:
    """Ancestral sampling of SMLD on the VE path, of DDPM on the VP path and through DDPM's own levels."""
    if path.name not in ("ve", "vp", "ddpm"):
        raise SolverError(f"no ancestral predictor on path {path.name!r}; common's `ancestral` sampler runs on every path")
    return predictor(smld_rule if path.name == "ve" else ddpm_rule)(path, times)


def euler_maruyama(path: GaussianPath, times: Times) -> Step:
    """Common's Euler-Maruyama, whose last step goes 1 / N further where the last time is repeated, as coded."""
    steps_of(times)
    step_of_common, width = euler_maruyama_method(path, times), 1 / (len(times) - 1)

    def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
        return step_of_common(model, x, t, t - width if t_next == t else t_next, noise)

    return step


def identity(path: Prior, times: Times) -> Step:
    """Return the state as it is: no predictor, or no corrector."""

    def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
        return x, x

    return step


TABLE_1: dict[str, Method] = {  # the predictors of Table 1
    "ancestral": ancestral,
    "reverse_diffusion": reverse_diffusion,
    "probability_flow": probability_flow,
}
NONE = "corrector_only"  # what samples without a predictor are labelled with
