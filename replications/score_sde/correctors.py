"""Correctors: Langevin steps at one scale, x + eps s + sqrt(2 eps) z, towards the model's marginal there (Song 2021, App. G).

The Langevin corrector takes eps = 2 alpha (r |z| / |s|)^2 with one norm for the whole batch, the mean over its samples, so that
a step depends on the batch; r is the signal-to-noise ratio. Since |s| is near sqrt(d) / sigma, eps is near 2 alpha r^2 sigma^2,
which is what the annealed-Langevin corrector takes: NCSN's step of rho = 2 r^2.

alpha is 1 on the VE path. Elsewhere the paper prints the cumulative product, its code takes 1 - beta_i, and for sub-VP has none.
It is a choice here: "one"; "coded", the squared scale a^2 of the path's own kernel, which is 1 - beta_i through DDPM's levels and
exp(-B) over the step on VP and sub-VP; "printed", alpha(t)^2.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.paths import GaussianPath
from common.dynamics.samplers.loop import Method, Noise, Step, Times, at
from replications.score_sde.discretisation import transition

State = Float[Tensor, "batch *shape"]
Alpha = Literal["one", "coded", "printed"]
Norm = Literal["batch", "dimension"]


def alphas(path: GaussianPath, times: Times, alpha: Alpha) -> dict[float, float]:
    """Return alpha at every time."""
    if alpha == "one":
        return at(times, torch.ones_like)
    if alpha == "printed":
        return at(times, lambda t: path.alpha(t).square())
    ended = times if bool(times[-1] == times[-2]) else torch.cat([times, times[-1:]])
    return {t: kernel.scale**2 for t, kernel in transition(path, ended).items()}


def langevin(snr: float, *, alpha: Alpha = "one", norm: Norm = "batch") -> Method:
    """Return the Langevin corrector of signal-to-noise ratio `snr`.

    norm: of the noise, its mean over the batch as coded, or sqrt(d) as the paper advises for small batches.
    """

    def method(path: GaussianPath, times: Times) -> Step:
        factor = alphas(path, times, alpha)

        def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
            score, z = model.score(x, t), noise(x)
            of_noise = batch_norm(z) if norm == "batch" else x[0].numel() ** 0.5
            eps = 2 * factor[t] * (snr * of_noise / batch_norm(score)) ** 2
            mean = x + eps * score
            return mean + (2 * eps).sqrt() * z, mean

        return step

    return method


def annealed_langevin(snr: float, *, alpha: Alpha = "one") -> Method:
    """Return the corrector of NCSN's steps, eps = 2 alpha (snr sigma)^2."""

    def method(path: GaussianPath, times: Times) -> Step:
        factor, sigma = alphas(path, times, alpha), at(times, path.sigma)

        def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
            eps = 2 * factor[t] * (snr * sigma[t]) ** 2
            mean = x + eps * model.score(x, t)
            return mean + (2 * eps) ** 0.5 * noise(x), mean

        return step

    return method


def at_every(gap: int, corrector: Method) -> Method:
    """Return a corrector that acts at the first scale and at every `gap`-th after it."""

    def method(path: GaussianPath, times: Times) -> Step:
        correct, chosen = corrector(path, times), set(times[:-1:gap].tolist())

        def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
            return correct(model, x, t, t_next, noise) if t in chosen else (x, x)

        return step

    return method


def batch_norm(x: State) -> Float[Tensor, ""]:
    """Return the mean Euclidean norm of the samples of a batch."""
    return x.flatten(1).norm(dim=1).mean()
