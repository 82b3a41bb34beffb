"""Annealed Langevin dynamics (Song & Ermon 2019, Algorithm 1): T Langevin steps at each level, from the largest noise down.

A step is x <- x + a s(x) + sqrt(2 a) z. Its drift coefficient a is proportional to sigma^2, which keeps drift and noise in one
ratio at all levels. The paper prints and its code runs two different steps with one eps, the code's being twice as large:

    printed    x + (alpha / 2) s + sqrt(alpha) z        a = alpha / 2        alpha = eps sigma_i^2 / sigma_L^2
    coded      x + alpha s + sqrt(2 alpha) z            a = alpha

so a sampler is told rho = a / sigma^2, whichever convention it came from: `relative_step`. At a Gaussian level of variance
sigma^2 the chain settles at variance sigma^2 / (1 - rho / 2), and diverges from rho = 2 on. As published there is no last
denoising step, so samples keep noise of the least level.
"""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Answers
from common.dynamics.paths import GaussianPath
from common.dynamics.samplers.loop import Noise, Sampler, Step, Times, at, sampler

State = Float[Tensor, "batch *shape"]
Convention = Literal["printed", "coded"]


def relative_step(eps: float, sigma_min: float, convention: Convention) -> float:
    """Return rho = a / sigma^2 of a published step size `eps`, by the printed algorithm or by the code."""
    return eps / sigma_min**2 * (0.5 if convention == "printed" else 1.0)


def langevin(coefficient: Callable[[Tensor], Tensor], what: str = "Langevin dynamics") -> Sampler:
    """Return a sampler whose steps are Langevin steps, with drift coefficient a = coefficient(sigma) at each time."""

    def method(path: GaussianPath, times: Times) -> Step:
        drift = at(times[:-1], lambda t: coefficient(path.sigma(t)))

        def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
            mean = torch.add(x, model.score(x, t), alpha=drift[t])
            return torch.add(mean, noise(x), alpha=(2 * drift[t]) ** 0.5), mean

        return step

    return sampler(what, method, quantity="score", repeats=True)


def annealed_langevin(rho: float) -> Sampler:
    """Return annealed Langevin dynamics with drift coefficient rho sigma^2; its times come from `annealing`."""
    return langevin(lambda sigma: rho * sigma.square(), "annealed Langevin dynamics")


def annealing(levels: Float[Tensor, " levels"], steps: int) -> Times:
    """Return the times of `steps` steps at each level's time, in order; a step more would start from the last one."""
    return torch.cat([levels.repeat_interleave(steps), levels[-1:]])


def uniform_start(
    shape: tuple[int, ...], pixel_range: tuple[float, float], *, generator: Generator
) -> Float[Tensor, "batch *shape"]:
    """Return where the paper's chains start: noise that is uniform over the range of the pixels, on the generator's device."""
    low, high = pixel_range
    return low + (high - low) * torch.rand(shape, generator=generator, device=generator.device)
