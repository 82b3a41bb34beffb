"""Forward SDEs as Markov chains x_{i+1} = a x_i + G z, SMLD's and DDPM's among them (Song 2021, Sec. 3, App. B-E).

A step of a sampler undoes one of the chain's. Three rules say what a and G^2 are between two times:

    transition    the SDE's own: a = alpha_t / alpha_s, G^2 = sigma_t^2 - a^2 sigma_s^2. SMLD's chain on the VE path (eq. 8)
    ddpm          beta_i = beta(t_i) / N, a = sqrt(1 - beta_i), G^2 = beta_i (eq. 10): as published for VP
    forward_euler a = 1 + f h, G^2 = g^2 h: as published for sub-VP

Times go down, one for each scale. A last time that is repeated stands for clean data, alpha = 1 and sigma = 0: the published
chains end there (sigma_0 = 0), and no path has a time for it where sigma(0) > 0.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.paths import GaussianPath
from common.dynamics.samplers.loop import Noise, Sampler, Step, Times, sampler
from common.errors import SolverError


class Kernel(NamedTuple):
    """One step of a chain: x_{i+1} = scale x_i + sqrt(variance) z, and sigma_i / sigma_{i+1} of the path."""

    scale: float
    variance: float
    ratio: float


Kernels = Callable[[GaussianPath, Times], dict[float, Kernel]]  # by the time at which the sampler's step starts


def steps_of(times: Times) -> tuple[Float[Tensor, " steps"], Float[Tensor, " steps"], Bool[Tensor, " steps"]]:
    """Return where steps start and end, on the host in float64, and which of them ends in clean data.

    Raises `SolverError` if a time before the last one is repeated.
    """
    grid = times.double().cpu()
    clean = grid.diff() == 0
    if bool(clean[:-1].any()):
        raise SolverError("only the last time may be repeated: it stands for clean data")
    return grid[:-1], grid[1:], clean


def _sigmas(path: GaussianPath, times: Times) -> tuple[Tensor, Tensor]:
    starts, ends, clean = steps_of(times)
    return path.sigma(starts), path.sigma(ends).masked_fill(clean, 0.0)


def _kernels(path: GaussianPath, times: Times, scale: Tensor, variance: Tensor) -> dict[float, Kernel]:
    sigma, sigma_next = _sigmas(path, times)
    rows = zip(scale.tolist(), variance.tolist(), (sigma_next / sigma).tolist())
    return {t: Kernel(*row) for t, row in zip(steps_of(times)[0].tolist(), rows)}


def transition(path: GaussianPath, times: Times) -> dict[float, Kernel]:
    """Return the path's own kernels, whose chain has the path's marginals at any number of steps."""
    starts, ends, clean = steps_of(times)
    sigma, sigma_next = _sigmas(path, times)
    scale = path.alpha(starts) / path.alpha(ends).masked_fill(clean, 1.0)
    return _kernels(path, times, scale, sigma.square() - (scale * sigma_next).square())


def ddpm(path: GaussianPath, times: Times) -> dict[float, Kernel]:
    """Return kernels with beta_i = beta(t_i) / N, beta being -2 f.

    On sub-VP too, where this chain is not the SDE's: its noise is VP's. Raises `SolverError` where a beta_i is not in (0, 1].
    """
    starts = steps_of(times)[0]
    beta = -2 * path.drift_coefficient(starts) / len(starts)
    if not bool(((beta > 0) & (beta <= 1)).all()):
        raise SolverError(
            f"DDPM's discretisation of path {path.name!r} has beta_i up to {float(beta.max()):.3g} in {len(beta)} steps; "
            "it needs values between 0 and 1: take more steps, or a path that shrinks the data"
        )
    return _kernels(path, times, (1 - beta).sqrt(), beta)


def forward_euler(path: GaussianPath, times: Times) -> dict[float, Kernel]:
    """Return Euler's kernels over the steps' own widths; the one from clean data is 1 / N wide, as coded."""
    starts, ends, clean = steps_of(times)
    width = (starts - ends).masked_fill(clean, 1 / len(starts))
    return _kernels(path, times, 1 + path.drift_coefficient(starts) * width, path.diffusion_squared(starts) * width)


PUBLISHED: dict[str, Kernels] = {"ve": transition, "vp": ddpm, "sub_vp": forward_euler}


def published(path: GaussianPath, times: Times) -> dict[float, Kernel]:
    """Return the kernels that the paper's code takes on this path; on others the path's own."""
    return PUBLISHED.get(path.name, transition)(path, times)


def chain_moments(kernels: dict[float, Kernel]) -> tuple[Float[Tensor, " points"], Float[Tensor, " points"]]:
    """Return mean scale and variance of the forward chain given where it starts: before its first step and after each."""
    scales, variances = [1.0], [0.0]
    for _, kernel in sorted(kernels.items()):
        scales.append(kernel.scale * scales[-1])
        variances.append(kernel.scale**2 * variances[-1] + kernel.variance)
    return torch.tensor(scales, dtype=torch.float64), torch.tensor(variances, dtype=torch.float64)


def simulated(kernels: Kernels) -> Sampler:
    """Return the forward chain of a rule as a sampler from data up, on increasing times; it asks nothing of the model."""

    def method(path: GaussianPath, times: Times) -> Step:
        found = kernels(path, times.flip(0))

        def step(model: Answers, x: Tensor, t: float, t_next: float, noise: Noise) -> tuple[Tensor, Tensor]:
            scale, variance, _ = found[t_next]
            return scale * x + variance**0.5 * noise(x), scale * x

        return step

    return sampler("the forward chain", method, quantity="score", downwards=False)
