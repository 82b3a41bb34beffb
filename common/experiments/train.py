"""Train one objective on a two-dimensional density or on images: the models that all papers share.

Every objective of one data set and seed starts from the same weights and sees the same batches, times and noise. The budget is
one per data set and level, in settings.yaml.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from common.learning.data.densities import DENSITIES
from common.learning.data.training import sample_shape
from common.learning.fit import fitted
from common.learning.models import ModelSettings
from common.learning.nets.build import BackboneSettings, check_fits
from common.learning.objective_table import OBJECTIVES, recipe_for
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome
from common.runs.layout import model_folder
from common.runs.settings import Settings as Base

VARIANT = ("data", "objective")


class Settings(Base):
    """Settings of one training."""

    data: str = Field(default="digits", description="image data set or two-dimensional density")
    objective: Literal[tuple(OBJECTIVES)] = Field(default="fm_ot", description="training objective")
    backbone: Annotated[BackboneSettings, Field(description="network and its size")]
    pixel_range: tuple[float, float] = Field(default=(-1.0, 1.0), description="range that images are scaled to")
    train: TrainSettings


def folder(settings: Settings, *, results: Path, level: str, seed: int) -> Path:
    """Return the model's folder, keyed by what the model is, not by who asked for it."""
    return model_folder(results, level, settings.data, settings.backbone.kind, settings.objective, seed)


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data set is there and whole, and `SettingsError` unless the network fits its samples."""
    check_fits(settings.backbone, sample_shape(settings.data))
    recipe_for(settings.objective, settings.data).objective.build()


def run(settings: Settings, context: Context) -> Outcome:
    """Train one model and return its rows, loss curve, averaged (EMA) weights and description."""
    # the same purpose for every objective: same initial weights, batches, times and noise
    seed, labels = context.seed_for(settings.data), {"data": settings.data, "method": settings.objective}
    return fitted(description(settings), settings.train, context, seed=seed, of=settings, **labels)


def description(settings: Settings) -> ModelSettings:
    """Return what a training of these settings makes."""
    return ModelSettings(
        **dict(recipe_for(settings.objective, settings.data)),
        backbone=settings.backbone,
        shape=sample_shape(settings.data),
        pixel_range=None if settings.data in DENSITIES else settings.pixel_range,
    )
