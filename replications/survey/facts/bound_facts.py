"""What is said of bounds and variances, on Gaussian data N(0, s^2) of one dimension: closed forms and quadrature, in float64.

VLB               1/2 int |SNR'(t)| E|x_0 - D|^2 dt depends on its ends' SNRs alone (Kingma 2021), its estimator does not
Analytic-DPM      with variance beta tilde + c_0^2 Var(x_0 | x_t) the chain is exact at any number of steps (Bao 2022)
likelihood weight 1/2 int g^2 E|score error|^2 dt + KL(ends) >= KL(data, model's samples) (Song, Durkan et al. 2021)
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.paths import PATHS, GaussianPath, uniform_times, vp
from common.dynamics.samplers.edm import noise_ratio, time_of_ratio
from common.runs.folders import row
from replications.score_sde.discretisation import transition

Row = dict[str, Any]
OfTime = Callable[[Tensor], Tensor]
RATIOS = (0.02, 5.0)  # sigma / alpha at the ends of the bound, on every path
NODES = 400
START, END = 0.95, 0.05  # of the chains
DATA_END = 1e-3  # of the likelihoods


def nodes(start: float, end: float) -> tuple[Float[Tensor, " nodes"], Float[Tensor, " nodes"]]:
    """Return Gauss and Legendre's nodes and weights between two times."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    half = 0.5 * (end - start)
    return torch.from_numpy(start + half * (x + 1)), torch.from_numpy(half * w)


def vlb_rows(std: float) -> list[Row]:
    """Return by path how far the bound's integral is from its closed form, and the deviation of one draw of a uniform time."""
    ends = torch.tensor(RATIOS, dtype=torch.float64)
    exact = 0.5 * float(torch.log((1 + std**2 / ends[0] ** 2) / (1 + std**2 / ends[1] ** 2)))
    rows = []
    for name, make in PATHS.items():
        path = make()
        first, last = time_of_ratio(path, ends).tolist()
        t, weights = nodes(first, last)
        integrand = vlb_integrand(path, std, t)
        rows.append(row("vlb_gap", abs(float(weights @ integrand) - exact), variant=name, unit="nats"))
        deviation = (float(weights @ integrand.square()) * (last - first) - exact**2) ** 0.5
        rows.append(row("vlb_deviation", deviation, variant=name, unit="nats"))
    return rows


def vlb_integrand(path: GaussianPath, std: float, t: Float[Tensor, " nodes"]) -> Float[Tensor, " nodes"]:
    """Return 1/2 |dSNR/dt| Var(x_0 | x_t), with SNR = (alpha / sigma)^2."""
    ratio = noise_ratio(path, t)
    growth = path.sigma_dot(t) / path.sigma(t) - path.drift_coefficient(t)
    return growth / ratio.square() * posterior_variance(std, ratio)


def posterior_variance(std: float, ratio: Tensor) -> Tensor:
    """Return Var(x_0 | x_t) = s^2 / (1 + s^2 SNR)."""
    return std**2 / (1 + (std / ratio).square())


def chain_rows(std: float, steps: list[int]) -> list[Row]:
    """Return the relative error of the variance at the end of a reverse chain, by the variance that its steps take."""
    rows = []
    for name, make in PATHS.items():
        path = make()
        for count in steps:
            times = uniform_times(path, count, t_min=END, t_max=START)
            for method in ("analytic", "posterior", "forward"):
                gap = chain_gap(path, std, times, method)
                rows.append(row("chain_variance_gap", gap, method=method, variant=name, axis="steps", at=count))
    return rows


def chain_gap(path: GaussianPath, std: float, times: Float[Tensor, " points"], method: str) -> float:
    """Return |variance / exact - 1| at the last time; x_0 is predicted by its mean, and the first variance is exact."""
    exact = (path.alpha(times) * std).square() + path.sigma(times).square()
    variance, kernels = float(exact[0]), transition(path, times)
    alpha, ratios = path.alpha(times).tolist(), noise_ratio(path, times)
    for k, t in enumerate(times[:-1].tolist()):
        kernel = kernels[t]
        # q(x_u | x_t, x_0): sigma_u^2 / sigma_t^2 a x_t + alpha_u G^2 / sigma_t^2 x_0, variance (G sigma_u / sigma_t)^2
        of_x, of_data = kernel.scale * kernel.ratio**2, alpha[k + 1] * kernel.variance / (alpha[k] * float(ratios[k])) ** 2
        tilde = kernel.variance * kernel.ratio**2
        added = {
            "analytic": tilde + of_data**2 * float(posterior_variance(std, ratios[k])),
            "posterior": tilde,
            "forward": kernel.variance,
        }[method]
        variance = (of_x + of_data * alpha[k] * std**2 / float(exact[k])) ** 2 * variance + added
    return abs(variance / float(exact[-1]) - 1)


def likelihood_rows(std: float, errors: list[float], wrong: float) -> list[Row]:
    """Return bound less KL divergence on the VP path, by the relative error of a score, and for other data's score.

    The first is no diffusion's score, so the bound is loose unless the error is 0; the second is one's, so it is tight.
    """
    path, labels = vp(), {"variant": "vp", "unit": "nats"}
    width = variance_of(path, std)
    rows = []
    for error in errors:
        gap = bound_gap(path, std, lambda t: (1 + error) / width(t), float(width(torch.tensor(1.0).double())))  # noqa: B023
        rows.append(row("likelihood_bound_gap", gap, method="scaled_score", axis="error", at=error, **labels))
    other = variance_of(path, wrong * std)
    gap = bound_gap(path, std, lambda t: 1 / other(t), float(other(torch.tensor(1.0).double())))
    return [*rows, row("likelihood_bound_gap", gap, method="other_data", axis="error", at=wrong, **labels)]


def variance_of(path: GaussianPath, std: float) -> OfTime:
    """Return the marginal variance of data N(0, std^2) as a function of time."""
    return lambda t: (path.alpha(t) * std).square() + path.sigma(t).square()


def bound_gap(path: GaussianPath, std: float, precision: OfTime, prior: float) -> float:
    """Return bound - KL for the model score -precision(t) x and the prior N(0, prior)."""
    exact = variance_of(path, std)
    t, weights = nodes(DATA_END, 1.0)
    error = (precision(t) - 1 / exact(t)).square() * exact(t)
    ends = torch.tensor([DATA_END, 1.0], dtype=torch.float64)
    bound = 0.5 * float(weights @ (path.diffusion_squared(t) * error)) + kl(float(exact(ends[1])), prior)
    return bound - kl(float(exact(ends[0])), sampled_variance(path, precision, prior))


def kl(one: float, other: float) -> float:
    """Return KL(N(0, one), N(0, other)) of variances, in nats."""
    return 0.5 * (one / other - 1 - float(np.log(one / other)))


def sampled_variance(path: GaussianPath, precision: OfTime, prior: float) -> float:
    """Return the data end's variance of the reverse SDE with score -precision(t) x: dv/dt = 2 (f + g^2 precision) v - g^2."""
    from scipy.integrate import solve_ivp

    def slope(t: float, v: np.ndarray) -> np.ndarray:
        time = torch.tensor(t, dtype=torch.float64)
        f, g2 = float(path.drift_coefficient(time)), float(path.diffusion_squared(time))
        return 2 * (f + g2 * float(precision(time))) * v - g2

    found = solve_ivp(slope, (1.0, DATA_END), [prior], method="DOP853", rtol=1e-11, atol=1e-13)
    return float(found.y[0, -1])
