"""What samples of images are measured with: a replicate's test split, and the features of its own small network."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Generator, Tensor

from common.learning.data import catalogue
from common.learning.data.scale import from_unit, to_unit
from common.learning.data.split import ImageSplit
from common.measure.features import as_they_are, load_feature_net
from common.measure.metrics.frechet import bootstrap_error, frechet_distance
from common.measure.metrics.inception import inception_features
from common.runs.experiment import Context
from common.runs.folders import row

AT_ONCE = 100  # images that are converted together: as 64-bit integers large ones take eight times their memory


def drawn(split: ImageSplit, n: int, generator: Generator) -> ImageSplit:
    """Return `n` random images of a split, or all of them in random order if there are fewer."""
    chosen = torch.randperm(len(split.images), generator=generator)[:n]
    return replace(split, images=split.images[chosen], labels=None if split.labels is None else split.labels[chosen])


Space = Literal["classifier", "inception"]  # whose features: of a small network trained on the data set, or Inception's


@dataclass(frozen=True)
class Yardstick:
    """The feature Fréchet distance to a replicate's test split, and what it reads for training images in the samples' place."""

    test: ImageSplit
    features: Callable[[Tensor], np.ndarray]  # of images [n, c, h, w] in [-1, 1] on the CPU
    reference: np.ndarray  # features of the test split
    training: np.ndarray  # features of training images

    def floor(self, n: int) -> float:
        """Return the distance of `n` training images, or of all there are: data against data."""
        return frechet_distance(self.training[:n], self.reference)

    def floor_row(self, n: int, data: str) -> dict[str, Any]:
        """Return the row of that distance, which the samples of no model of the data set can be expected to beat."""
        floor, method = self.floor(n), {"method": "data", "variant": "train split"}
        return row("feature_frechet", floor, floor=floor, n=min(n, len(self.training)), dataset=data, **method)

    def row(
        self, metric: str, images: Tensor, *, resampled: Generator | None = None, floor: float | None = None, **labels: Any
    ) -> dict[str, Any]:
        """Return the row of the distance of images in [-1, 1], with its floor and, if a generator resamples, its error.

        The floor is what as many training images read, unless the images are made from those of the reference.
        """
        found = self.features(images.float().cpu())
        error = {"error": bootstrap_error(found, self.reference, generator=resampled)} if resampled else {}
        floor = self.floor(len(found)) if floor is None else floor
        return row(metric, frechet_distance(found, self.reference), floor=floor, n=len(found), **error, **labels)


def yardstick(data: str, context: Context, samples: int, *, space: Space = "classifier") -> Yardstick:
    """Return what measures `samples` images of a data set, in the features of the replicate's own network or of Inception.

    A data set without labels has no network of its own. Raises `DataError` without Inception's weights where they are asked for.
    """
    test = catalogue.load(data, "test", context.seed)
    train = drawn(catalogue.load(data, "train", context.seed), samples, context.generator("floor"))
    features = load_feature_net(context.features(data), context.device) if space == "classifier" else _inception(context.device)
    prepare = partial(to_unit, grey_values=test.grey_values)
    return Yardstick(test, features, features(test.images, prepare=prepare), features(train.images, prepare=prepare))


def fid_to(split: ImageSplit, device: torch.device) -> Callable[[Tensor], float]:
    """Return the FID of images [n, c, h, w] in [-1, 1] to a split. Raises `DataError` without Inception's weights."""
    features = _inception(device)
    reference = features(split.images, prepare=partial(to_unit, grey_values=split.grey_values))
    return lambda images: frechet_distance(features(images), reference)


def _inception(device: torch.device) -> Callable[..., np.ndarray]:
    """Return the function images in [-1, 1], or what `prepare` makes such images of -> Inception's features."""

    def features(images: Tensor, *, prepare: Callable[[Tensor], Tensor] = as_they_are) -> np.ndarray:
        return inception_features(pixels_of(images, prepare=prepare), device=device)

    return features


def pixels_of(images: Tensor, *, prepare: Callable[[Tensor], Tensor] = as_they_are) -> np.ndarray:
    """Return images in [-1, 1], or what `prepare` makes such images of, as uint8 grey values on the CPU."""
    parts = [from_unit(prepare(part), 256).to(torch.uint8).cpu() for part in images.split(AT_ONCE)]
    return torch.cat(parts).numpy()
