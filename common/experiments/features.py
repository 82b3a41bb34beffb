"""Train the small classifier whose features measure Fréchet distances inside one data set.

At smoke and laptop level there are no Inception weights, and Inception sees little in 8x8 digits. Distances in the features
of this network are called "feature Fréchet distance"; they are not FID and compare only within one data set, level and replicate:
each replicate has a network of its own, trained on its own training split, so that no network has seen the images it measures.
"""

from functools import partial
from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt

from common.errors import RetraceError
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.measure.features import accuracy, train_feature_net
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.layout import model_folder
from common.runs.settings import Settings as Base

VARIANT = ("data",)


class Settings(Base):
    """Settings of the feature network."""

    data: str = Field(description="labelled image data set")
    steps: PositiveInt = Field(description="training steps")
    batch: PositiveInt = Field(default=128, description="images per step")
    learning_rate: PositiveFloat = Field(default=2e-3, description="Adam's learning rate")


def folder(settings: Settings, *, results: Path, level: str, seed: int) -> Path:
    """Return the folder of this feature network, where every paper finds it."""
    return model_folder(results, level, settings.data, "features", "classifier", seed)


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there."""
    catalogue.load(settings.data, "train")


def run(settings: Settings, context: Context) -> Outcome:
    """Train on the training split; report the accuracy on the test split."""
    train_split, test_split = (catalogue.load(settings.data, split, context.seed) for split in ("train", "test"))
    if train_split.labels is None:
        raise RetraceError(f"{settings.data} has no labels, so no classifier can be trained on it; choose another data set")
    generator = context.generator("features")
    prepare = partial(to_unit, grey_values=train_split.grey_values)
    net = train_feature_net(
        train_split.images,
        train_split.labels,
        steps=settings.steps,
        batch=settings.batch,
        learning_rate=settings.learning_rate,
        generator=generator,
        prepare=prepare,
        device=context.device,
    )
    reached = accuracy(net, test_split.images, test_split.labels, prepare=prepare)
    rows = [row("test_accuracy", reached, dataset=settings.data, method="classifier", n=len(test_split.images))]
    return Outcome(rows, weights=net.state_dict())
