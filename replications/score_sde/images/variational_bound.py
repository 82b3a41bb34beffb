"""The variational bound of a chain of noise levels, which DDPM is trained by and reports (Ho 2020, eq. 5; Song 2021, Table 2).

The chain noises data through N levels of a path and is undone by ancestral sampling: Gaussian steps whose mean is that of x_{i-1}
given x_i and x_0, with the denoiser D in the place of x_0. In terms of SNR = alpha^2 / sigma^2, r = (sigma_{i-1} / sigma_i)^2 and
d dimensions,

    -log p(x_0) <= KL(q(x_N | x_0), prior) + sum_{i=2}^N E KL_i - E log N(x_0; D(x_1, t_1), I / SNR_1)
    KL_i = v (SNR_{i-1} - SNR_i) / 2 |x_0 - D(x_i, t_i)|^2 + d / 2 (v - 1 - log v)

where v is the true step's variance over the reverse step's. Ho et al. take either of two: the forward step's (v = r), best for
wide data, or the true one (v = 1), best for a single point.

The last step gives continuous data, as the probability flow does, so that both can be taken of the same dequantised image and
subtracted. Ho et al. take it over the cell of a grey value instead.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Answers
from common.dynamics.paths import GaussianPath, level_times

Variance = Literal["forward", "posterior"]  # of the reverse steps


@torch.no_grad()
def denoising_errors(
    model: Answers, x: Float[Tensor, "batch *shape"], levels: int, *, generator: Generator
) -> Float[Tensor, "levels batch"]:
    """Return |x_0 - D(x_t, t)|^2 with one draw of noise at each level, smallest noise first; `generator` is on x's device."""
    errors = []
    for t in level_times(model.path, levels).flip(0).to(x):
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        error = x - model.denoised(model.path.perturb(x, t, noise), t)
        errors.append(error.flatten(1).square().sum(1))
    return torch.stack(errors)


def variational_bound(
    path: GaussianPath, x: Float[Tensor, "batch *shape"], errors: Float[Tensor, "levels batch"], variance: Variance = "forward"
) -> Float[Tensor, " batch"]:
    """Return the upper bound on -log p(x) of each sample in nats, unbiased in the draws of its `errors`.

    The levels are evenly spaced times of the path, down to 1 / levels (0 on the VE path).
    """
    times, d = level_times(path, len(errors)).flip(0).to(x), x[0].numel()
    sigma = path.sigma(times)
    ratio = (path.alpha(times) / sigma).square()
    share = (sigma[:-1] / sigma[1:]).square() if variance == "forward" else torch.ones_like(sigma[1:])
    steps = 0.5 * (share * -ratio.diff())[:, None] * errors[1:] + 0.5 * d * (share - 1 - share.log())[:, None]
    last = 0.5 * ratio[0] * errors[0] + 0.5 * d * math.log(2 * math.pi / float(ratio[0]))
    return prior_cost(path, x) + steps.sum(0) + last


def prior_cost(path: GaussianPath, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, " batch"]:
    """Return KL(p(x_1 | x_0 = x), prior) of each sample, in nats."""
    mean, std = path.marginal(x, torch.ones((), dtype=x.dtype, device=x.device))
    share = float(std) ** 2 / path.prior_std**2
    of_variance = x[0].numel() * (share - 1 - math.log(share))
    return 0.5 * (mean.flatten(1).square().sum(1) / path.prior_std**2 + of_variance)
