"""What is measured of flows on images: bits/dim by the probe, evaluations of a training step, and a Gaussian to compare with."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from replications.ffjord.images.image_flows import ImageFlow, Images, Trace, bits_per_dim
from replications.ffjord.images.logit import ALPHA, logit
from replications.ffjord.rivals.autoregressive import fit_gaussian
from replications.ffjord.solving.solve import SolverSettings, evaluations_of
from replications.ffjord.trace_estimators import Noise


class Bits(NamedTuple):
    """Bits/dim of every image by every probe, and the evaluations of one image's encoding, summed over the flows."""

    values: Float[np.ndarray, "probes images"]
    nfe: float


@torch.no_grad()
def bits_by_probe(
    flow: ImageFlow,
    x: Images,
    solver: SolverSettings,
    grey_values: int,
    *,
    trace: Trace = "rademacher",
    probes: int = 1,
    batch: int,
    generator: Generator,
) -> Bits:
    """Return the bits/dim of dequantised images, each solved with `probes` probes, `batch` of them at a time."""
    parts = x.repeat(probes, 1, 1, 1).split(batch)
    flow.evaluations.reset()
    log_density = torch.cat([flow.log_density(part, solver, trace=trace, generator=generator) for part in parts])
    values = bits_per_dim(log_density, flow.dim, grey_values).reshape(probes, len(x))
    return Bits(values, flow.evaluations.forward / len(parts))


class StepWork(NamedTuple):
    """What one training step found and took: mean bits/dim of its images, evaluations forwards and on the way back."""

    bits: Float[np.ndarray, " images"]
    forward: int
    backward: int


def step_work(
    flow: ImageFlow, x: Images, solver: SolverSettings, grey_values: int, *, noise: Noise, generator: Generator
) -> StepWork:
    """Return what a training step on the images takes; the weights stay as they are."""
    found = []

    def loss() -> Tensor:
        found.append(flow.log_density(x, solver, trace=noise, generator=generator))
        return found[0].sum()

    counted = evaluations_of(flow, loss)
    return StepWork(bits_per_dim(found[0], flow.dim, grey_values), counted.forward, counted.backward)


def gaussian_bits(train: Images, test: Images, grey_values: int, alpha: float = ALPHA) -> Float[np.ndarray, " images"]:
    """Return the bits/dim of test images under one Gaussian, with full covariance, fitted to the logits of training images."""
    normal = fit_gaussian(logit(train.double(), alpha)[0].flatten(1))
    y, log_det = logit(test.double(), alpha)
    return bits_per_dim(normal.log_density(y.flatten(1)) + log_det, y[0].numel(), grey_values)
