"""Samplers that solve the linear part of a step exactly and approximate the data prediction D(x, t) = E[x_0 | x_t = x] alone.

With ratio = sigma_s / sigma_t, a step of the probability flow from t to s is, on any Gaussian path,

    x_s = ratio x + (alpha_s - alpha_t ratio) D

if D stays what it was at t (DDIM, order 1), and of order 2 if D is extrapolated from the step before (DPM-Solver++ 2M).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.paths import GaussianPath
from common.dynamics.samplers.loop import Method, Noise, Sampler, Step, Times, at, sampler
from common.errors import SolverError

State = Float[Tensor, "batch *shape"]


def ddim_method(eta: float) -> Method:
    """DDIM (Song, Meng & Ermon 2021, eq. 12, 16) on any Gaussian path; eta = 1 draws from the posterior q(x_s | x_t, D)."""

    def method(path: GaussianPath, times: Times) -> Step:
        alpha, sigma = at(times, path.alpha), at(times, path.sigma)

        def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
            data = model.denoised(x, t)
            std = eta * posterior_std(alpha[t], sigma[t], alpha[t_next], sigma[t_next]) if eta else 0.0
            ratio = math.sqrt(max(0.0, sigma[t_next] ** 2 - std**2)) / sigma[t]
            mean = ratio * x + (alpha[t_next] - alpha[t] * ratio) * data
            return (mean + std * noise(x) if std else mean), mean

        return step

    return method


def posterior_std(alpha: float, sigma: float, alpha_next: float, sigma_next: float) -> float:
    """Return the standard deviation of q(x_s | x_t, x_0) for s < t (Ho 2020, eq. 7, in terms of alpha and sigma).

    Given x_s, x_t is Gaussian with variance sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2.
    """
    forward = sigma**2 - (alpha / alpha_next * sigma_next) ** 2
    return math.sqrt(max(0.0, forward)) * sigma_next / sigma


def ddim(eta: float = 0.0) -> Sampler:
    """Return DDIM: deterministic at eta = 0, ancestral sampling at eta = 1; one evaluation per step."""
    if not 0 <= eta <= 1:
        raise SolverError(f"eta of DDIM lies between 0 (no noise) and 1 (ancestral sampling); got {eta}")
    return sampler(f"DDIM (eta = {eta:g})", ddim_method(eta))


ancestral = sampler("ancestral sampling", ddim_method(1.0))


def dpm_solver_pp_2m_method(path: GaussianPath, times: Times) -> Step:
    """DPM-Solver++ 2M (Lu et al. 2022, algorithm 2): order 2 by the step before's data prediction; one evaluation per step."""
    alpha, sigma = at(times, path.alpha), at(times, path.sigma)
    log_snr = at(times, lambda t: (path.alpha(t) / path.sigma(t)).log())
    last: list[tuple[float, Tensor]] = []  # the width of the step before, in half the log-SNR, and its data prediction

    def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
        data, width, ratio = model.denoised(x, t), log_snr[t_next] - log_snr[t], sigma[t_next] / sigma[t]
        forward = data
        if last and math.isfinite(last[0][0]) and math.isfinite(width):
            forward = torch.lerp(data, last[0][1], -0.5 * width / last[0][0])
        last[:] = [(width, data)]
        x = ratio * x + (alpha[t_next] - alpha[t] * ratio) * forward
        return x, x

    return step


dpm_solver_pp_2m = sampler("DPM-Solver++ 2M", dpm_solver_pp_2m_method)
