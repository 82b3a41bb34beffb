"""Fit a denoiser to a data set: what every training experiment of every paper does.

All objectives of one (data, seed) see the same batches, times and noise and start from the same weights, so that what
differs between them is the objective alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Generator, Tensor

from common.learning.data import catalogue
from common.learning.data.batches import EpochSampler
from common.learning.data.densities import DENSITIES
from common.learning.data.scale import to_unit
from common.learning.models import ModelSettings, ObjectiveSettings, snapshot_file
from common.learning.nets.build import BackboneSettings, check_fits
from common.learning.objectives import draw_times, regression_loss
from common.learning.training.loop import train
from common.learning.training.settings import TrainSettings
from common.runs import distributed
from common.runs.experiment import Context
from common.runs.folders import Outcome, row, write_weights
from common.runs.layout import model_folder
from common.runs.settings import Settings, fingerprint

Draw = Callable[[int, Generator], Tensor]
ON_DEVICE = 8 * 2**30  # bytes of the largest data set that is kept on the device


class FitSettings(Settings):
    """Settings of one training; an experiment narrows `objective` to the paper's own."""

    data: str = Field(description="data set: an image set or a two-dimensional density")
    objective: str = Field(description="training objective")
    backbone: Annotated[BackboneSettings, Field(description="network and its size")]
    train: TrainSettings


def folder(settings: FitSettings, *, results: Path, level: str, seed: int) -> Path:
    """Return the model's folder, keyed by what the model is, not by who trained it."""
    return model_folder(results, level, settings.data, settings.backbone.kind, settings.objective, seed)


def check(settings: FitSettings) -> None:
    """Raise `DataError` unless the data set is there and whole, and `SettingsError` unless the network fits its samples."""
    shape = (2,) if settings.data in DENSITIES else tuple(catalogue.load(settings.data, "train").images.shape[1:])
    check_fits(settings.backbone, shape)


def fit(settings: FitSettings, objective: ObjectiveSettings, context: Context) -> Outcome:
    """Train one model and return its rows, loss curve, averaged (EMA) weights and description."""
    # the same purpose for every objective: same initial weights, batches, times and noise
    seed = context.seed_for("train", settings.data)
    shape, draw = batches(settings.data, settings.train.batch, seed, context.device)
    model = ModelSettings(objective=objective, backbone=settings.backbone, shape=shape)
    denoiser = model.build(seed).to(context.device)
    built = objective.build()

    def loss(network: torch.nn.Module, step: int, generator: Generator) -> Tensor:
        x0 = draw(step, generator)
        t = draw_times(built.path, len(x0), generator=generator, device=context.device, dtype=x0.dtype)
        noise = torch.randn(x0.shape, generator=generator, device=context.device, dtype=x0.dtype)
        return regression_loss(network, built, x0, t=t, noise=noise).mean()

    mark = fingerprint(settings.data, seed, model.model_dump(), settings.train.model_dump())
    trained = train(
        denoiser,
        loss,
        settings=settings.train,
        seed=seed,
        state_file=context.out / "training-state.pt",
        device=context.device,
        fingerprint=mark,
        label=f"{settings.data} {settings.objective} seed {context.seed}",
        on_step=keep_snapshots(settings.train, context.out),
    )
    count = sum(parameter.numel() for parameter in denoiser.parameters())
    labels: dict[str, Any] = {"dataset": settings.data, "method": settings.objective, "variant": settings.backbone.kind}
    rows = [
        row(
            "final_training_loss",
            float(trained.losses[-1]),
            unit="1",
            n=settings.train.steps,
            seconds=trained.seconds,
            **labels,
        ),
        row("parameters", count, unit="1", **labels),
    ]
    arrays = {"loss": trained.losses, "loss_step": trained.loss_steps}
    return Outcome(rows, arrays=arrays, weights=trained.model.backbone.state_dict(), model=model.model_dump(mode="json"))


def keep_snapshots(settings: TrainSettings, folder: Path) -> Callable[[int, torch.nn.Module], None]:
    """Return what the training calls after each step to write the averaged weights that are to be kept.

    They are written at once, so that they survive a kill; a resumed training writes the same bytes again.
    """
    steps = set(settings.snapshot_steps()) if distributed.rank() == 0 else set()

    def keep(step: int, averaged: torch.nn.Module) -> None:
        if step in steps:
            write_weights(folder / snapshot_file(step), averaged.backbone.state_dict())

    return keep


def batches(data: str, batch: int, seed: int, device: torch.device) -> tuple[tuple[int, ...], Draw]:
    """Return the shape of one sample and `draw(step, generator)`, which gives a training batch in [-1, 1] or of a density.

    Under torchrun `batch` is the whole batch and every process draws its share. Raises `SettingsError` if it does not divide.
    """
    rank, world = distributed.rank(), distributed.world()
    share = distributed.share(batch)
    if data in DENSITIES:
        density = DENSITIES[data]
        return (2,), lambda step, generator: density(share, generator=generator)
    split = catalogue.load(data, "train")
    # on the device once and for all, unless they would fill it: then the batches travel
    images = split.images if split.images.nbytes > ON_DEVICE else split.images.to(device)
    sampler = EpochSampler(len(images), batch, seed, rank, world)

    def draw(step: int, generator: Generator) -> Tensor:
        return to_unit(images[sampler(step).to(images.device)].to(device), split.levels, generator=generator)

    return tuple(images.shape[1:]), draw
