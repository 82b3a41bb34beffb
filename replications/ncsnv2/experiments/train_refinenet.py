"""Train the paper's network with all techniques, with all but unconditional scores, or as NCSN's (Table 4, Figure 5).

The settings are the paper's: Adam at a constant rate, which is a tenth of NCSN's where scores are unconditional (with NCSN's the
loss blows up), and a loss that is half the sum over pixels, which matters beside Adam's epsilon. The average of the weights
(technique 5) is kept beside the raw ones, so that each training answers with and without it. Where the suite's shared network
takes its place, `common train` does the training.
"""

import math
from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt

from common.learning.data import catalogue
from common.learning.data.training import sample_shape
from common.learning.fit import fitted
from common.learning.models import ModelSettings
from common.learning.nets.build import check_fits
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome
from common.runs.layout import model_folder
from common.runs.settings import Settings as Base
from replications.ncsnv2.refinenets import Objective, RefineNetV2Settings, description

VARIANT = ("data", "objective")


class Settings(Base):
    """Settings of one training."""

    data: str = Field(description="image data set")
    objective: Objective = Field(default="ncsnv2", description="all techniques, all but the third, or none of the first four")
    sigma_max: PositiveFloat = Field(description="largest noise of pixels in [0, 1] (technique 1); NCSN's is 1")
    levels: PositiveInt = Field(description="number of noise levels down to 0.01 (technique 2); NCSN has 10")
    backbone: RefineNetV2Settings = Field(description="the paper's network and its size")
    flip: bool = Field(default=False, description="whether images are mirrored at random")
    told_learning_rate: PositiveFloat = Field(description="Adam's learning rate for networks that are told the noise level")
    train: TrainSettings


def folder(settings: Settings, *, results: Path, level: str, seed: int) -> Path:
    """Return the model's folder, beside those of the shared models."""
    return model_folder(results, level, settings.data, settings.backbone.kind, settings.objective, seed)


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data set is there and whole, and `SettingsError` unless the network fits its images."""
    catalogue.load(settings.data, "train")
    check_fits(described(settings).backbone, sample_shape(settings.data))


def run(settings: Settings, context: Context) -> Outcome:
    """Train one network; all objectives of a data set start from the same seed and see the same images."""
    labels = {"data": settings.data, "method": settings.objective}
    more = {"seed": context.seed_for(settings.data), "flip": settings.flip, "scale": math.prod(sample_shape(settings.data)) / 2}
    # as the authors did: their NCSN alone learns from dequantised images
    more["dequantise"] = settings.objective == "ncsn"
    return fitted(described(settings), schedule(settings), context, of=settings, **labels, **more)


def described(settings: Settings) -> ModelSettings:
    """Return what a training of these settings makes."""
    ladder = {"sigma_max": settings.sigma_max, "levels": settings.levels}
    return description(settings.data, settings.objective, settings.backbone, **ladder)


def schedule(settings: Settings) -> TrainSettings:
    """Return how the model is trained: a network that is told the noise level at a learning rate of its own."""
    told = {} if settings.objective == "ncsnv2" else {"learning_rate": settings.told_learning_rate}
    return settings.train.model_copy(update=told)
