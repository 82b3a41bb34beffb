"""Fit a described model to a data set: the one training loop of whatever regresses a quantity along a Gaussian path."""

import torch
from torch import Generator, Tensor

from common.dynamics.denoiser import Denoiser
from common.learning.data.training import training_batches
from common.learning.models import ModelSettings
from common.learning.nets.mlp import parameter_count
from common.learning.objectives import Objective, draw_times, regression_loss
from common.learning.training.loop import Trained
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings

PIXELS = (-1.0, 1.0)


def fitted(
    model: ModelSettings,
    train: TrainSettings,
    context: Context,
    *,
    data: str,
    method: str,
    seed: int,
    of: Settings,
    flip: bool = False,
    dequantise: bool = True,
    scale: float = 1.0,
) -> Outcome:
    """Train a model and return its rows, loss curve, averaged (EMA) weights and description.

    `seed` decides initial weights, batches, times and noise: models that share it differ in nothing else. `of` is the description
    of all that the loss depends on, `flip` mirrors images at random, `dequantise` gives them their noise; the rows are labelled
    `method`. `scale` multiplies the loss, which matters where gradients are clipped or beside Adam's epsilon.
    """
    denoiser, how = model.build(seed).to(context.device), {"flip": flip, "dequantise": dequantise, "scale": scale}
    pixels = model.pixel_range or PIXELS
    trained = regressed(denoiser, model.objective.build(), train, context, data=data, pixels=pixels, seed=seed, of=of, **how)
    labels = {"dataset": data, "method": method, "variant": model.backbone.kind, "unit": "1"}
    rows = [
        row("final_training_loss", float(trained.losses[-1]), n=train.steps, seconds=trained.seconds, **labels),
        row("parameters", parameter_count(denoiser), **labels),
    ]
    arrays = {"loss": trained.losses, "loss_step": trained.loss_steps}
    return Outcome(rows, arrays=arrays, weights=trained.model.backbone.state_dict(), model=model.model_dump(mode="json"))


def regressed(
    denoiser: Denoiser,
    objective: Objective,
    train: TrainSettings,
    context: Context,
    *,
    data: str,
    pixels: tuple[float, float],
    seed: int,
    of: Settings,
    flip: bool = False,
    dequantise: bool = True,
    scale: float = 1.0,
) -> Trained:
    """Return a denoiser trained on an objective, which may be one of a caller's own; `pixels` is the range of its images."""
    how = {"replicate": context.seed, "flip": flip, "dequantise": dequantise}
    draw = training_batches(data, train.batch, seed, context.device, pixels, **how)

    def loss(network: torch.nn.Module, step: int, generator: Generator) -> Tensor:
        x0 = draw(step, generator)
        drawn = {"generator": generator, "device": context.device, "dtype": x0.dtype}
        t = draw_times(objective.path, len(x0), known_times=objective.known_times, **drawn)
        return scale * regression_loss(network, objective, x0, t=t, noise=torch.randn(x0.shape, **drawn)).mean()

    return train_run(context, denoiser, loss, train, seed=seed, of=of, kept=lambda model: model.backbone, shared=True)
