"""NLL in bits/dim, Fréchet distance and NFE of dopri5 for every objective (Tables 1 and 4).

Test images, dequantisation noise, divergence probes and sampling noise are shared by all objectives of one seed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.likelihood import Divergence
from common.evaluation.yardstick import Yardstick, drawn, fid_to, yardstick
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.learning.models import load_denoiser
from common.measure.metrics.inception import find_weights
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from replications.flow_matching import image_models
from replications.flow_matching.image_likelihood import bits_at, difference_rows, likelihood_rows, log_densities
from replications.flow_matching.image_models import ImageModels
from replications.flow_matching.sampling import sample_adaptively

__all__ = ["VARIANT", "Settings", "check", "run"]

VARIANT = ("data",)


class Settings(ImageModels):
    """Settings of the evaluation."""

    samples: PositiveInt = Field(description="samples of the Fréchet distance (feature space, against the test split)")
    batch: PositiveInt = Field(default=500, description="samples or test images solved jointly by dopri5: its NFE depends on it")
    test_images: PositiveInt = Field(description="test images of the NLL with one dequantisation draw")
    bound_images: PositiveInt = Field(description="test images of the NLL with several draws, the first of these")
    dequantisations: list[PositiveInt] = Field(default=[1, 5, 20], description="numbers K of dequantisation draws")
    divergence: Divergence = Field(default="auto", description="divergence of the NLL; auto = exact up to 64 dimensions")
    nodes: PositiveInt = Field(default=24, description="times at which an exact divergence is taken")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of dopri5")
    inception: bool = Field(default=False, description="also FID, in Inception's features; its weights must be on disk")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole, and Inception's weights where they are asked for."""
    image_models.check(settings)
    if settings.inception:
        find_weights()


def run(settings: Settings, context: Context) -> Outcome:
    """Evaluate every objective's model."""
    measure = yardstick(settings.data, context, settings.samples)
    test = drawn(measure.test, settings.test_images, context.generator("test images"))
    noise = torch.randn(settings.samples, *test.images.shape[1:], generator=context.generator("noise"), dtype=torch.float64)
    rows = reference_rows(measure, noise, settings)
    fid, fid_floor = inception_distance(measure, settings, context)
    samples, bits = {}, {}
    for objective in settings.objectives:
        denoiser = load_denoiser(context.model(settings.data, objective), context.device)
        labels = {"dataset": settings.data, "method": objective}
        images, nfe = sample_adaptively(denoiser, noise.to(context.device), settings.batch, settings.tolerance)
        again = context.generator("bootstrap")
        rows.append(measure.row("feature_frechet", images, resampled=again, variant="dopri5", nfe=nfe, **labels))
        if fid:
            more = {"variant": "dopri5, test split", "nfe": nfe, "n": len(images), "floor": fid_floor}
            rows.append(row("fid", fid(images), **more, **labels))
        rows.append(row("nfe", nfe, variant="dopri5", unit="evaluations", n=settings.batch, **labels))
        found = log_densities(denoiser, test, settings, context)
        bits[objective] = bits_at(found, test, settings.dequantisations)
        rows += likelihood_rows(found, bits[objective], settings.dequantisations, labels)
        samples[objective] = images.half().cpu().numpy()
    return Outcome([*rows, *difference_rows(bits, settings.data)], samples=samples)


def reference_rows(measure: Yardstick, noise: Tensor, settings: Settings) -> list[dict[str, Any]]:
    """Return the distances of training images and of plain noise: what a model can reach, and where it starts."""
    labels = {"dataset": settings.data, "method": "noise", "variant": "clipped normal noise"}
    return [
        measure.floor_row(settings.samples, settings.data),
        measure.row("feature_frechet", noise.clamp(-1, 1), **labels),
    ]


def inception_distance(
    measure: Yardstick, settings: Settings, context: Context
) -> tuple[Callable[[Tensor], float] | None, float]:
    """Return the function images -> FID and what it reads for as many training images; nothing unless asked for."""
    if not settings.inception:
        return None, np.nan
    fid = fid_to(measure.test, context.device)
    train = drawn(catalogue.load(settings.data, "train", context.seed), settings.samples, context.generator("floor"))
    return fid, fid(to_unit(train.images, train.grey_values))
