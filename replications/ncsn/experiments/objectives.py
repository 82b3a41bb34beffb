"""What is learned at each noise level: weighted losses, size of the score, sliced against denoising score matching (Section 4.2).

Two small networks are trained on the same ladder, one by denoising and one by sliced score matching, from the same weights with
the same batches, levels and noise. The trained models of this run also say whether the objective on unseen images ranks models as
the quality of their samples does.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from common.dynamics.denoiser import Denoiser
from common.dynamics.paths import broadcast
from common.evaluation.yardstick import Space, yardstick
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.learning.data.split import ImageSplit
from common.learning.data.training import sample_shape, training_batches
from common.learning.nets.build import BackboneSettings, check_fits
from common.learning.objectives import draw_times
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.measure.metrics.inception import find_weights
from common.measure.step_cost import compared_costs
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ncsn.chains import noise_of_chains, run_chains, starts
from replications.ncsn.dequantised import largest_score_norm
from replications.ncsn.level_measures import by_level, level_rows
from replications.ncsn.networks import Network, Trained, levels_of, shared_description, trained
from replications.ncsn.score_matching import (
    denoising_score_matching,
    noise_conditional,
    sliced_score_matching,
    sliced_score_matching_forward,
)
from replications.ncsn.states import kept_states

VARIANT = ("data",)


class Settings(Base):
    """Settings of the trainings and of what is measured."""

    data: str = Field(description="image data set")
    network: Network = Field(default="shared", description="network of the fully trained model")
    backbone: BackboneSettings = Field(description="network of the two that are trained here")
    train: TrainSettings
    states: list[float] = Field(default=[0.3, 0.6], description="shares of the full training whose states are models too")
    space: Space = Field(default="classifier", description="features of the distances; Inception's need its weights on disk")
    samples: PositiveInt = Field(description="samples of each model")
    steps: PositiveInt = Field(default=20, description="Langevin steps at each level for these")
    rho: PositiveFloat = Field(default=0.2, description="Langevin steps' drift coefficient over sigma^2")
    timed: PositiveInt = Field(default=20, description="training steps that are timed, one of each objective by turns")


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data set is there and whole, and `SettingsError` unless the network fits its images."""
    catalogue.load(settings.data, "train")
    check_fits(settings.backbone, sample_shape(settings.data))
    if settings.space == "inception":
        find_weights("FID")


def run(settings: Settings, context: Context) -> Outcome:
    """Train both small networks; measure losses by level, sizes of scores, costs of steps, and ranks of models."""
    test = catalogue.load(settings.data, "test", context.seed)
    images = to_unit(test.images, test.grey_values, generator=context.generator("dequantise")).to(context.device)
    full = trained(context, settings.data, "ncsn", settings.network)
    small = {name: Trained(fitted(name, settings, context), (-1.0, 1.0)) for name in TRAINED}
    models = {"ncsn": full, **small, **kept_states(context, settings.data, settings.network, settings.states)}
    rows = bound_rows(levels_of(full), test, settings.data)
    for name, network in models.items():
        measured = by_level(network, images, context)
        rows += level_rows(measured, {"dataset": settings.data, "method": name, "n": len(images)})
    return Outcome([*rows, *sample_rows(models, settings, context), *cost_rows(settings, context)])


def bound_rows(levels: Tensor, test: ImageSplit, data: str) -> list[dict[str, Any]]:
    """Return how large the score of dequantised images can be at each level."""
    cell, dimensions = 1 / test.grey_values, test.images[0].numel()
    labels = {"dataset": data, "method": "bound", "axis": "sigma"}
    return [row("score_norm", largest_score_norm(at, cell, dimensions), at=at, **labels) for at in levels.tolist()]


Score = Callable[[Tensor, Tensor], Tensor]


