"""Sliced score matching on data that fill no volume, with and without a little noise (Figure 1).

A circle in a space of many dimensions, and digits, many of whose pixels hardly ever change. Neither has a density, so the loss
has no lower bound: training finds ever narrower ridges. Noise of variance v gives both a density, and the loss then settles near
-(D - d) / (2 v) for a d-dimensional manifold in D dimensions.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.learning.nets.build import MLPSettings, build_backbone
from common.learning.training.loop import Trained
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ncsn.score_matching import sliced_score_matching

VARIANT = ("data",)
Draw = Callable[[Generator], Tensor]


class Settings(Base):
    """Settings of the four trainings."""

    data: str = Field(default="digits", description="image data set beside the circle")
    dimensions: PositiveInt = Field(default=16, ge=3, description="of the space that the circle lies in")
    noise: PositiveFloat = Field(description="standard deviation of the noise; the circle has radius 1, pixels are in [-1, 1]")
    backbone: MLPSettings = Field(description="network of the score")
    train: TrainSettings


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data set's files are there."""
    catalogue.load(settings.data, "train")


def run(settings: Settings, context: Context) -> Outcome:
    """Train on both data sets, as they are and with noise, and report how restless the end of each training is."""
    sources = {"circle": circle(settings, context), settings.data: images(settings, context)}
    rows, arrays = [], {}
    for dataset, (draw, shape) in sources.items():
        for method, noise in (("clean", 0.0), ("noised", settings.noise)):
            trained = fitted(draw, shape, noise, settings, context, f"{dataset}-{method}")
            labels = {"dataset": dataset, "method": method}
            rows.append(row("tail_spread", tail_spread(trained.losses), n=settings.train.steps, **labels))
            settled = float(last_third(trained.losses).mean())
            rows.append(row("settled_loss", settled, n=settings.train.steps, **labels))
            if dataset == "circle" and noise:
                limit = -(settings.dimensions - 1) / (2 * noise**2)
                rows.append(row("settled_over_limit", settled / limit, unit="ratio", n=settings.train.steps, **labels))
            arrays |= {f"loss_{dataset}_{method}": trained.losses, f"step_{dataset}_{method}": trained.loss_steps}
    return Outcome(rows, arrays=arrays)


def circle(settings: Settings, context: Context) -> tuple[Draw, tuple[int, ...]]:
    """Return what draws a batch from the unit circle in a random plane of the replicate, and a point's shape."""
    plane, _ = torch.linalg.qr(torch.randn(settings.dimensions, 2, generator=context.generator("plane")))
    plane = plane.T.to(context.device)

    def draw(generator: Generator) -> Tensor:
        angle = 2 * math.pi * torch.rand(settings.train.batch, generator=generator, device=context.device)
        return torch.stack([angle.cos(), angle.sin()], 1) @ plane

    return draw, (settings.dimensions,)


def images(settings: Settings, context: Context) -> tuple[Draw, tuple[int, ...]]:
    """Return what draws a batch of training images, not dequantised, and an image's shape."""
    split = catalogue.load(settings.data, "train", context.seed)
    values = split.images.to(context.device)

    def draw(generator: Generator) -> Tensor:
        chosen = torch.randint(len(values), (settings.train.batch,), generator=generator, device=context.device)
        return to_unit(values[chosen], split.grey_values)

    return draw, tuple(values.shape[1:])


def fitted(draw: Draw, shape: tuple[int, ...], noise: float, settings: Settings, context: Context, name: str) -> Trained:
    """Return one finished training; weights and batches do not depend on the noise."""
    seed = context.seed_for("train", name.partition("-")[0])
    network, none = build_backbone(settings.backbone, shape, seed=seed).to(context.device), torch.zeros(1, device=context.device)

    def loss(network: nn.Module, step: int, generator: Generator) -> Tensor:
        x = draw(generator)
        more = {"generator": generator, "device": x.device}
        probe = torch.randn(x.shape, **more)
        return sliced_score_matching(lambda x: network(x, none), x + noise * torch.randn(x.shape, **more), probe).mean()

    return train_run(context, network, loss, settings.train, seed=seed, of=settings, name=name)


def last_third(losses: np.ndarray) -> np.ndarray:
    """Return the end of a loss curve, in float64."""
    return np.asarray(losses[-(len(losses) // 3) :], dtype=np.float64)


def tail_spread(losses: np.ndarray) -> float:
    """Return the standard deviation of the last third of a loss curve, in units of its own mean."""
    tail = last_third(losses)
    return float(tail.std() / abs(tail.mean()))
