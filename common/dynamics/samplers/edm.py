"""Sampling in the noise-to-signal ratio s = sigma / alpha, with x / alpha as state (Karras et al. 2022).

On any Gaussian path x / alpha is data plus noise of standard deviation s, so that one sampler serves all of them.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.paths import GaussianPath
from common.dynamics.samplers.loop import Noise, Sampler, Step, Times, at, sampler
from common.errors import SolverError

State = Float[Tensor, "batch *shape"]


def noise_ratio(path: GaussianPath, t: Tensor) -> Tensor:
    """Return s(t) = sigma / alpha, which grows with t."""
    return path.sigma(t) / path.alpha(t)


def time_of_ratio(path: GaussianPath, ratio: Float[Tensor, "*points"]) -> Float[Tensor, "*points"]:
    """Return the time at which sigma / alpha has this value, by bisection, in float64."""
    low, high = torch.zeros_like(ratio, dtype=torch.float64), torch.ones_like(ratio, dtype=torch.float64)
    for _ in range(60):  # halves the interval below float64's resolution
        middle = 0.5 * (low + high)
        above = noise_ratio(path, middle) > ratio
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return 0.5 * (low + high)


def karras_times(
    path: GaussianPath, steps: int, *, rho: float = 7.0, t_min: float | None = None, t_max: float | None = None
) -> Float[Tensor, " points"]:
    """Return steps + 1 times whose ratios s are evenly spaced in s^(1/rho) (eq. 5); the ends are the path's own unless given."""
    ends = torch.tensor([path.t_max if t_max is None else t_max, path.t_min if t_min is None else t_min], dtype=torch.float64)
    first, last = noise_ratio(path, ends) ** (1 / rho)
    ratios = torch.lerp(first, last, torch.linspace(0, 1, steps + 1, dtype=torch.float64)) ** rho
    return torch.cat([ends[:1], time_of_ratio(path, ratios[1:-1]), ends[1:]])


def edm_heun(churn: float = 0.0, *, ratio_min: float = 0.0, ratio_max: float = math.inf, noise_scale: float = 1.0) -> Sampler:
    """Return EDM's stochastic Heun sampler (algorithm 2), two evaluations per step; without churn it is the deterministic one.

    churn, ratio_min, ratio_max, noise_scale: the paper's S_churn, S_tmin, S_tmax and S_noise. Steps that would leave the path's
    largest ratio add less noise.
    """
    if churn < 0:
        raise SolverError(f"churn adds noise, so it must not be negative; got {churn}")

    def method(path: GaussianPath, times: Times) -> Step:
        ratios, alpha = at(times, lambda t: noise_ratio(path, t)), at(times, path.alpha)
        most = max(*ratios.values(), float(noise_ratio(path, torch.tensor(path.t_max, dtype=torch.float64))))
        growth = 1 + min(churn / (len(times) - 1), math.sqrt(2) - 1)
        raised = {t: min(most, s * growth) if ratio_min <= s <= ratio_max else s for t, s in ratios.items()}
        found = time_of_ratio(path, torch.tensor(list(raised.values()), dtype=torch.float64)).tolist() if churn else ratios
        # a time whose ratio stays is kept as it is: a network of noise levels must find its own
        asked = {t: found if raised[t] > ratios[t] else t for t, found in zip(ratios, found)}
        scale = at(torch.tensor(list(asked.values()), dtype=torch.float64), path.alpha)

        def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
            s, s_hat, s_next, t_hat = ratios[t], raised[t], ratios[t_next], asked[t]
            state = x / alpha[t]
            if s_hat > s:
                state = state + noise_scale * math.sqrt(s_hat**2 - s**2) * noise(x)
            slope = (state - model.denoised(scale[t_hat] * state, t_hat)) / s_hat
            ahead = state + (s_next - s_hat) * slope
            if s_next > 0:
                other = (ahead - model.denoised(alpha[t_next] * ahead, t_next)) / s_next
                ahead = state + (s_next - s_hat) * 0.5 * (slope + other)
            x = alpha[t_next] * ahead
            return x, x

        return step

    name = f"EDM's Heun (churn {churn:g})" if churn else "EDM's Heun"
    return sampler(name, method, visits="both", singular_at_noise=True)
