"""What the adaptive solver is compared with, at a given number of evaluations (Tables 1 and 2).

Each is a sampler that is given where to start and where to end, times = [t_start, t_end], and chooses its own steps between: from
1 to eps evenly, as published, however coarse the last step then is. All end with a denoising step, which counts.
"""

import torch
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.samplers.exponential import ddim as ddim_sampler
from common.dynamics.samplers.loop import Sampler, Times
from common.dynamics.samplers.result import Samples, denoised_last
from common.dynamics.samplers.sde import euler_maruyama as euler_maruyama_sampler
from common.errors import SolverError
from replications.score_sde.correctors import Alpha, langevin
from replications.score_sde.predictor_corrector import predictor_corrector, to_clean
from replications.score_sde.predictors import reverse_diffusion

LEAST = 2  # evaluations: one step and the denoising one


def euler_maruyama(nfe: int) -> Sampler:
    """Return Euler-Maruyama with `nfe` evaluations: nfe - 1 even steps and the denoising one."""
    return evenly(denoised_last(euler_maruyama_sampler), nfe)


def ddim(nfe: int) -> Sampler:
    """Return DDIM without noise (eta = 0) with `nfe` evaluations: nfe - 1 even steps and the denoising one.

    alpha and sigma are the path's own. The published baseline takes both from DDPM's discrete levels, whose product of 1 - beta_i
    differs from exp(-B) by the order of one step.
    """
    return evenly(denoised_last(ddim_sampler()), nfe)


def reverse_diffusion_langevin(nfe: int, snr: float, *, alpha: Alpha = "one") -> Sampler:
    """Return reverse diffusion with one Langevin step at each of nfe // 2 scales (Song 2021, Algorithms 2 and 3).

    Its last predictor step ends in clean data; with a separate denoising step instead, as the paper counts, it is one
    evaluation less.
    """
    sample = predictor_corrector(reverse_diffusion, langevin(snr, alpha=alpha), what="reverse diffusion with Langevin steps")
    return evenly(lambda model, x, times, **options: sample(model, x, to_clean(times), **options), nfe // 2)


def evenly(sample: Sampler, points: int) -> Sampler:
    """Return the sampler on `points` evenly spaced times from the first to the last that it is given.

    Raises `SolverError` if there are fewer than two.
    """
    if points < LEAST:
        raise SolverError(f"a sampler on even steps needs at least {LEAST} times; it has evaluations for {points}")

    def sample_evenly(model: Answers, x: Tensor, times: Times, **options: object) -> Samples:
        return sample(model, x, torch.linspace(float(times[0]), float(times[-1]), points, dtype=torch.float64), **options)

    return sample_evenly
