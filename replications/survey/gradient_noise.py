"""How noisy an objective's gradient is, and how large its loss, by the time that a sample is drawn at.

A training step averages gradients of the samples of its batch, whose times are drawn anew. With g the gradient of one sample's
weighted loss, and a bin of times b that a share p_b of the samples falls into,

    noise_b = tr Cov(g | b)      signal_b = |E(g | b)|^2      noise = sum_b p_b (noise_b + |E(g | b)|^2) - |E g|^2

by the law of total variance. noise / |E g|^2 is the batch size at which both are as large (McCandlish et al. 2018, eq. 2.9).
Scales of losses and of their gradients differ between objectives: shares and ratios compare, the numbers themselves do not.

Gradients are taken of small batches: noise is B times the variance between the means of batches of B, and what the noise adds to
the square of a mean is taken off, so a signal that is lost in it may come out below zero.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.denoiser import Denoiser
from common.learning.data.training import Draw
from common.learning.objectives import Objective, regression_loss

Times = Callable[[Float[Tensor, " batch"]], Float[Tensor, " batch"]]


class TimeBin(NamedTuple):
    """Times between two edges: the share of a training's samples there, and how uniform numbers in [0, 1) become such times."""

    middle: float
    share: float
    times: Times


class BinNoise(NamedTuple):
    """Of one bin: mean weighted loss, noise and signal of one sample's gradient, and the mean gradient itself."""

    bin: TimeBin
    loss: float
    noise: float
    signal: float
    mean: Float[Tensor, " parameters"]


class TotalNoise(NamedTuple):
    """Of all times: noise and signal of one sample's gradient, and each bin's share of the noise that bins have in themselves."""

    noise: float
    signal: float
    shares: list[float]


def time_bins(objective: Objective, edges: Sequence[float]) -> list[TimeBin]:
    """Return the bins between `edges`, 0 to 1, as an objective draws its times; none for a bin without noise levels."""
    found = []
    for low, high in pairwise(edges):
        if objective.known_times is None:
            least = objective.path.t_min
            start = max(low, least)
            share = (high - start) / (1 - least)
            found.append(TimeBin((low + high) / 2, share, lambda u, start=start, high=high: start + (high - start) * u))
            continue
        known = objective.known_times
        inside = known[(known >= low) & ((known < high) | (high == edges[-1]))]
        if len(inside):
            share = len(inside) / len(known)
            found.append(TimeBin((low + high) / 2, share, lambda u, inside=inside: inside.to(u)[(u * len(inside)).long()]))
    return found


def bin_noise(
    model: Denoiser, objective: Objective, where: TimeBin, draw: Draw, *, batches: int, generator: Generator
) -> BinNoise:
    """Return loss, noise and signal in a bin, from `batches` small batches; `draw(number, generator)` gives their data.

    Every draw is of the generator, in an order that no objective changes: objectives of a run see the same data and noise.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    losses, gradients, size = [], [], 0
    for number in range(batches):
        x0 = draw(number, generator)
        drawn = {"generator": generator, "device": x0.device, "dtype": x0.dtype}
        t, noise = where.times(torch.rand(len(x0), **drawn)), torch.randn(x0.shape, **drawn)
        loss = regression_loss(model, objective, x0, t=t, noise=noise).mean()
        gradients.append(torch.cat([each.flatten() for each in torch.autograd.grad(loss, parameters)]).double())
        losses.append(float(loss.detach()))
        size = len(x0)
    stacked = torch.stack(gradients)
    mean = stacked.mean(0)
    between = float((stacked - mean).square().sum()) / (batches - 1)
    return BinNoise(where, sum(losses) / batches, size * between, float(mean.square().sum()) - between / batches, mean)


def total_noise(bins: Sequence[BinNoise]) -> TotalNoise:
    """Return noise and signal over all times, from those of the bins, in which the estimates are independent."""
    weights = [each.bin.share / sum(other.bin.share for other in bins) for each in bins]
    mean = torch.stack([weight * each.mean for weight, each in zip(weights, bins)]).sum(0)
    # |mean of a bin|^2 less its signal is the noise that is left in that mean
    left = sum(weight**2 * (float(each.mean.square().sum()) - each.signal) for weight, each in zip(weights, bins))
    signal = float(mean.square().sum()) - left
    within = [weight * each.noise for weight, each in zip(weights, bins)]
    between = sum(weight * each.signal for weight, each in zip(weights, bins)) - signal
    return TotalNoise(sum(within) + between, signal, [each / sum(within) for each in within])
