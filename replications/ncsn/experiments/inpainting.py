"""Completions of test images under three masks, by one network that was not trained for it (Figure 6).

Each image is completed several times. If completions are drawn from the posterior, two of them are as far from one another as
each is from the original, on average: their variance is half of their squared error.
"""

from typing import Any

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from common.evaluation.yardstick import drawn
from common.learning.data import catalogue
from common.learning.data.scale import rescaled, to_unit
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ncsn.chains import noise_of_chains, run_chains, starts
from replications.ncsn.inpainting import keeping, masks
from replications.ncsn.networks import Network, Trained, trained
from replications.ncsn.sampler_step import Step

VARIANT = ("data",)
WITHIN = 3.0  # of the least noise levels


class Settings(Base):
    """Settings of the completions."""

    data: str = Field(description="image data set")
    network: Network = Field(default="shared", description="network that completes")
    images: PositiveInt = Field(description="test images")
    completions: PositiveInt = Field(ge=2, description="completions of each image under each mask")
    step: Step = Field(description="the sampler, as for samples")


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data set's files are there."""
    catalogue.load(settings.data, "test")


def run(settings: Settings, context: Context) -> Outcome:
    """Complete every image under every mask, all chains at once, and compare with the originals."""
    network = trained(context, settings.data, "ncsn", settings.network)
    test, train = (catalogue.load(settings.data, split, context.seed) for split in ("test", "train"))
    chosen = drawn(test, settings.images, context.generator("test images"))
    truth = to_unit(chosen.images, chosen.grey_values)
    strangers = to_unit(drawn(train, 200, context.generator("strangers")).images, train.grey_values)
    shapes = masks(tuple(truth.shape[1:]), generator=context.generator("mask"))
    completed = completions(network, truth, shapes, settings, context)
    rows, arrays = [], {"truth": truth.numpy()}
    low, high = network.pixel_range
    least = 2 / (high - low) * float(network.model.path.sigma(network.model.known_times[-1:]))
    for name, mask in shapes.items():
        labels = {"dataset": settings.data, "method": "ncsn", "variant": name, "n": len(truth)}
        rows += mask_rows(completed[name], truth, strangers, mask, least, labels)
        arrays |= {f"mask_{name}": mask.numpy(), f"completed_{name}": completed[name][:8, :4].clamp(-1, 1).half().numpy()}
    return Outcome(rows, arrays=arrays)


def completions(
    network: Trained, truth: Tensor, shapes: dict[str, Tensor], settings: Settings, context: Context
) -> dict[str, Tensor]:
    """Return completions [images, completions, c, h, w] in [-1, 1] by mask; all of them are one batch of chains."""
    repeated = truth.repeat_interleave(settings.completions, 0)
    known = rescaled(repeated.repeat(len(shapes), 1, 1, 1), (-1.0, 1.0), network.pixel_range).to(context.device)
    mask = torch.cat([each.expand_as(repeated) for each in shapes.values()]).to(context.device)
    sigmas = network.model.path.sigma(network.model.known_times)
    found = run_chains(
        network,
        starts(len(known), tuple(truth.shape[1:]), context),
        rho=settings.step.rho,
        steps=settings.step.steps,
        generator=noise_of_chains(context),
        callback=keeping(known, mask, sigmas, settings.step.steps, generator=context.generator("known", device=context.device)),
        batch=len(known),
    )
    by_mask = found.images.cpu().reshape(len(shapes), len(truth), settings.completions, *truth.shape[1:])
    return dict(zip(shapes, by_mask))


def mask_rows(
    completed: Tensor, truth: Tensor, strangers: Tensor, mask: Tensor, least: float, labels: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return how known pixels are kept, how far completions are from the originals and from one another, inside the hole.

    Strangers are training images in the completions' place: what samples that ignore the known pixels would be at best.
    """
    known, hole = mask.flatten(), ~mask.flatten()
    error = (completed - truth[:, None]).flatten(2)
    away = (strangers - truth[:, None]).flatten(2)
    squared = error[..., hole].square().mean()
    return [
        row("known_kept_share", (error[..., known].abs() <= WITHIN * least).double().mean(), **labels),
        row("hole_error", squared, **labels),
        row("hole_error_of_strangers", away[..., hole].square().mean(), **labels),
        row("spread_over_posterior", 2 * completed.flatten(2)[..., hole].var(1).mean() / squared, unit="ratio", **labels),
    ]
