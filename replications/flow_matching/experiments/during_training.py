"""Fréchet distance and sampling cost of every objective while it is trained (Figures 5 and 10).

The weights were kept at equal distances while the learning rate was constant, as the optimiser left them: their average, or a
falling rate, would smooth away what is asked here. Every state starts from the same noise. Cost is counted at a tight tolerance
with few samples, sample quality needs many samples at a loose one.
"""

from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt

from common.evaluation.yardstick import yardstick
from common.learning.models import load_denoiser
from common.learning.objective_table import OBJECTIVES
from common.learning.training.run import schedule_of, snapshot_file
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from replications.flow_matching.image_models import ImageModels, check
from replications.flow_matching.sampling import sample_adaptively

__all__ = ["VARIANT", "Settings", "check", "run"]

VARIANT = ("data",)


class Settings(ImageModels):
    """Settings of the measurement."""

    samples: PositiveInt = Field(description="samples of the Fréchet distance")
    every: PositiveInt = Field(default=2, description="the Fréchet distance is taken at every second, third ... kept state")
    batch: PositiveInt = Field(default=500, description="samples of the Fréchet distance solved jointly by dopri5")
    sampling_tolerance: PositiveFloat = Field(default=1e-3, description="atol = rtol of dopri5 for the Fréchet distance")
    counted: list[Literal[tuple(OBJECTIVES)]] = Field(description="objectives whose evaluations are counted")
    count_batch: PositiveInt = Field(default=100, description="samples solved jointly when evaluations are counted")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of dopri5 when evaluations are counted")


def run(settings: Settings, context: Context) -> Outcome:
    """Sample the kept states of every objective's model."""
    measure = yardstick(settings.data, context, settings.samples)
    count = max(settings.samples, settings.count_batch)
    shape = tuple(measure.test.images.shape[1:])
    noise = torch.randn(count, *shape, generator=context.generator("noise"), dtype=torch.float64).to(context.device)
    rows = []
    for objective in dict.fromkeys([*settings.objectives, *settings.counted]):
        folder = context.model(settings.data, objective)
        for number, step in enumerate(kept_steps(folder), start=1):
            judged, counted = objective in settings.objectives and number % settings.every == 0, objective in settings.counted
            if not judged and not counted:
                continue
            denoiser = load_denoiser(folder, context.device, snapshot_file(step, raw=True))
            labels = {"dataset": settings.data, "method": objective, "axis": "step", "at": step}
            if counted:
                _, nfe = sample_adaptively(denoiser, noise[: settings.count_batch], settings.count_batch, settings.tolerance)
                rows.append(row("nfe_in_training", nfe, unit="evaluations", n=settings.count_batch, **labels))
            if judged:
                start = noise[: settings.samples]
                images, nfe = sample_adaptively(denoiser, start, settings.batch, settings.sampling_tolerance)
                rows.append(measure.row("feature_frechet_in_training", images, nfe=nfe, **labels))
    return Outcome(rows)


def kept_steps(folder: Path) -> list[int]:
    """Return the steps at a constant learning rate whose weights were kept, or say how to train a model that keeps them.

    Where the rate falls at the end the weights settle, whatever the objective: that is no part of what is asked.
    """
    settings = schedule_of(folder)
    kept = settings.snapshot_steps()
    return [step for step in kept if step <= settings.constant_until()] or kept
