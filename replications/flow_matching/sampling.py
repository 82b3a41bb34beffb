"""Sampling as the paper's tables do it: dopri5 at a tolerance, its evaluations counted."""

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.paths import uniform_times
from common.dynamics.samplers.ode import torchdiffeq_solver


def sample_adaptively(
    denoiser: Answers, noise: Float[Tensor, "n *shape"], batch: int, tolerance: float
) -> tuple[Float[Tensor, "n *shape"], float]:
    """Return samples from standard normal `noise` and the mean number of evaluations per sample.

    `batch` samples are solved jointly and share their step sizes: state it wherever the evaluations are compared.
    """
    solve = torchdiffeq_solver("dopri5", rtol=tolerance, atol=tolerance)
    times = uniform_times(denoiser.path, 1)
    parts = [solve(denoiser, denoiser.path.prior_std * part, times) for part in noise.split(batch)]
    return torch.cat([part.x for part in parts]), float(torch.cat([part.nfe for part in parts]).double().mean())
