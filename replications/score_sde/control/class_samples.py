"""Samples of a class from a model that knows no classes, guided by a classifier of noisy images (Song 2021, Sec. 5, Fig. 4).

Whether a sample is of the class asked for is judged by the replicate's feature network, which was trained on clean images and had
no part in guiding.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.answers import Answers, Guided
from common.dynamics.samplers.loop import Times
from common.dynamics.samplers.noise import Source
from common.evaluation.yardstick import yardstick
from common.learning.data.scale import to_unit
from common.learning.training.settings import TrainSettings
from common.measure.features import accuracy, read_feature_net
from common.runs.experiment import Context
from common.runs.folders import row
from common.runs.settings import Settings as Base
from replications.score_sde.conditional import class_gradient
from replications.score_sde.control.completions import Found, Row, starts_of
from replications.score_sde.control.noise_conditional_classifier import (
    ClassifierSettings,
    NoiseConditionalClassifier,
    labelled,
    noisy_accuracy,
    trained_classifier,
)
from replications.score_sde.correctors import langevin
from replications.score_sde.images.model_samples import EPS, halved
from replications.score_sde.predictor_corrector import predictor_corrector
from replications.score_sde.predictors import reverse_diffusion

SHOWN = 8  # pictures of a class


class ClassSettings(Base):
    """Settings of samples of a class."""

    net: ClassifierSettings = Field(description="the classifier of noisy images")
    train: TrainSettings
    sigmas: PositiveInt = Field(default=12, description="noise levels of the accuracy, evenly spaced in time")
    samples: PositiveInt = Field(description="samples at each weight, the classes in turn")
    weights: list[NonNegativeFloat] = Field(default=[0, 1, 3], description="factors on the classifier's gradient; published: 1")
    snr: PositiveFloat = Field(default=0.16, description="signal-to-noise ratio of the corrector")


def class_samples(
    model: Answers,
    classifier: Callable[[Tensor, Tensor], Tensor],
    classes: Int[Tensor, " n"],
    starts: Float[Tensor, "n *shape"],
    times: Times,
    *,
    weight: float,
    snr: float,
    batch: int,
    generator: Source,
) -> Float[Tensor, "n *shape"]:
    """Return a sample of each class asked for: predictor and corrector both follow the guided score.

    `starts` are samples of the prior; `batch` samples share their steps, and the norms of the corrector. Weight 0 asks for none.
    """
    sample, parts = predictor_corrector(reverse_diffusion, langevin(snr)), []
    for noise, wanted in zip(starts.split(batch), classes.split(batch)):
        guided = Guided(model, class_gradient(classifier, wanted, weight=weight)) if weight else model
        parts.append(sample(guided, noise, times, generator=generator).x)
    return torch.cat(parts)


def measured_classes(
    data: str, model: Answers, times: Times, mine: ClassSettings, batch: int, context: Context, *, of: Base
) -> Found:
    """Return the classifier's accuracy by noise level, and how samples at each weight agree with the classes asked for.

    `of` is the description of all that the classifier's training depends on.
    """
    classifier = trained_classifier(mine.net, model.path, mine.train, data, context, of=of)
    test, judge = labelled(data, "test", context.seed), read_feature_net(context.features(data)).to(context.device)
    images, count = to_unit(test.images, test.grey_values), int(test.labels.max()) + 1
    of_data = {"dataset": data, "method": "data", "variant": "test split", "floor": 1 / count}
    rows = accuracy_rows(classifier, images.to(context.device), test.labels, mine.sigmas, {"dataset": data}, context)
    rows.append(row("agreement", accuracy(judge, images, test.labels), n=len(images), **of_data))
    measure, classes = yardstick(data, context, mine.samples), torch.arange(mine.samples, device=context.device) % count
    starts, pictures = starts_of("classes", model, (mine.samples, *images.shape[1:]), context), {}
    for weight in mine.weights:
        generator = context.generator("noise of classes", device=context.device)
        guide = {"weight": weight, "snr": mine.snr, "batch": batch, "generator": generator}
        x = class_samples(model, classifier, classes, starts, times, **guide).clamp(-1, 1)
        where = {"dataset": data, "method": "class_conditional", "axis": "weight", "at": weight}
        rows.append(row("agreement", accuracy(judge, x, classes), n=len(x), floor=1 / count, **where))
        rows.append(measure.row("feature_frechet", x, **where))
        pictures[f"class_samples_{weight:g}"] = halved(x[: SHOWN * count].clamp(-1, 1))
    return rows, pictures


def accuracy_rows(
    classifier: NoiseConditionalClassifier,
    images: Float[Tensor, "n *shape"],
    labels: Int[Tensor, " n"],
    sigmas: int,
    of: Row,
    context: Context,
) -> list[Row]:
    """Return the classifier's accuracy at noise levels from the least to the largest; its floor is chance."""
    path, labels, rows = classifier.path, labels.to(images.device), []
    for t in torch.linspace(EPS["ve"], 1, sigmas, dtype=torch.float64):
        generator = context.generator("noise of test images", device=images.device)
        found = noisy_accuracy(classifier, path, images, labels, float(t), generator=generator)
        where = {"axis": "sigma", "at": float(path.sigma(t)), "n": len(images), "floor": 1 / (int(labels.max()) + 1)}
        rows.append(row("classifier_accuracy", found, method="classifier", **where, **of))
    return rows
