"""Samples of NCSN and of its single-noise baseline, annealed and not (Figures 4, 5, 7 to 10; Table 1; step sizes of Section 5).

The paper compares a network of all levels with annealing to a network of one level without. Here both are told apart: either
network with either sampler, at one number of evaluations, from the same starts with the same noise.
"""

import math
from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from common.errors import RetraceError
from common.evaluation.yardstick import Space, Yardstick, fid_to, yardstick
from common.learning.data import catalogue
from common.learning.data.scale import from_unit, rescaled
from common.measure.features import read_feature_net
from common.measure.metrics.inception import find_weights
from common.measure.metrics.inception_score import class_probabilities, inception_score
from common.runs.experiment import Context
from common.runs.folders import Outcome, refused, row
from common.runs.settings import Settings as Base
from replications.ncsn.chains import Chains, at_every_level, noise_of_chains, run_chains, starts
from replications.ncsn.networks import Network, Trained, trained
from replications.ncsn.sample_measures import (
    Known,
    denoised_row,
    distance_rows,
    held_out_rows,
    nearest_images,
    on_the_way,
    recognised,
    training_images,
)
from replications.ncsn.sampler_step import Step

VARIANT = ("data",)
SHOWN, PAIRS = 24, 12  # pictures
MOMENTS = 4  # moments kept of each level at the most, for the picture in motion


class Settings(Base):
    """Settings of the chains and of what measures them."""

    data: str = Field(description="image data set")
    network: Network = Field(default="shared", description="network of all models")
    samples: PositiveInt = Field(description="chains of each method")
    step: Step = Field(description="the published sampler")
    others: list[Step] = Field(description="samplers that are published to do as well")
    batch: PositiveInt = Field(default=1000, description="chains that run together")
    space: Space = Field(default="classifier", description="features of the distances; Inception's need its weights on disk")
    inception: bool = Field(default=False, description="also FID and Inception score; Inception's weights must be on disk")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole, and Inception's weights where they are asked for."""
    catalogue.load(settings.data, "test")
    if settings.inception or settings.space == "inception":
        find_weights("FID and the Inception score")


def run(settings: Settings, context: Context) -> Outcome:
    """Run all chains and measure them."""
    measure = yardstick(settings.data, context, settings.samples, space=settings.space)
    start = starts(settings.samples, tuple(measure.test.images.shape[1:]), context)
    ladder, single = (trained(context, settings.data, name, settings.network) for name in ("ncsn", "ncsn_single"))
    found = cells(ladder, single, start, settings, context)
    own, images = found["ncsn", "annealed"], training_images(settings.data, context)
    train = Known(images, measure.features(images))
    rows = reference_rows(measure, start, settings)
    for (method, sampler), chains in found.items():
        labels = {"dataset": settings.data, "method": method, "variant": sampler, "nfe": chains.nfe}
        again = context.generator("bootstrap")
        rows.append(measure.row("feature_frechet", chains.images.clamp(-1, 1), resampled=again, **labels))
        rows.append(row("diverged_share", chains.diverged, n=len(chains.images), **labels))
        rows += distance_rows(chains.images, train, measure.features, labels)
    rows += stayed_rows(found, measure, settings.data)
    for other in settings.others:
        chains = of_ladder(ladder, start, other, settings, context)
        labels = {"dataset": settings.data, "method": "ncsn", "variant": str(other), "nfe": chains.nfe}
        rows.append(measure.row("frechet_of_settings", chains.images.clamp(-1, 1), **labels))
    rows += held_out_rows(measure.test, train, measure.features, settings.data)
    rows += on_the_way(ladder, own, measure, train.images, settings.data, settings.step)
    rows.append(denoised_row(ladder, own, measure, settings.data))
    if settings.space == "classifier":
        rows += recognised(read_feature_net(context.features(settings.data)), own.images, measure.test, settings.data)
    if settings.inception:
        rows += inception_rows(own, measure, settings, context)
    pictures = {"_".join(name): chains.images for name, chains in found.items()}
    shown = {name: images[:SHOWN] for name, images in pictures.items()}
    arrays = {**shown, "moments": own.kept[:, :SHOWN], **nearest_images(own.images[:PAIRS], train, measure.features)}
    return Outcome(rows, arrays=halves(arrays), samples=halves(pictures))


def halves(arrays: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Return images as they are kept: clipped to what can be shown, in half precision."""
    return {name: images.clamp(-1, 1).half().cpu().numpy() for name, images in arrays.items()}


def of_ladder(ladder: Trained, start: Tensor, step: Step, settings: Settings, context: Context, **more: Any) -> Chains:
    """Return annealed chains of the ladder's network, or of what answers in its place."""
    more |= {"generator": noise_of_chains(context), "batch": settings.batch}
    return run_chains(ladder, start, steps=step.steps, rho=step.rho, **more)


def cells(ladder: Trained, single: Trained, start: Tensor, settings: Settings, context: Context) -> dict[tuple[str, str], Chains]:
    """Return the chains of each network and sampler, all of them with as many evaluations."""
    step, levels = settings.step, ladder.model.known_times
    at_least = step.model_copy(update={"steps": step.steps * len(levels)})
    keep_every = step.steps // math.gcd(step.steps, MOMENTS)  # divides them, so that every level's end is kept
    return {
        ("ncsn", "annealed"): of_ladder(ladder, start, step, settings, context, keep_every=keep_every),
        ("ncsn", "plain"): of_ladder(ladder, start, at_least, settings, context, levels=levels[-1:]),
        ("ncsn_single", "annealed"): of_ladder(ladder, start, step, settings, context, model=at_every_level(single, ladder)),
        ("ncsn_single", "plain"): of_ladder(single, start, at_least, settings, context),
    }


def stayed_rows(found: dict[tuple[str, str], Chains], measure: Yardstick, data: str) -> list[dict[str, Any]]:
    """Return the baseline's distance without the chains that diverged, and NCSN's with as many: the baseline at its best."""
    baseline, own = found["ncsn_single", "plain"], found["ncsn", "annealed"]
    compared = {
        ("ncsn_single", "plain"): baseline.images[baseline.stayed],
        ("ncsn", "annealed"): own.images[: baseline.stayed.sum()],
    }
    rows = []
    for (method, sampler), images in compared.items():
        labels = {"dataset": data, "method": method, "variant": sampler, "nfe": own.nfe}
        try:
            rows.append(measure.row("frechet_of_stayed", images.clamp(-1, 1), **labels))
        except RetraceError as error:  # too few of them
            rows.append(refused("frechet_of_stayed", error, **labels))
    return rows


def reference_rows(measure: Yardstick, start: Tensor, settings: Settings) -> list[dict[str, Any]]:
    """Return the distances of training images, and of the noise that chains start from."""
    labels = {"dataset": settings.data, "method": "noise", "variant": "uniform noise"}
    return [
        measure.floor_row(settings.samples, settings.data),
        measure.row("feature_frechet", rescaled(start, (0.0, 1.0)), **labels),
    ]


def inception_rows(own: Chains, measure: Yardstick, settings: Settings, context: Context) -> list[dict[str, Any]]:
    """Return FID and Inception score of NCSN's samples."""
    images = own.images.clamp(-1, 1).cpu()
    pixels = from_unit(images, 256).to(torch.uint8).numpy()
    score = inception_score(class_probabilities(pixels, device=context.device))
    labels = {"dataset": settings.data, "method": "ncsn", "variant": "annealed", "nfe": own.nfe, "n": len(images)}
    return [
        row("fid", fid_to(measure.test, context.device)(images), **labels),
        row("inception_score", score.mean, error=score.std, **labels),
    ]
