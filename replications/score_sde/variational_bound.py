"""The variational bound of a chain of noise levels, which DDPM is trained by and reports (Ho 2020, eq. 5; Song 2021, Table 2).

The chain noises data through N levels of a path, and is undone by Gaussian steps whose variances are those of x_{i-1} given x_i
and x_0: ancestral sampling. A step then costs a squared error alone. With D the denoiser and SNR = alpha^2 / sigma^2,

    KL_i = (SNR_{i-1} - SNR_i) / 2 |x_0 - D(x_i, t_i)|^2
    -log p(x_0) <= KL(q(x_N | x_0), prior) + sum_{i=2}^N E KL_i - E log N(x_0; D(x_1, t_1), I / SNR_1).

The last step gives continuous data, as the probability flow does, so that both can be taken of the same dequantised image and
subtracted. Ho et al. take it over the cell of a grey value instead.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Answers
from common.dynamics.paths import GaussianPath, level_times


class Bound(NamedTuple):
    """An upper bound on -log p(x) of each sample in nats, estimated with one draw at each level, and evaluations for it."""

    nats: Float[Tensor, " batch"]
    nfe: int


@torch.no_grad()
def variational_bound(model: Answers, x: Float[Tensor, "batch *shape"], levels: int, *, generator: Generator) -> Bound:
    """Return the bound of ancestral sampling through `levels` evenly spaced times of the model's path, from 1 / levels on.

    The estimate is unbiased; `generator` is on x's device.
    """
    path = model.path
    times = level_times(path, levels).flip(0)
    ratio = (path.alpha(times) / path.sigma(times)).square()
    weights = 0.5 * torch.cat([ratio[:1], -ratio.diff()])  # of the last step's error, and of the others'
    total = prior_cost(path, x) + 0.5 * x[0].numel() * math.log(2 * math.pi / float(ratio[0]))
    for t, weight in zip(times.to(x), weights.tolist()):
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        error = x - model.denoised(path.perturb(x, t, noise), t)
        total += weight * error.flatten(1).square().sum(1)
    return Bound(total, levels)


def prior_cost(path: GaussianPath, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, " batch"]:
    """Return KL(p(x_1 | x_0 = x), prior) of each sample, in nats."""
    end = torch.ones((), dtype=x.dtype, device=x.device)
    mean, std = path.marginal(x, end)
    share = float(std) ** 2 / path.prior_std**2
    of_variance = x[0].numel() * (share - 1 - math.log(share))
    return 0.5 * (mean.flatten(1).square().sum(1) / path.prior_std**2 + of_variance)
