"""Variational autoencoders whose posteriors are moved by different flows, trained alike (Table 3 and Section 4.3).

Encoder and decoder start from the same weights, and see the same batches, whatever the flow: equal steps, not equal time. In
place of early stopping, weights are kept along the way, and those with the best bound on validation images are tested.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from common.errors import SettingsError
from common.learning.data import catalogue
from common.learning.data.split import ImageSplit
from common.learning.nets.mlp import parameter_count
from common.learning.training.run import restored
from common.learning.training.settings import TrainSettings
from common.measure.metrics.density import standard_error
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ffjord.posteriors.amortised_flow import AmortisedFFJORD
from replications.ffjord.posteriors.vae import VAE, Bound, Pixels, bits_per_dim, held_out_bound
from replications.ffjord.posteriors.vae_networks import CoderSettings
from replications.ffjord.posteriors.vae_settings import FlowSettings, VAESettings
from replications.ffjord.posteriors.vae_training import train_vae
from replications.ffjord.solving.solve import at_tolerance

VARIANT = ("data",)
REFERENCE = "ffjord"  # what the others are compared with


class Settings(Base):
    """Settings of the models, of training and of the test."""

    data: str = Field(description="image data set")
    coders: CoderSettings = Field(description="encoder and decoder")
    latent: PositiveInt = Field(description="dimensions of z")
    pixels: Pixels = Field(default="binary", description="likelihood: Bernoulli, or 256-way categorical")
    posteriors: dict[str, FlowSettings] = Field(description="the flows by name; 'ffjord' is the one compared with")
    train: TrainSettings
    warmup_steps: NonNegativeInt = Field(default=0, description="steps over which the weight of log q - log p rises to 1")
    test_tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of all solves after training")
    test_draws: PositiveInt = Field(description="z_0 of each test image")
    test_batch: PositiveInt = Field(default=100, description="images solved jointly after training")
    pictures: PositiveInt = Field(default=8, description="test images reconstructed, and images sampled, by each model")


def check(settings: Settings) -> None:
    """Raise unless there is something to compare with, weights to choose from, and the data set's files."""
    if REFERENCE not in settings.posteriors:
        raise SettingsError(f"posteriors: all others are compared with {REFERENCE!r}, which is missing; add it")
    kept = settings.train.snapshots
    if kept % 3 or not kept:
        raise SettingsError(f"train.snapshots: the bound at two thirds of the steps is reported; got {kept}, give 3, 6, 9, ...")
    for split in catalogue.SPLITS:
        catalogue.load(settings.data, split)


def run(settings: Settings, context: Context) -> Outcome:
    """Train a model with each posterior, choose its weights by validation images, and compare on test images."""
    train, validation, test = (catalogue.load(settings.data, split, context.seed) for split in catalogue.SPLITS)
    rows: list[dict[str, Any]] = []
    arrays = {"originals": pictures(test.images[: settings.pictures], test.grey_values)}
    bounds = {}
    for name, flow in settings.posteriors.items():
        built = VAESettings(coders=settings.coders, latent=settings.latent, flow=flow, pixels=settings.pixels)
        model = built.build(tuple(test.images.shape[1:]), seed=context.seed_for("weights")).to(context.device)
        trained = train_vae(
            context, model, train, settings.train, of=settings, name=name, exact=False, warmup_steps=settings.warmup_steps
        )
        best, along = chosen(trained.model, validation, name, settings, context)
        bounds[name] = bound_on(best, test, "test", settings.test_draws, settings, context)
        rows += [
            *along,
            row("parameters", parameter_count(model), method=name),
            row("training_seconds", trained.seconds, method=name, unit="s"),
        ]
        arrays |= {f"loss_{name}": trained.losses, f"loss_steps_{name}": trained.loss_steps}
        arrays |= drawn_pictures(best, test, name, settings, context)
    rows += test_rows(bounds, independent_pixels(train, test, settings.pixels), partial(unit, settings, test))
    return Outcome([{**each, "dataset": settings.data} for each in rows], arrays=arrays)


