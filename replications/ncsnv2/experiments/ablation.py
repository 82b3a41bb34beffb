"""What each group of techniques brings, through training (Table 1, Figures 4 and 5).

Three trainings give six arms, for each keeps its raw and its averaged weights:

    ncsn         nothing                  ncsn_5       averaged weights
    ncsn_124     ladder, T and eps        ncsn_1245    and averaged weights
    ncsn_1234    all but averaging        ncsnv2       everything

They share backbone, budget, initial weights, batches and noise; chains share their starts and noise. At laptop level all arms
have about as many evaluations, above it those that were published. At each state of the training: how far samples are from data,
and the mean of their colour, since without averaging the samples of one state are said to share a cast. At the last one: with and
without the last denoising step, and how many samples lie among the data (precision), where the paper asks people which of the
images are real.
"""

import math
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from common.evaluation.yardstick import Space, Yardstick, fid_to, yardstick
from common.learning.data import catalogue
from common.learning.data.scale import from_unit, to_unit
from common.learning.training.run import schedule_of, snapshot_file
from common.measure.metrics.coverage import coverage
from common.measure.metrics.inception import find_weights
from common.measure.metrics.inception_score import class_probabilities, inception_score
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ncsn.chains import noise_of_chains, starts
from replications.ncsn.networks import Trained
from replications.ncsn.sample_measures import Known, distance_rows, held_out_rows, nearest_images, training_images
from replications.ncsn.sampler_step import Step
from replications.ncsnv2.networks import LEAST, Network, folder_of, trained
from replications.ncsnv2.refinenets import Objective
from replications.ncsnv2.sampling import Sampled, chosen_step, samples

VARIANT = ("data",)
SHOWN, PAIRS = 16, 12  # pictures
Share = Annotated[float, Field(gt=0, le=1)]


class Arm(NamedTuple):
    """A training, and which of the weights that it kept."""

    objective: Objective
    averaged: bool


ARMS = {
    "ncsn": Arm("ncsn", averaged=False),
    "ncsn_5": Arm("ncsn", averaged=True),
    "ncsn_124": Arm("ncsnv2_index", averaged=False),
    "ncsn_1245": Arm("ncsnv2_index", averaged=True),
    "ncsn_1234": Arm("ncsnv2", averaged=False),
    "ncsnv2": Arm("ncsnv2", averaged=True),
}


class Settings(Base):
    """Settings of the chains and of what measures them."""

    data: str = Field(description="image data set")
    network: Network = Field(default="shared", description="network of all arms")
    samples: int = Field(ge=7, description="chains of each arm and state; precision looks at the fifth neighbours of each")
    steps: PositiveInt = Field(default=5, description="Langevin steps at each level of the data's ladder; technique 4 sizes them")
    ncsn: Step = Field(description="the sampler on NCSN's ladder of ten levels")
    states: list[Share] = Field(min_length=2, description="shares of the training whose states are sampled, besides its end")
    batch: PositiveInt = Field(default=1000, description="chains that run together")
    space: Space = Field(default="classifier", description="features of the distances; Inception's need its weights on disk")
    scored: PositiveInt | None = Field(
        default=None, description="samples at the end for FID and Inception score; Inception's weights must be on disk"
    )


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole, and Inception's weights where they are asked for."""
    catalogue.load(settings.data, "test")
    if settings.scored or settings.space == "inception":
        find_weights("FID")


def run(settings: Settings, context: Context) -> Outcome:
    """Sample every arm at every state of its training."""
    measure = yardstick(settings.data, context, settings.samples, space=settings.space)
    start = starts(settings.samples, tuple(measure.test.images.shape[1:]), context)
    rows, arrays = rows_of_data(measure, settings), {}
    for name, arm in ARMS.items():
        for share in sorted({*settings.states, 1.0}):
            found = sampled(arm, share, start, settings, context)
            rows += state_rows(found, measure, {"dataset": settings.data, "method": name, "axis": "state", "at": share})
            arrays[f"{name} at {share:g}"] = found.denoised[:SHOWN].half().cpu().numpy()
        # found is now what the whole training gives
        rows += end_rows(found, measure, {"dataset": settings.data, "method": name}, context)
        if settings.scored:
            rows += scored_rows(name, arm, measure, settings, context)
    own, copies = copy_rows(found, measure, settings, context)
    return Outcome([*rows, *own], arrays={**arrays, **copies})


