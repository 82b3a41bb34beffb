"""Train one objective on a two-dimensional density or on images: the models that all papers share.

Every objective of one data set and seed starts from the same weights and sees the same batches, times and noise. The budget is
one per data set and level, in settings.yaml.
"""

from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor

from common.learning.data.densities import DENSITIES
from common.learning.data.training import sample_shape, training_batches
from common.learning.models import ModelSettings
from common.learning.nets.build import BackboneSettings, check_fits
from common.learning.nets.mlp import parameter_count
from common.learning.objective_table import OBJECTIVES
from common.learning.objectives import draw_times, regression_loss
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.layout import model_folder
from common.runs.settings import Settings as Base

VARIANT = ("data", "objective")


class Settings(Base):
    """Settings of one training."""

    data: str = Field(default="digits", description="image data set or two-dimensional density")
    objective: Literal[tuple(OBJECTIVES)] = Field(default="fm_ot", description="training objective")
    backbone: Annotated[BackboneSettings, Field(description="network and its size")]
    pixel_range: tuple[float, float] = Field(default=(-1.0, 1.0), description="range that images are scaled to")
    train: TrainSettings


def folder(settings: Settings, *, results: Path, level: str, seed: int) -> Path:
    """Return the model's folder, keyed by what the model is, not by who asked for it."""
    return model_folder(results, level, settings.data, settings.backbone.kind, settings.objective, seed)


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data set is there and whole, and `SettingsError` unless the network fits its samples."""
    check_fits(settings.backbone, sample_shape(settings.data))
    OBJECTIVES[settings.objective].objective.build()


def run(settings: Settings, context: Context) -> Outcome:
    """Train one model and return its rows, loss curve, averaged (EMA) weights and description."""
    # the same purpose for every objective: same initial weights, batches, times and noise
    seed = context.seed_for(settings.data)
    model = description(settings)
    denoiser, objective = model.build(seed).to(context.device), model.objective.build()
    device, replicate = context.device, context.seed
    draw = training_batches(settings.data, settings.train.batch, seed, device, settings.pixel_range, replicate=replicate)

    def loss(network: torch.nn.Module, step: int, generator: Generator) -> Tensor:
        x0 = draw(step, generator)
        drawn = {"generator": generator, "device": context.device, "dtype": x0.dtype}
        t = draw_times(objective.path, len(x0), known_times=objective.known_times, **drawn)
        return regression_loss(network, objective, x0, t=t, noise=torch.randn(x0.shape, **drawn)).mean()

    trained = train_run(context, denoiser, loss, settings.train, seed=seed, of=settings, kept=lambda model: model.backbone)
    labels = {"dataset": settings.data, "method": settings.objective, "variant": settings.backbone.kind, "unit": "1"}
    rows = [
        row("final_training_loss", float(trained.losses[-1]), n=settings.train.steps, seconds=trained.seconds, **labels),
        row("parameters", parameter_count(denoiser), **labels),
    ]
    arrays = {"loss": trained.losses, "loss_step": trained.loss_steps}
    return Outcome(rows, arrays=arrays, weights=trained.model.backbone.state_dict(), model=model.model_dump(mode="json"))


def description(settings: Settings) -> ModelSettings:
    """Return what a training of these settings makes."""
    return ModelSettings(
        **dict(OBJECTIVES[settings.objective]),
        backbone=settings.backbone,
        shape=sample_shape(settings.data),
        pixel_range=None if settings.data in DENSITIES else settings.pixel_range,
    )
