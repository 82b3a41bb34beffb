"""Every trained objective under every sampler, on images: what the samples are worth, by evaluations.

Rows have the sampler as `method` and the objective as `variant`. All start from the same noise. The same samplers run with the
exact score of the training set in the place of a network (`empirical_vp`, ...): what they reproduce are the training images, so
that what is missing to the floor is the sampler's own error.
"""

from collections.abc import Iterator
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.oracles import EmpiricalDistribution
from common.dynamics.paths import PATHS
from common.evaluation.yardstick import Space, drawn, yardstick
from common.learning.data import catalogue
from common.learning.data.scale import rescaled, to_unit
from common.learning.objective_table import OBJECTIVES
from common.measure.metrics.inception import find_weights
from common.runs.experiment import Context
from common.runs.folders import Outcome
from common.runs.settings import Settings as Base
from replications.gotta_go_fast.model_runs import UNIT, Trained, trained
from replications.score_sde.images.model_samples import halved
from replications.survey.cells import Budgets, cells
from replications.survey.image_measures import Measures, Row, measures

VARIANT = ("data",)


class Settings(Base):
    """Settings of the comparison."""

    data: str = Field(description="image data set")
    objectives: list[Literal[tuple(OBJECTIVES)]] = Field(description="trained objectives")
    samples: PositiveInt = Field(description="samples of each cell")
    batch: PositiveInt = Field(default=1000, description="samples that are drawn together")
    budgets: Budgets = Field(description="samplers that run, and with how many evaluations")
    empirical: dict[Literal[tuple(PATHS)], Budgets] = Field(
        default={}, description="paths on which the training set's exact score is sampled too, with the budgets there"
    )
    empirical_images: PositiveInt = Field(default=2000, description="training images whose score it is, or all there are")
    neighbours: PositiveInt = Field(default=5, description="neighbours whose distance is a ball's radius in precision and recall")
    shown: list[PositiveInt] = Field(default=[10, 50], description="evaluations at which pictures are kept")
    pictures: PositiveInt = Field(default=12, description="pictures of each of those cells")
    space: Space = Field(default="classifier", description="features of the distances; Inception's need its weights on disk")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole, and Inception's weights where they are asked for."""
    catalogue.load(settings.data, "test")
    if settings.space == "inception":
        find_weights("FID")


def run(settings: Settings, context: Context) -> Outcome:
    """Run every sampler on every model."""
    measured = measures(
        yardstick(settings.data, context, settings.samples, space=settings.space), settings.samples, settings.neighbours
    )
    rows, pictures = measured.floor_rows(settings.samples, dataset=settings.data, variant="train split"), {}
    for name, model, budgets in models(settings, context):
        found, shown = model_rows(model, budgets, measured, settings, context, {"dataset": settings.data, "variant": name})
        rows += found
        pictures |= {f"{name}_{key}": halved(images) for key, images in shown.items()}
    return Outcome(rows, arrays=pictures)


def models(settings: Settings, context: Context) -> Iterator[tuple[str, Trained, Budgets]]:
    """Yield every trained model and the training set's own, each with its name and budgets."""
    for name in settings.objectives:
        yield name, trained(settings.data, name, "shared", context), settings.budgets
    if not settings.empirical:
        return
    split = drawn(catalogue.load(settings.data, "train", context.seed), settings.empirical_images, context.generator("empirical"))
    images = to_unit(split.images, split.grey_values).to(context.device)
    for name, budgets in settings.empirical.items():
        yield f"empirical_{name}", Trained(EmpiricalDistribution(PATHS[name](), images, dtype=torch.float32), UNIT), budgets


def model_rows(
    trained: Trained, budgets: Budgets, measured: Measures, settings: Settings, context: Context, labels: Row
) -> tuple[list[Row], dict[str, Float[Tensor, "n c h w"]]]:
    """Return the rows of every cell of a model, and pictures by sampler and evaluations or tolerance."""
    rows, pictures, draws = [], {}, partial(context.generator, "noise on the way", device=context.device)
    noise = starts(trained.model, settings, context)
    for cell in cells(trained.model, noise, budgets, batch=settings.batch, draws=draws):
        if cell.samples is None:
            rows.append(cell.refusal("feature_frechet", **labels))
            continue
        images = rescaled(cell.samples.float(), trained.pixel_range, UNIT)
        rows += measured.rows(images, **cell.labels, **labels)
        if cell.labels["axis"] == "tolerance" or cell.labels["at"] in settings.shown:
            pictures[f"{cell.labels['method']}_{cell.labels['at']:g}"] = images[: settings.pictures].clamp(*UNIT)
    return rows, pictures


def starts(model: Answers, settings: Settings, context: Context) -> Float[Tensor, "n c h w"]:
    """Return the standard normals that samples start from, the same for all models."""
    shape = catalogue.load(settings.data, "test", context.seed).images.shape[1:]
    noise = torch.randn(settings.samples, *shape, generator=context.generator("starts"), dtype=torch.float32)
    return noise.to(context.device)
