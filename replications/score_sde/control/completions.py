"""Images of which a part is known, completed several times by imputation: pixels that are hidden, or colours (Song 2021, Sec. 5).

What is known and what is not are told in a basis of the channels (`conditional.Known`), so that a hole and missing colours are
measured alike. If completions are drawn from the posterior, two of them are as far from one another as each is from the original,
on average: their variance is half of their squared error. A mean has less error than any draw, so means are compared with means.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.samplers.loop import Times
from common.dynamics.samplers.noise import Source
from common.runs.experiment import Context
from common.runs.folders import row
from common.runs.settings import Settings as Base
from replications.score_sde.conditional import Known, imputing, start
from replications.score_sde.correctors import langevin
from replications.score_sde.predictor_corrector import predictor_corrector
from replications.score_sde.predictors import reverse_diffusion

Completed = Float[Tensor, "images draws *shape"]
Row = dict[str, Any]
Found = tuple[list[Row], dict[str, np.ndarray]]  # rows and pictures


class CompletionSettings(Base):
    """Settings of images that are completed."""

    images: PositiveInt = Field(description="test images")
    draws: PositiveInt = Field(ge=2, description="completions of each image")
    correctors: list[NonNegativeInt] = Field(default=[0, 1], description="Langevin steps at each time")
    snr: PositiveFloat = Field(default=0.16, description="signal-to-noise ratio of the corrector")


def starts_of(what: str, model: Answers, shape: tuple[int, ...], context: Context) -> Tensor:
    """Return samples of the prior, on the device."""
    noise = torch.randn(*shape, generator=context.generator(f"starts of {what}"))
    return model.path.prior_std * noise.to(context.device)


def completed(
    model: Answers,
    known: Known,
    starts: Completed,
    times: Times,
    *,
    correctors: int,
    snr: float,
    batch: int,
    generator: Source,
) -> Completed:
    """Return several completions of each image: reverse diffusion with so many Langevin steps at each time, imputed after each.

    `starts` are samples of the prior; `batch` completions share their steps, and the norms of the corrector.
    """
    images, draws = starts.shape[:2]
    values = known.values.repeat_interleave(draws, 0)
    parts = []
    for noise, part in zip(starts.flatten(0, 1).split(batch), values.split(batch)):
        mine = known._replace(values=part)
        sample = predictor_corrector(imputing(reverse_diffusion, mine), imputing(langevin(snr), mine), correctors=correctors)
        parts.append(sample(model, start(mine, noise), times, generator=generator).x)
    return torch.cat(parts).reshape(images, draws, *starts.shape[2:])


def hidden(x: Float[Tensor, "n *shape"], known: Known) -> Float[Tensor, "n values"]:
    """Return what is not known of each image, told in the basis."""
    told = known.into(x)
    return told.flatten(1)[:, ~known.mask.expand(told.shape[1:]).flatten()]


def completion_rows(found: Completed, truth: Float[Tensor, "images *shape"], known: Known, labels: Row) -> list[Row]:
    """Return how completions keep what is known and how far they are from originals, and from one another, in what is not."""
    images, draws = found.shape[:2]
    of_draws = hidden(found.flatten(0, 1), known).reshape(images, draws, -1)
    original, n = hidden(truth, known), images * draws
    squared = (of_draws - original[:, None]).square().mean()
    told = known.into(found.flatten(0, 1))
    off = (told - known.values.repeat_interleave(draws, 0)).flatten(1)[:, known.mask.expand(told.shape[1:]).flatten()]
    return [
        row("known_error", off.square().mean().sqrt(), n=n, unit="grey range / 2", **labels),
        row("hidden_error", squared, n=n, **labels),
        row("error_of_mean", (of_draws.mean(1) - original).square().mean(), n=images, **labels),
        row("hidden_spread", of_draws.var(1).mean(), n=n, **labels),
        row("spread_over_posterior", 2 * of_draws.var(1).mean() / squared, n=n, unit="ratio", **labels),
    ]


def rival_rows(
    rivals: Float[Tensor, "rivals *shape"],
    truth: Float[Tensor, "images *shape"],
    known: Known,
    labels: Row,
) -> list[Row]:
    """Return the same errors and spread of images that ignore what is known, each against each original."""
    original, other = hidden(truth, known), hidden(rivals, known)
    # mean (a - b)^2 over all pairs, without an array of them
    away = (original.mean(0) - other.mean(0)).square() + original.var(0, correction=0) + other.var(0, correction=0)
    return [
        row("hidden_error", away.mean(), n=len(other), **labels),
        row("error_of_mean", (other.mean(0) - original).square().mean(), n=len(original), **labels),
        row("hidden_spread", other.var(0).mean(), n=len(other), **labels),
    ]