def state_of(arm: Arm, share: float, settings: Settings, context: Context) -> Trained:
    """Return an arm's network as it was after a share of its training. Raises `RetraceError` if the training kept no states."""
    schedule = schedule_of(folder_of(context, settings.data, arm.objective, settings.network))
    file = snapshot_file(schedule.snapshot_near(share), raw=not arm.averaged)
    return trained(context, settings.data, arm.objective, settings.network, file)


def sampled(arm: Arm, share: float, start: Tensor, settings: Settings, context: Context) -> Sampled:
    """Return an arm's samples at a state, with its own sampler; the start and the noise are every arm's."""
    network = state_of(arm, share, settings, context)
    step = settings.ncsn if arm.objective == "ncsn" else chosen_step(network, settings.steps)
    return samples(network, start, step, generator=noise_of_chains(context), batch=settings.batch)


def rows_of_data(measure: Yardstick, settings: Settings) -> list[dict[str, Any]]:
    """Return what training images read in the samples' place, and the mean of each colour of the data."""
    labels, many = {"dataset": settings.data, "method": "data"}, settings.samples
    among = coverage(measure.reference[:many], measure.training[:many])
    of_train = {"variant": "train split", "n": many, **labels}
    return [
        measure.floor_row(many, settings.data),
        row("precision", among.precision, **of_train),
        row("recall", among.recall, **of_train),
        *colour_rows(to_unit(measure.test.images, measure.test.grey_values), labels),
    ]


def colour_rows(images: Tensor, labels: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the mean of each channel of images in [-1, 1], told in [0, 1]."""
    means = ((images.double().mean((0, 2, 3)) + 1) / 2).tolist()
    return [row("mean_colour", mean, variant=f"channel {k}", n=len(images), **labels) for k, mean in enumerate(means)]


def state_rows(found: Sampled, measure: Yardstick, labels: dict[str, Any]) -> list[dict[str, Any]]:
    """Return how far the samples of a state are from data, and their colour."""
    return [
        measure.row("frechet_of_state", found.denoised, nfe=found.nfe + 1, **labels),
        *colour_rows(found.denoised, labels),
        row("diverged_share", found.diverged, n=len(found.noisy), **labels),
    ]


def end_rows(found: Sampled, measure: Yardstick, labels: dict[str, Any], context: Context) -> list[dict[str, Any]]:
    """Return the distances with and without the last step, and its size: root mean square per pixel, over the least level."""
    rows, real = [], measure.reference[: len(found.noisy)]
    for name, (images, nfe) in found.either.items():
        again, how = context.generator("bootstrap"), {"variant": name, "nfe": nfe, **labels}
        rows.append(measure.row("feature_frechet", images, resampled=again, **how))
        among = coverage(real, measure.features(images.float().cpu()))
        rows += [row("precision", among.precision, n=len(real), **how), row("recall", among.recall, n=len(real), **how)]
    # pixels in [-1, 1] are twice as wide as those that the level is told for
    change = math.sqrt(float((found.denoised - found.noisy).double().square().mean())) / 2
    return [*rows, row("denoising_change", change / LEAST, unit="of the least level", n=len(found.noisy), **labels)]


def scored_rows(name: str, arm: Arm, measure: Yardstick, settings: Settings, context: Context) -> list[dict[str, Any]]:
    """Return FID and Inception score of an arm's last state, with and without the last denoising step."""
    start = starts(settings.scored, tuple(measure.test.images.shape[1:]), context)
    found, rows = sampled(arm, 1.0, start, settings, context), []
    for variant, (images, nfe) in found.either.items():
        pixels = from_unit(images, 256).to(torch.uint8).cpu().numpy()
        score = inception_score(class_probabilities(pixels, device=context.device))
        labels = {"dataset": settings.data, "method": name, "variant": variant, "nfe": nfe, "n": len(images)}
        rows += [
            row("fid", fid_to(measure.test, context.device)(images), **labels),
            row("inception_score", score.mean, error=score.std, **labels),
        ]
    return rows


def copy_rows(
    found: Sampled, measure: Yardstick, settings: Settings, context: Context
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return how near NCSNv2's samples and test images are to training images, and samples beside the nearest of these."""
    images = training_images(settings.data, context)
    train, labels = Known(images, measure.features(images)), {"dataset": settings.data, "method": "ncsnv2", "variant": "denoised"}
    rows = [
        *distance_rows(found.denoised, train, measure.features, labels),
        *held_out_rows(measure.test, train, measure.features, settings.data),
    ]
    pairs = nearest_images(found.denoised[:PAIRS], train, measure.features)
    return rows, {name: pictures.half().numpy() for name, pictures in pairs.items()}