def chosen(
    model: VAE, validation: ImageSplit, name: str, settings: Settings, context: Context
) -> tuple[VAE, list[dict[str, Any]]]:
    """Return the model with the best of the weights kept in training, and the bound and the NFE along the way."""
    if isinstance(model.flow, AmortisedFFJORD):
        model.flow.solver = at_tolerance(settings.test_tolerance)
    steps = settings.train.snapshot_steps()
    rows, means = [], []
    for step in steps:
        bound = bound_on(restored(model, context, step, name), validation, "validation", 1, settings, context)
        where = {"method": name, "axis": "step", "at": step, "n": len(bound.divergence), "nfe": bound.nfe}
        values = bound.negative_elbo
        means.append(float(values.mean()))
        rows.append(mean_row("validation_negative_elbo", values, partial(unit, settings, validation), **where))
        rows.append(row("nfe_in_training", bound.nfe, unit="evaluations", **where))
    best = steps[int(np.argmin(means))]
    in_unit = partial(unit, settings, validation)
    gained = in_unit(torch.tensor(means[2 * len(means) // 3 - 1] - means[-1]))
    rows.append(row("gained_in_last_third", gained[0], method=name, unit=gained[1]))
    rows.append(row("chosen_step", best, method=name, unit="steps"))
    return restored(model, context, best, name), rows


def bound_on(model: VAE, split: ImageSplit, purpose: str, draws: int, settings: Settings, context: Context) -> Bound:
    """Return the bound of every image of a split, at the same z_0's noise for every model."""
    generator = context.generator(purpose, device=context.device)
    images = split.images.to(context.device)
    return held_out_bound(model, images, samples=draws, batch=settings.test_batch, generator=generator)


def unit(settings: Settings, split: ImageSplit, nats: Tensor) -> tuple[Tensor, str]:
    """Return nats per image as the paper reports them, and the unit's name: bits per pixel for grey images."""
    if settings.pixels == "binary":
        return nats, "nats"
    return bits_per_dim(nats, split.images[0].numel()), "bits/dim"


def mean_row(metric: str, nats: Float[Tensor, " n"], in_unit: Any, **labels: Any) -> dict[str, Any]:
    """Return the row of a mean over images with its standard error."""
    values, name = in_unit(nats.double())
    return row(metric, values.mean(), error=standard_error(values.numpy(force=True)), unit=name, **labels)


def test_rows(bounds: dict[str, Bound], independent: Float[Tensor, " n"], in_unit: Any) -> list[dict[str, Any]]:
    """Return, by method, the negative ELBO, its two parts, what it is above FFJORD's image by image, and the NFE."""
    reference = bounds[REFERENCE].negative_elbo
    labels = {"method": "independent_pixels", "n": len(independent)}
    rows = [mean_row("negative_elbo", independent, in_unit, **labels)]
    rows.append(mean_row("above_ffjord", independent.to(reference.device) - reference, in_unit, **labels))
    for name, bound in bounds.items():
        labels = {"method": name, "n": len(reference), "nfe": bound.nfe}
        rows += [
            mean_row("negative_elbo", bound.negative_elbo, in_unit, **labels),
            mean_row("divergence", bound.divergence, in_unit, **labels),
            mean_row("reconstruction", bound.reconstruction, in_unit, **labels),
        ]
        if bound.nfe:
            rows.append(row("nfe", bound.nfe, method=name, unit="evaluations", n=len(reference)))
        if name != REFERENCE:
            rows.append(mean_row("above_ffjord", bound.negative_elbo - reference, in_unit, **labels))
    return rows


def independent_pixels(train: ImageSplit, test: ImageSplit, pixels: Pixels) -> Float[Tensor, " n"]:
    """Return -log p of each test image, in nats, if its pixels were independent: what needs no latent at all.

    Every pixel's distribution over its values is that of the training images and of one image more for each value.
    """
    values = 2 if pixels == "binary" else train.grey_values
    if values == train.grey_values:
        counts = torch.stack([(train.images == value).sum(0) for value in range(values)])
    else:
        # grey images of which black and white ones are drawn
        ink = (train.images / (train.grey_values - 1)).sum(0)
        counts = torch.stack([len(train.images) - ink, ink])
    logs = ((counts.double() + 1) / (len(train.images) + values)).log()
    return -logs[None].expand(len(test.images), *logs.shape).gather(1, test.images[:, None].long()).flatten(1).sum(1)


@torch.no_grad()
def drawn_pictures(model: VAE, test: ImageSplit, name: str, settings: Settings, context: Context) -> dict[str, np.ndarray]:
    """Return mean images: of the first test images, from the moved mean of q(z_0 | x), and of latents drawn from the prior."""
    images = test.images[: settings.pictures].to(context.device)
    mean, _, feature = model.encode(images)
    moved = model.flow(mean, feature).z
    prior = torch.randn(mean.shape, generator=context.generator("prior")).to(context.device)
    made = {"reconstructed": mean_images(model, moved), "sampled": mean_images(model, prior)}
    return {f"{kind}_{name}": values.cpu().half().numpy() for kind, values in made.items()}


def mean_images(model: VAE, z: Float[Tensor, "n latent"]) -> Float[Tensor, "n channels y x"]:
    """Return the mean images of p(x | z) in [0, 1]."""
    outputs = model.decoder(z)
    if model.pixels == "binary":
        return outputs[:, 0].sigmoid()
    shares = torch.linspace(0, 1, outputs.shape[1], device=z.device)
    return torch.einsum("nv...,v->n...", outputs.softmax(1), shares)


def pictures(images: Integer[Tensor, "n channels y x"], grey_values: int) -> np.ndarray:
    """Return images in [0, 1] in half precision."""
    return (images / (grey_values - 1)).half().numpy()
