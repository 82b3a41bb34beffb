"""Bits/dim of test images by the probability flow, a variational bound beside it, and quality of samples (Table 2, App. C).

Test images, noise of dequantisation, starts and noise of sampling are the same for all models of a replicate.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.likelihood import Divergence
from common.evaluation.yardstick import Space, Yardstick, drawn, yardstick
from common.learning.data import catalogue
from common.learning.models import load_denoiser
from common.learning.objective_table import OBJECTIVES
from common.measure.metrics.inception import find_weights
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.score_sde.images.image_likelihood import (
    BITS,
    Bits,
    Dequantised,
    bits_row,
    dequantised,
    difference_rows,
    flow_bits,
    median_row,
)
from replications.score_sde.images.model_samples import methods, samples
from replications.score_sde.images.variational_bound import Variance, denoising_errors, variational_bound

VARIANT = ("data",)
SHOWN = 24  # pictures of each model
Row = dict[str, Any]
ObjectiveName = Literal[tuple(OBJECTIVES)]


class Settings(Base):
    """Settings of the evaluation."""

    data: str = Field(description="image data set")
    objectives: list[ObjectiveName] = Field(description="trained models to compare")
    bounded: list[ObjectiveName] = Field(description="models whose variational bound is taken too")
    test_images: PositiveInt = Field(description="test images of the likelihoods")
    eps: list[PositiveFloat] = Field(description="times that images are points at; models are compared at the last")
    eps_images: PositiveInt = Field(description="test images of the likelihoods at the other times, the first of these")
    levels: PositiveInt = Field(default=1000, description="levels of the variational bound's chain")
    divergence: Divergence = Field(default="auto", description="divergence of the flow; auto = exact up to 64 dimensions")
    nodes: PositiveInt = Field(default=24, description="times at which an exact divergence is taken")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of RK45")
    samples: PositiveInt = Field(description="samples of each model and sampler")
    scales: PositiveInt = Field(description="scales of the reverse SDE's sampler")
    snr: PositiveFloat = Field(default=0.16, description="signal-to-noise ratio of the corrector on the VE path")
    batch: PositiveInt = Field(default=500, description="images solved jointly by RK45: its evaluations depend on it")
    space: Space = Field(default="classifier", description="features of the distances; Inception's need its weights on disk")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole, and Inception's weights where they are asked for."""
    catalogue.load(settings.data, "test")
    if settings.space == "inception":
        find_weights("FID")


def run(settings: Settings, context: Context) -> Outcome:
    """Evaluate every model."""
    measure = yardstick(settings.data, context, settings.samples, space=settings.space)
    images = dequantised(drawn(measure.test, settings.test_images, context.generator("test images")), context)
    noise = torch.randn(settings.samples, *images.x.shape[1:], generator=context.generator("starts"), dtype=torch.float64)
    rows, bits, arrays = reference_rows(measure, noise, images, settings), {}, {}
    for name in settings.objectives:
        model, labels = (
            load_denoiser(context.model(settings.data, name), context.device),
            {"dataset": settings.data, "method": name},
        )
        bits[name], of_likelihood = likelihood_rows(model, images, settings, context, labels)
        rows += of_likelihood
        if name in settings.bounded:
            found, of_bound = bound_rows(model, images, bits[name], settings, context, labels)
            rows += of_bound
            arrays[f"bound_{name}"] = found
        of_samples, pictures = sample_rows(model, noise, measure, settings, context, labels)
        rows += of_samples
        arrays |= {f"samples_{name}_{how}": shown for how, shown in pictures.items()}
    arrays |= {f"bits_{name}": each for name, each in bits.items()}
    return Outcome([*rows, *difference_rows(bits, settings.data)], arrays=arrays)


def reference_rows(measure: Yardstick, noise: Tensor, images: Dequantised, settings: Settings) -> list[Row]:
    """Return what data and plain noise read for a distance, and what a uniform density costs."""
    labels = {"dataset": settings.data}
    return [
        measure.floor_row(settings.samples, settings.data),
        measure.row("feature_frechet", noise.clamp(-1, 1), method="noise", variant="clipped normal noise", **labels),
        row("nll", np.log2(images.grey_values), method="uniform", variant="uniform density", unit=BITS, **labels),
    ]


def likelihood_rows(
    model: Answers, images: Dequantised, settings: Settings, context: Context, labels: Mapping[str, Any]
) -> tuple[Bits, list[Row]]:
    """Return each image's bits/dim at the last of the times, and the rows of all of them.

    What a later start costs is a difference of the same images too: their spread is far larger than it.
    """
    *others, least = settings.eps
    bits, nfe = flow_bits(model, images, least, settings, context)
    of_all = {"variant": "ODE", "nfe": nfe, "axis": "eps", "at": least, **labels}
    rows = [bits_row("nll", bits, **of_all), median_row("nll_median", bits, **of_all)]
    some, reference = images.first(settings.eps_images), bits[: settings.eps_images]
    rows.append(bits_row("nll_at_eps", reference, axis="eps", at=least, nfe=nfe, **labels))
    for eps in others:
        found, nfe = flow_bits(model, some, eps, settings, context)
        rows.append(bits_row("nll_at_eps", found, axis="eps", at=eps, nfe=nfe, **labels))
        rows.append(bits_row("nll_over_least_eps", found - reference, axis="eps", at=eps, **labels))
    return bits, rows


def bound_rows(
    model: Answers, images: Dequantised, bits: Bits, settings: Settings, context: Context, labels: Mapping[str, Any]
) -> tuple[Bits, list[Row]]:
    """Return each image's better variational bound in bits/dim; the rows of both, and of its excess over the flow's likelihood.

    Better is what has the lower mean: the variance of the reverse steps is a choice, and no image's own.
    """
    generator = context.generator("chain", device=context.device)
    parts = [denoising_errors(model, x, settings.levels, generator=generator) for x in images.x.split(settings.batch)]
    errors, rows, found = torch.cat(parts, dim=1), [], {}
    for variance in get_args(Variance):
        found[variance] = images.bits(-variational_bound(model.path, images.x, errors, variance))
        rows.append(bits_row("variational_bound", found[variance], variant=f"{variance} variance", nfe=settings.levels, **labels))
    better = min(found.values(), key=np.mean)
    return better, [*rows, bits_row("bound_over_nll", better - bits, nfe=settings.levels, **labels)]


def sample_rows(
    model: Answers, noise: Tensor, measure: Yardstick, settings: Settings, context: Context, labels: Mapping[str, Any]
) -> tuple[list[Row], dict[str, np.ndarray]]:
    """Return the distances of a model's samples by each sampler of its path, and some of them as pictures."""
    rows, pictures = [], {}
    for how, (sampler, times) in methods(model.path, settings).items():
        found = samples(model, noise, sampler, times, settings.batch, context)
        shown, again = found.x.clamp(-1, 1), context.generator("bootstrap")
        rows.append(measure.row("feature_frechet", shown, resampled=again, variant=how, nfe=found.nfe, **labels))
        pictures[how] = shown[:SHOWN].half().cpu().numpy()
    return rows, pictures
