"""Bits/dim of test images with one dequantisation draw and with several (Tables 1 and 4), and objectives compared image by image.

K draws of uniform dequantisation tighten the bound: -log (1/K) sum_k p(x + u_k). That asks for exact divergences: where they are
estimated, K = 1 alone is measured. One draw is taken of all test images, the others of the first of them only: one draw tells
the objectives apart, if there are many images, and an exact divergence is dear.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from common.dynamics.likelihood import Divergence, LogLikelihood, is_estimated, log_likelihood
from common.dynamics.quadrature import log_likelihood_by_quadrature
from common.errors import RefusedError
from common.learning.data.scale import to_unit
from common.learning.data.split import ImageSplit
from common.measure.metrics.density import bits_per_dim, check_draws, importance_weighted, standard_error
from common.runs.experiment import Context
from common.runs.folders import refused, row

CACHED = 16  # dimensions of a divergence that are taken at once on a CPU: of more, what the network keeps fits no cache


class LikelihoodSettings(Protocol):
    """What the settings of an experiment must say."""

    bound_images: int
    dequantisations: list[int]
    divergence: Divergence
    nodes: int
    batch: int
    tolerance: float


class LogDensities(NamedTuple):
    """Log-densities in nats of one draw of all images, and of all draws of the first ones; evaluations; whether estimated."""

    once: np.ndarray  # [images]
    draws: np.ndarray  # [draws, bound images]
    nfe: float
    noisy: bool


class Bits(NamedTuple):
    """Bits/dim of each image with one draw, and of each of the first ones at every K."""

    once: np.ndarray
    bound: Mapping[int, np.ndarray]


def log_densities(denoiser: Any, test: ImageSplit, settings: LikelihoodSettings, context: Context) -> LogDensities:
    """Return the log-densities of dequantised test images; noise and probes are the same for every model of a run."""
    n, dim = len(test.images), test.images[0].numel()
    noisy = is_estimated(settings.divergence, dim)
    bound, draws = min(settings.bound_images, n), 1 if noisy else max(settings.dequantisations)
    dequantise, probes = context.generator("dequantise"), context.generator("probes", device=context.device)
    items = torch.cat([torch.arange(n), torch.arange(bound).repeat(draws - 1)])
    chunk = CACHED if context.device.type == "cpu" else None
    parts: list[LogLikelihood] = []
    # as many images in one solve as fit: small solves cost as much as larger ones
    for chosen in items.split(settings.batch):
        x = to_unit(test.images[chosen], test.grey_values, generator=dequantise).to(context.device).double()
        tolerances = {"rtol": settings.tolerance, "atol": settings.tolerance}
        if noisy:
            parts.append(log_likelihood(denoiser, x, divergence=settings.divergence, generator=probes, **tolerances))
        else:
            parts.append(log_likelihood_by_quadrature(denoiser, x, nodes=settings.nodes, chunk=chunk, **tolerances))
    found = torch.cat([part.log_density.cpu() for part in parts]).numpy()
    once, more = found[:n], found[n:].reshape(draws - 1, bound)
    nfe = float(np.average([part.nfe for part in parts], weights=[len(part.log_density) for part in parts]))
    return LogDensities(once, np.concatenate([once[None, :bound], more]), nfe, noisy)


def bits_at(found: LogDensities, test: ImageSplit, numbers: Sequence[int]) -> Bits:
    """Return bits/dim with one draw, and at every number K of draws that the log-densities allow.

    All draws are used at every K, in as many groups of K as there are. Where each group is made of whole smaller ones, the bound
    tightens with K for every image, and not on average only: a logarithm of a mean is at least the mean of the logarithms.
    """

    def bits(log_density: np.ndarray) -> np.ndarray:
        return bits_per_dim(log_density, test.images[0].numel(), grey_values=test.grey_values)

    def bound(k: int) -> np.ndarray:
        groups = [found.draws[first : first + k] for first in range(0, len(found.draws) - k + 1, k)]
        return np.mean([bits(importance_weighted(group, noisy=found.noisy)) for group in groups], axis=0)

    return Bits(bits(found.once), {k: bound(k) for k in numbers if k <= len(found.draws)})


def likelihood_rows(found: LogDensities, bits: Bits, numbers: Sequence[int], labels: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the NLL with one draw, and with K draws (Table 4), in bits/dim with its standard error over images."""
    more = {"variant": "test", "unit": "bits/dim", "nfe": found.nfe, **labels}
    rows = [row("nll", bits.once.mean(), error=standard_error(bits.once), n=len(bits.once), **more)]
    for k in numbers:
        at = {"axis": "K", "at": k, "n": found.draws.shape[1], **more}
        try:
            check_draws(k, noisy=found.noisy)
        except RefusedError as error:
            rows.append(refused("nll_bound", error, **at))
            continue
        rows.append(row("nll_bound", bits.bound[k].mean(), error=standard_error(bits.bound[k]), **at))
    return rows


def difference_rows(bits: Mapping[str, Bits], data: str) -> list[dict[str, Any]]:
    """Return, for each two objectives and number of draws, the mean difference of the same images, with its standard error."""
    rows = []
    for a, b in combinations(bits, 2):
        for k in bits[a].bound:
            difference = bits[a].bound[k] - bits[b].bound[k]
            where = {"dataset": data, "method": a, "variant": f"less {b}", "axis": "K", "at": k, "n": len(difference)}
            value, error = difference.mean(), standard_error(difference)
            rows.append(row("nll_bound_difference", value, error=error, unit="bits/dim", **where))
    return rows
