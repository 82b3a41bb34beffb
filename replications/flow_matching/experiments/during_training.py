"""Fréchet distance and sampling cost of every objective while it is trained (Figures 5 and 10).

The averaged weights were kept at equal distances during training; each state is sampled by dopri5 from the same noise.
"""

import json
from pathlib import Path

import torch
from pydantic import Field, PositiveFloat, PositiveInt

from common.errors import RetraceError
from common.learning.models import load_denoiser
from common.learning.training.run import snapshot_file
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from replications.flow_matching.image_models import ImageModels, check, yardstick
from replications.flow_matching.sampling import sample_adaptively

__all__ = ["VARIANT", "Settings", "check", "run"]

VARIANT = ("data",)


class Settings(ImageModels):
    """Settings of the measurement."""

    samples: PositiveInt = Field(description="samples of the Fréchet distance")
    batch: PositiveInt = Field(default=500, description="samples solved jointly by dopri5: its NFE depends on it")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of dopri5")


def run(settings: Settings, context: Context) -> Outcome:
    """Sample every kept state of every objective's model."""
    test, distance_to_test = yardstick(settings.data, context)
    shape = tuple(test.images.shape[1:])
    noise = torch.randn(settings.samples, *shape, generator=context.generator("noise"), dtype=torch.float64)
    rows = []
    for objective in settings.objectives:
        folder = context.model(settings.data, objective)
        for step in kept_steps(folder):
            denoiser = load_denoiser(folder, context.device, snapshot_file(step))
            images, nfe = sample_adaptively(denoiser, noise.to(context.device), settings.batch, settings.tolerance)
            distance = distance_to_test(images)
            labels = {"dataset": settings.data, "method": objective, "axis": "step", "at": step}
            rows.append(row("nfe_in_training", nfe, unit="evaluations", n=settings.batch, **labels))
            rows.append(row("feature_frechet_in_training", distance, nfe=nfe, n=settings.samples, **labels))
    return Outcome(rows)


def kept_steps(folder: Path) -> list[int]:
    """Return the steps at which a model's training kept its weights, or say how to train one that keeps them."""
    settings = TrainSettings.model_validate(json.loads((folder / "run.json").read_text())["settings"]["train"])
    if not settings.snapshots:
        raise RetraceError(f"{folder}: this training kept no states; train it again with --set train.snapshots=10")
    return settings.snapshot_steps()
