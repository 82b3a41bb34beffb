"""Bits/dim of test images by the probability-flow ODE (Song 2021, Sec. 4.3): where it starts, and how its divergence is taken."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.likelihood import Divergence, LogLikelihood, is_estimated, log_likelihood
from common.dynamics.quadrature import log_likelihood_by_quadrature
from common.learning.data.scale import to_unit
from common.learning.data.split import ImageSplit
from common.measure.metrics.density import bits_per_dim, standard_error
from common.runs.experiment import Context
from common.runs.folders import row

CACHED = 16  # dimensions of a divergence that are taken at once on a CPU: of more, what the network keeps fits no cache
BITS = "bits/dim"
Bits = Float[np.ndarray, " images"]


class LikelihoodSettings(Protocol):
    """What the settings of an experiment must say."""

    batch: int
    divergence: Divergence
    nodes: int
    tolerance: float


class Dequantised(NamedTuple):
    """Test images in [-1, 1] with noise of dequantisation, in float64, and how many grey values they have."""

    x: Float[Tensor, "images c h w"]
    grey_values: int

    def bits(self, log_density: Tensor) -> Bits:
        """Return log-densities in nats as bits/dim."""
        dim = self.x[0].numel()
        return bits_per_dim(log_density.double().cpu().numpy(), dim, grey_values=self.grey_values)

    def first(self, n: int) -> "Dequantised":
        """Return the first images alone."""
        return self._replace(x=self.x[:n])


def dequantised(test: ImageSplit, context: Context) -> Dequantised:
    """Return a split's images with one draw of noise, the same for all models of a run."""
    x = to_unit(test.images, test.grey_values, generator=context.generator("dequantise"))
    return Dequantised(x.double().to(context.device), test.grey_values)


def flow_bits(
    model: Answers, images: Dequantised, t_min: float, settings: LikelihoodSettings, context: Context
) -> tuple[Bits, float]:
    """Return each image's bits/dim, the images being points at `t_min`, and the mean number of the solver's evaluations."""
    device, x = context.device, images.x
    probes, chunk = context.generator("probes", device=device), CACHED if device.type == "cpu" else None
    options: dict[str, Any] = {"t_min": t_min, "rtol": settings.tolerance, "atol": settings.tolerance}

    def solved(part: Tensor) -> LogLikelihood:
        if is_estimated(settings.divergence, x[0].numel()):
            return log_likelihood(model, part, divergence=settings.divergence, generator=probes, **options)
        return log_likelihood_by_quadrature(model, part, nodes=settings.nodes, chunk=chunk, **options)

    parts = [solved(part) for part in x.split(settings.batch)]
    nfe = np.average([part.nfe for part in parts], weights=[len(part.log_density) for part in parts])
    return images.bits(torch.cat([part.log_density for part in parts])), float(nfe)


def bits_row(metric: str, bits: Bits, **labels: Any) -> dict[str, Any]:
    """Return the row of the mean over images, with its standard error; of differences of the same images too."""
    return row(metric, bits.mean(), error=standard_error(bits), n=len(bits), unit=BITS, **labels)


def median_row(metric: str, bits: Bits, **labels: Any) -> dict[str, Any]:
    """Return the row of the median over images: one image that a flow takes far out can decide the mean."""
    return row(metric, np.median(bits), n=len(bits), unit=BITS, **labels)


def difference_rows(bits: Mapping[str, Bits], data: str) -> list[dict[str, Any]]:
    """Return for each two models mean and median of the difference of the same images."""
    rows = []
    for a, b in combinations(bits, 2):
        difference, labels = bits[a] - bits[b], {"dataset": data, "method": a, "variant": f"less {b}"}
        rows += [bits_row("nll_difference", difference, **labels), median_row("nll_difference_median", difference, **labels)]
    return rows
