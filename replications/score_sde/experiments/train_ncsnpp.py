"""Train one of the published networks on one SDE, continuous or at discrete levels, as its authors did (Tables 2 and 3, App. H).

What differs between SDEs is published too: the average's decay, and on the VE path a loss that is half the sum over pixels, where
the others have their mean. It matters because gradients are clipped.
"""

import math
from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt

from common.learning.data import catalogue
from common.learning.data.training import sample_shape
from common.learning.fit import fitted
from common.learning.models import ModelSettings
from common.learning.nets.build import check_fits
from common.learning.training.settings import Fraction, TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome
from common.runs.layout import model_folder
from common.runs.settings import Settings as Base
from replications.score_sde.networks.named_models import MODELS, SDE, ModelName, Size, description

VARIANT = ("data", "model")


class Settings(Base):
    """Settings of one training."""

    data: str = Field(description="image data set")
    model: ModelName = Field(default="ncsnpp_ve", description="architecture, SDE and objective")
    size: Size = Field(description="size of the network")
    sigma_max: PositiveFloat = Field(description="largest noise on the VE path, of pixels in [0, 1]")
    levels: PositiveInt = Field(default=1000, description="levels of a discrete objective")
    flip: bool = Field(default=False, description="whether images are mirrored at random")
    ema_decay: dict[SDE, Fraction] = Field(description="decay of the averaged weights on each SDE")
    deep_steps: PositiveInt | None = Field(default=None, description="steps of deep networks; null = as many as the others'")
    train: TrainSettings


def folder(settings: Settings, *, results: Path, level: str, seed: int) -> Path:
    """Return the model's folder, beside those of the shared models."""
    return model_folder(results, level, settings.data, "ncsnpp", settings.model, seed)


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data set is there and whole, and `SettingsError` unless the network fits its images."""
    catalogue.load(settings.data, "train")
    check_fits(described(settings).backbone, sample_shape(settings.data))


def run(settings: Settings, context: Context) -> Outcome:
    """Train one network; all models of a data set start from the same seed and see the same batches."""
    labels = {"data": settings.data, "method": settings.model}
    more = {"seed": context.seed_for(settings.data), "flip": settings.flip, "scale": loss_scale(settings)}
    return fitted(described(settings), schedule(settings), context, of=settings, **labels, **more)


def described(settings: Settings) -> ModelSettings:
    """Return what a training of these settings makes."""
    more = {"size": settings.size, "sigma_max": settings.sigma_max, "levels": settings.levels}
    return description(MODELS[settings.model], sample_shape(settings.data), **more)


def schedule(settings: Settings) -> TrainSettings:
    """Return how the model is trained: with the average of its SDE, and, if it is deep, for its own number of steps."""
    named, train = MODELS[settings.model], settings.train
    steps = settings.deep_steps if named.deep and settings.deep_steps else train.steps
    return train.model_copy(update={"ema_decay": settings.ema_decay[named.sde], "steps": steps})


def loss_scale(settings: Settings) -> float:
    """Return what makes the mean over pixels the published loss."""
    return 0.5 * math.prod(sample_shape(settings.data)) if MODELS[settings.model].sde == "ve" else 1.0
