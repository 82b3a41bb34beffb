"""How much one component of a mixture sees of another's samples (Proposition 1).

With p_i = N(x_i, sigma^2 I) and r_j = p_j / sum_k p_k, it says E_{p_i}[r_j] <= exp(-|x_i - x_j|^2 / (8 sigma^2)) / 2:
between images that are many sigma apart no chain finds its way. There hardly any draw of p_i comes near x_j, so that a plain mean
says nothing; draws around the middle of x_i and x_j, weighted by p_i / q, are as near to either.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Integer
from torch import Generator, Tensor

AT_ONCE = 2**22  # numbers in memory at once


class Estimate(NamedTuple):
    """Estimates over the proposition's bound, one for each pair, and their standard errors from finite draws."""

    ratio: Float[Tensor, " pairs"]
    error: Float[Tensor, " pairs"]


def responsibilities(x: Float[Tensor, "batch dim"], images: Float[Tensor, "n dim"], sigma: float) -> Float[Tensor, "batch n"]:
    """Return r_j(x), the share of each image in the density at x of all images with noise: the weights of the score."""
    return (-torch.cdist(x, images, compute_mode="donot_use_mm_for_euclid_dist").square() / (2 * sigma**2)).softmax(1)


def responsibility_bound(distance: float, sigma: float) -> float:
    """Return exp(-distance^2 / (8 sigma^2)) / 2: the most that E[r_j] can be around an image at this distance (Proposition 1)."""
    return 0.5 * math.exp(-(distance**2) / (8 * sigma**2))


def log10_bound(distance: float, sigma: float) -> float:
    """Return the bound's decimal logarithm: the bound itself may underflow."""
    return math.log10(0.5) - distance**2 / (8 * sigma**2) / math.log(10)


def over_bound(
    centres: Float[Tensor, "n dim"],
    pairs: Integer[Tensor, "pairs 2"],
    sigma: float,
    *,
    draws: int,
    alone: bool,
    generator: Generator,
) -> Estimate:
    """Return E_{p_i}[r_j] over its bound for pairs (i, j) of centres, in a mixture of all of them or, `alone`, of the two.

    By importance sampling in float64, E_q[(p_i / q) r_j] with q = N((x_i + x_j) / 2, sigma^2 I), with the same noise for all
    pairs; the weights stay logarithms until the bound is divided out.
    """
    centres = centres.double()
    noise = torch.randn(draws, centres.shape[1], generator=generator, dtype=torch.float64).to(centres)
    parts = pairs.split(max(1, AT_ONCE // (draws * max(centres.shape))))
    found = [_of_pairs(centres, part, sigma, noise, alone) for part in parts]
    return Estimate(*(torch.cat(values) for values in zip(*found)))


def _of_pairs(centres: Tensor, pairs: Tensor, sigma: float, noise: Tensor, alone: bool) -> tuple[Tensor, Tensor]:
    ends = centres[pairs]  # [pairs, 2, dim]
    x = ends.mean(1, keepdim=True) + sigma * noise
    # each log-density up to the constant of all
    log_q = -noise.square().sum(-1) / 2
    log_i, log_j = (-torch.cdist(x, ends).square() / (2 * sigma**2)).unbind(-1)
    log_all = torch.logaddexp(log_i, log_j) if alone else _log_sum(x, centres, sigma)
    log_bound = math.log(0.5) - (ends[:, 0] - ends[:, 1]).square().sum(-1) / (8 * sigma**2)
    values = torch.exp(log_i - log_q + log_j - log_all - log_bound[:, None])
    return values.mean(1), values.std(1) / len(noise) ** 0.5


def _log_sum(x: Float[Tensor, "pairs draws dim"], centres: Float[Tensor, "n dim"], sigma: float) -> Tensor:
    """Return log sum_k p_k at x, up to the constant of all."""
    distance = torch.cdist(x.flatten(0, 1), centres).unflatten(0, x.shape[:2])
    return (-distance.square() / (2 * sigma**2)).logsumexp(-1)


def some_pairs(n: int, count: int, generator: Generator) -> Integer[Tensor, "pairs 2"]:
    """Return `count` random pairs of different indices below n, or all of them if there are fewer."""
    every = torch.combinations(torch.arange(n))
    return every[torch.randperm(len(every), generator=generator)[:count]]
