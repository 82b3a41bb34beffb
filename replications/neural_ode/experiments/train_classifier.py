"""Train one classifier of Table 1 and test it; evaluations over training (Figure 3d).

All networks of one seed see the same batches of the same split, and start from the same stem.
"""

from pathlib import Path
from typing import Literal

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
from replications.neural_ode.classifiers import drawn_test_images, error_percent, labelled_images, shifted
from replications.neural_ode.depth import evaluations_alone
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
    probe_images: PositiveInt = Field(default=32, description="test images whose evaluations are counted during training")
    probe_tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of these solves, each image alone")
    train: TrainSettings


def folder(settings: Settings, *, results: Path, level: str, seed: int) -> Path:
    """Return the model's folder."""
    return model_folder(results, level, settings.data, settings.kind, "classifier", seed)


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole."""
    catalogue.load(settings.data, "train")


class Recorded(nn.Module):
    """A classifier with a record of its depth after every epoch: a buffer, so that a resumed training still has it."""

    def __init__(self, classifier: Classifier, probe: Tensor, tolerance: float, epochs: int) -> None:
        super().__init__()
        self.classifier, self.probe, self.tolerance = classifier, probe, tolerance
        self.register_buffer("depth", torch.zeros(epochs + 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.classifier(images)

    @torch.no_grad()
    def record(self, epoch: int) -> None:
        """Note the mean evaluations of the probe's images, each solved alone, after `epoch` epochs."""
        body = self.classifier.body
        if isinstance(body, ODEBlock):
            alone = evaluations_alone(body.field.field, self.classifier.stem(self.probe), self.tolerance)
            self.depth[epoch] = alone.double().mean()


def run(settings: Settings, context: Context) -> Outcome:
    """Train, test and describe one classifier."""
    images, labels = (part.to(context.device) for part in labelled_images(settings.data, "train", context.seed))
    tight = settings.kind == "ode_net_tight"
    description = ClassifierSettings(
        kind="ode_net" if tight else settings.kind,
        network=settings.network,
        shape=tuple(images.shape[1:]),
        tolerance=settings.tight_tolerance if tight else settings.tolerance,
    )
    test = drawn_test_images(settings.data, context)
    model, trained = train_classifier(description, (images, labels), test[0][: settings.probe_images], settings, context)
    net = model.classifier
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
        arrays["depth"] = model.depth.cpu().numpy()
        counted = {"axis": "epoch", "n": settings.probe_images, **labels_of}
        rows += [row("image_nfe", nfe, unit="evaluations", at=epoch, **counted) for epoch, nfe in enumerate(arrays["depth"])]
    return Outcome(rows, arrays=arrays, weights=net.state_dict(), model=description.model_dump(mode="json"))


def train_classifier(
    description: ClassifierSettings, data: tuple[Tensor, Tensor], probe: Tensor, settings: Settings, context: Context
) -> tuple[Recorded, Trained]:
    """Train a classifier on the mean cross-entropy of (images, labels), and count the probe's evaluations as it goes."""
    images, labels = data
    # the same purpose for every kind: same stem, batches and shifts
    seed = context.seed_for("train", settings.data)
    sampler = EpochSampler(len(images), settings.train.batch, seed)
    epochs = epochs_before(settings.train.steps, settings.train.batch, len(images))
    model = Recorded(description.build(seed), probe, settings.probe_tolerance, epochs).to(context.device)

    def loss(network: nn.Module, step: int, generator: Generator) -> Tensor:
        epoch = epochs_before(step, settings.train.batch, len(images))
        if step == 0 or epoch > epochs_before(step - 1, settings.train.batch, len(images)):
            model.record(epoch)
        chosen = sampler(step).to(context.device)
        batch = shifted(images[chosen], settings.shift, generator=generator)
        return cross_entropy(network(batch), labels[chosen])

    trained = train_run(context, model, loss, settings.train, seed=seed, of=settings)
    # the weights of the last step: they are what is tested, too
    trained.model.record(epochs)
    return trained.model, trained


def epochs_before(step: int, batch: int, images: int) -> int:
    """Return how many whole epochs are done when so many steps are."""
    return step * batch // images
