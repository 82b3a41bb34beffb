"""Train the paper's own network on the ladder of noise levels, or on its least level alone.

The settings are the paper's: Adam at a constant rate, no average of the weights. Where the suite's shared network takes its
place, `common train` does the training.
"""

from pathlib import Path

from pydantic import Field

from common.learning.data import catalogue
from common.learning.data.training import sample_shape
from common.learning.fit import fitted
from common.learning.nets.build import check_fits
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome
from common.runs.layout import model_folder
from common.runs.settings import Settings as Base
from replications.ncsn.networks import Objective, description
from replications.ncsn.refinenet import RefineNetSettings

VARIANT = ("data", "objective")


class Settings(Base):
    """Settings of one training."""

    data: str = Field(description="image data set")
    objective: Objective = Field(default="ncsn", description="all noise levels, or the least one alone")
    backbone: RefineNetSettings = Field(description="the paper's network and its size")
    flip: bool = Field(default=False, description="whether images are mirrored at random")
    train: TrainSettings


def folder(settings: Settings, *, results: Path, level: str, seed: int) -> Path:
    """Return the model's folder, beside those of the shared models."""
    return model_folder(results, level, settings.data, settings.backbone.kind, settings.objective, seed)


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data set is there and whole, and `SettingsError` unless the network fits its images."""
    catalogue.load(settings.data, "train")
    check_fits(description(settings.data, settings.objective, settings.backbone).backbone, sample_shape(settings.data))


def run(settings: Settings, context: Context) -> Outcome:
    """Train one network; both objectives start from the same seed and see the same batches."""
    model = description(settings.data, settings.objective, settings.backbone)
    labels = {"data": settings.data, "method": settings.objective}
    seed = context.seed_for(settings.data)
    return fitted(model, settings.train, context, seed=seed, of=settings, flip=settings.flip, **labels)
