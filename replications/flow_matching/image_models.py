"""What every measurement of trained image models starts from: which models, and the yardstick of their samples."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from common.learning.data import catalogue
from common.learning.data.scale import from_unit, to_unit
from common.learning.data.split import ImageSplit
from common.learning.objective_table import OBJECTIVES
from common.measure.features import load_feature_net
from common.measure.metrics.frechet import frechet_distance
from common.measure.metrics.inception import inception_features
from common.runs.experiment import Context
from common.runs.settings import Settings


class ImageModels(Settings):
    """Which trained models are measured."""

    data: str = Field(description="image data set")
    objectives: list[Literal[tuple(OBJECTIVES)]] = Field(description="trained objectives to compare")


def check(settings: ImageModels) -> None:
    """Raise unless the data set's files are there and whole."""
    catalogue.load(settings.data, "test")


def yardstick(data: str, context: Context) -> tuple[ImageSplit, Callable[[Tensor], float]]:
    """Return the test split and the feature Fréchet distance of images [n, c, h, w] in [-1, 1] to it.

    The feature network is one for all seeds: distances of different seeds share their yardstick.
    """
    test = catalogue.load(data, "test")
    features = load_feature_net(context.features(data), context.device)
    reference: np.ndarray = features(test.images, prepare=partial(to_unit, grey_values=test.grey_values))
    return test, lambda images: frechet_distance(features(images.float().cpu()), reference)


def fid_to(split: ImageSplit, device: torch.device) -> Callable[[Tensor], float]:
    """Return the FID of images [n, c, h, w] in [-1, 1] to a split. Raises `DataError` without Inception's weights."""

    def features(images: Tensor) -> np.ndarray:
        pixels = from_unit(images, 256).to(torch.uint8)
        return inception_features(pixels.cpu().numpy(), device=device)

    reference = features(to_unit(split.images, split.grey_values))
    return lambda images: frechet_distance(features(images), reference)
