"""Train one classifier of Table 1 and test it; evaluations over training (Figure 3d).

All networks of one seed see the same batches, and start from the same stem.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from common.learning.data import catalogue
from common.learning.data.batches import EpochSampler
from common.learning.nets.mlp import parameter_count
from common.learning.training.loop import Trained
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.layout import model_folder
from common.runs.settings import Settings as Base
from replications.neural_ode.classifiers import error_percent, labelled_images, shifted
from replications.neural_ode.networks import RESIDUAL_BLOCKS, Classifier, ClassifierSettings, NetworkSettings, ODEBlock

VARIANT = ("data", "kind")


class Settings(Base):
    """Settings of one training."""

    data: str = Field(description="labelled image data set")
    kind: Literal["resnet", "rk_net", "ode_net", "ode_net_tight"] = Field(default="ode_net", description="classifier")
    network: NetworkSettings = Field(description="size of the network")
    tolerance: PositiveFloat = Field(default=1e-3, description="atol = rtol of the ODE block's dopri5")
    tight_tolerance: PositiveFloat = Field(default=1e-5, description="the same for ode_net_tight")
    shift: NonNegativeInt = Field(default=0, description="augmentation: largest random shift of a training image in pixels")
    test_batch: PositiveInt = Field(default=500, description="test images solved jointly")
    train: TrainSettings


def folder(settings: Settings, *, results: Path, level: str, seed: int) -> Path:
    """Return the model's folder."""
    return model_folder(results, level, settings.data, settings.kind, "classifier", seed)


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole."""
    catalogue.load(settings.data, "train")


class Recorded(nn.Module):
    """A classifier with a record of its evaluations per step: a buffer, so that a resumed training still has it."""

    def __init__(self, classifier: Classifier, steps: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.register_buffer("evaluations", torch.zeros(steps))

    def forward(self, images: Tensor, step: int) -> Tensor:
        """Return the logits and note the evaluations of this step's forward pass."""
        logits = self.classifier(images)
        if isinstance(self.classifier.body, ODEBlock):
            self.evaluations[step] = self.classifier.body.evaluations
        return logits


def run(settings: Settings, context: Context) -> Outcome:
    """Train, test and describe one classifier."""
    images, labels = (part.to(context.device) for part in labelled_images(settings.data, "train"))
    tight = settings.kind == "ode_net_tight"
    description = ClassifierSettings(
        kind="ode_net" if tight else settings.kind,
        network=settings.network,
        shape=tuple(images.shape[1:]),
        tolerance=settings.tight_tolerance if tight else settings.tolerance,
    )
    trained = train_classifier(description, images, labels, settings, context)
    net = trained.model.classifier
    test = [part.to(context.device) for part in labelled_images(settings.data, "test")]
    error = error_percent(net, *test, batch=settings.test_batch)
    labels_of = {"dataset": settings.data, "method": settings.kind}
    blocks = RESIDUAL_BLOCKS if settings.kind == "resnet" else 1
    rows = [
        row("test_error", error, unit="%", n=len(test[0]), seconds=trained.seconds, **labels_of),
        row("parameters", parameter_count(net), unit="1", **labels_of),
        row("parameters_per_block", parameter_count(net.body) / blocks, unit="1", **labels_of),
    ]
    arrays = {"loss": trained.losses, "loss_step": trained.loss_steps}
    if isinstance(net.body, ODEBlock):
        arrays["nfe"] = by_epoch(trained.model.evaluations.cpu().numpy(), len(images) / settings.train.batch)
        rows += [
            row("training_nfe", nfe, unit="evaluations", axis="epoch", at=epoch, **labels_of)
            for epoch, nfe in enumerate(arrays["nfe"], 1)
        ]
    return Outcome(rows, arrays=arrays, weights=net.state_dict(), model=description.model_dump(mode="json"))


def train_classifier(
    description: ClassifierSettings, images: Tensor, labels: Tensor, settings: Settings, context: Context
) -> Trained:
    """Train a classifier on the mean cross-entropy."""
    # the same purpose for every kind: same stem, batches and shifts
    seed = context.seed_for("train", settings.data)
    sampler = EpochSampler(len(images), settings.train.batch, seed)
    model = Recorded(description.build(seed), settings.train.steps).to(context.device)

    def loss(network: nn.Module, step: int, generator: Generator) -> Tensor:
        chosen = sampler(step).to(context.device)
        batch = shifted(images[chosen], settings.shift, generator=generator)
        return cross_entropy(network(batch, step), labels[chosen])

    return train_run(context, model, loss, settings.train, seed=seed, of=settings)


def by_epoch(values: np.ndarray, steps: float) -> np.ndarray:
    """Return the means of a per-step record over epochs of `steps` steps; a last epoch cut short counts as one."""
    epochs = (np.arange(len(values)) / steps).astype(int)
    sums: Any = np.bincount(epochs, weights=values)
    return sums / np.bincount(epochs)