def denoising(score: Score, x0: Tensor, t: Tensor, sigma: Tensor, generator: Generator) -> Tensor:
    """Return the weighted denoising loss of a batch."""
    noise = torch.randn(x0.shape, generator=generator, device=x0.device)
    return noise_conditional(denoising_score_matching(lambda x: score(x, t), x0, sigma, noise), sigma)


def sliced(
    score: Score,
    x0: Tensor,
    t: Tensor,
    sigma: Tensor,
    generator: Generator,
    loss: Callable[[Callable[[Tensor], Tensor], Tensor, Tensor], Tensor] = sliced_score_matching,
) -> Tensor:
    """Return the weighted sliced loss of a batch, noised as for the denoising loss."""
    noise = torch.randn(x0.shape, generator=generator, device=x0.device)
    probe = torch.randn(x0.shape, generator=generator, device=x0.device)
    x = x0 + broadcast(sigma, x0) * noise
    return noise_conditional(loss(lambda x: score(x, t), x, probe), sigma)


LOSSES = {"dsm": denoising, "ssm": sliced, "ssm_forward": partial(sliced, loss=sliced_score_matching_forward)}
COSTS = "operations_over_dsm", "seconds_over_dsm"  # of a step
TRAINED = ("dsm", "ssm")  # both sliced losses are one function, computed in two ways


def objective(
    name: str, model: Denoiser, settings: Settings, context: Context, seed: int
) -> Callable[[nn.Module, int, Generator], Tensor]:
    """Return the training loss of one of the small networks, whose output is the noise: minus sigma times the score."""
    draw = training_batches(settings.data, settings.train.batch, seed, context.device, replicate=context.seed)
    path, known, dimensions = model.path, model.known_times, int(np.prod(sample_shape(settings.data)))

    def loss(network: nn.Module, step: int, generator: Generator) -> Tensor:
        x0 = draw(step, generator)
        t = draw_times(path, len(x0), generator=generator, known_times=known, device=x0.device)
        sigma = path.sigma(t)
        # over dimensions, as the suite's losses are: clipping then means the same
        return LOSSES[name](lambda x, t: -network(x, t) / broadcast(sigma, x), x0, t, sigma, generator) / dimensions

    return loss


def fitted(name: str, settings: Settings, context: Context) -> Denoiser:
    """Return one of the small networks, trained by the objective of that name."""
    seed = context.seed_for("train")
    model = shared_description(settings.data, settings.backbone).build(seed).to(context.device)
    loss = objective(name, model, settings, context, seed)
    done = train_run(context, model, loss, settings.train, seed=seed, of=settings, name=name).model
    return done.requires_grad_(False)


def sample_rows(models: Mapping[str, Trained], settings: Settings, context: Context) -> list[dict[str, Any]]:
    """Return the Fréchet distance of each model's samples, from the same starts with the same noise."""
    measure = yardstick(settings.data, context, settings.samples, space=settings.space)
    start, rows = starts(settings.samples, sample_shape(settings.data), context), []
    for name, network in models.items():
        found = run_chains(network, start, rho=settings.rho, steps=settings.steps, generator=noise_of_chains(context))
        labels = {"dataset": settings.data, "method": name, "variant": f"T = {settings.steps}", "nfe": found.nfe}
        rows.append(measure.row("feature_frechet", found.images.clamp(-1, 1), **labels))
    return rows


def cost_rows(settings: Settings, context: Context) -> list[dict[str, Any]]:
    """Return what a step of sliced score matching costs over one of denoising, either way: operations counted, and time."""
    seed = context.seed_for("train")
    model = shared_description(settings.data, settings.backbone).build(seed).to(context.device)

    def stepped(name: str) -> Callable[[], None]:
        loss = objective(name, model, settings, context, seed)
        generator = context.generator("timed", device=context.device)

        def step() -> None:
            model.zero_grad()
            loss(model, 0, generator).backward()

        return step

    labels = {"dataset": settings.data, "variant": settings.backbone.kind}
    return compared_costs({name: stepped(name) for name in LOSSES}, "dsm", settings.timed, labels, COSTS)
