"""What a training has bought by each of its states: the distance of one cheap sampler's samples, and when it is good enough."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.denoiser import Denoiser
from common.dynamics.samplers.exponential import dpm_solver_pp_2m
from common.dynamics.samplers.result import Samples, denoised_last
from common.errors import RefusedError
from replications.survey.time_grids import known_or, log_snr

SAMPLER = denoised_last(dpm_solver_pp_2m)  # order 2 on every path, one evaluation per step


def cheap_times(model: Denoiser, nfe: int) -> Float[Tensor, " points"]:
    """Return the times at which `nfe` evaluations are made, the last of them the denoising one; of noise levels all, if fewer.

    Raises `RefusedError` for a network of one level, from which no path leads.
    """
    known = model.known_times
    if known is None:
        return log_snr(model.path, nfe)
    if len(known) < 2:
        raise RefusedError("it knows one noise level only, and a sampler goes from level to level")
    return known_or(model, log_snr(model.path, min(nfe, len(known))))


def cheap_samples(model: Denoiser, noise: Float[Tensor, "n *shape"], nfe: int, batch: int) -> Samples:
    """Return samples that start from the path's prior, standard normals `noise` scaled to it; in batches that fit."""
    times = cheap_times(model, nfe)
    parts = [SAMPLER(model, model.path.prior_std * part, times) for part in noise.split(batch)]
    return Samples(*(torch.cat(column) for column in zip(*parts)))


def first_below(steps: Sequence[float], values: Sequence[float], target: float) -> float:
    """Return the step at which a curve first reaches `target`, its logarithm taken as linear in the step between two points.

    A curve that begins below it gives its first step. Raises `RefusedError` if it never gets there.
    """
    if values[0] <= target:
        return float(steps[0])
    for (before, high), (after, low) in pairwise(zip(steps, values)):
        if low <= target:
            share = math.log(high / target) / math.log(high / low) if low > 0 else 1.0
            return before + share * (after - before)
    raise RefusedError(f"its training ends at {values[-1]:.4g}, above {target:.4g}")
