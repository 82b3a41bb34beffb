"""A finished training of an objective: where its states are, what they cost, and their samples as images."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from common.learning.data.scale import rescaled
from common.learning.models import ModelSettings, read_description
from common.learning.training.run import schedule_of
from common.runs.experiment import Context
from common.runs.folders import verified

UNIT = (-1.0, 1.0)


class Trained(NamedTuple):
    """A model's folder, with its description and what its training cost."""

    folder: Path
    described: ModelSettings
    steps: dict[float, int]  # by share of the training
    seconds: float  # of the whole training
    images: int  # that it saw, with repetition
    parameters: float
    memory: float  # MB at the most, of the process that trained it and what it trained before

    @property
    def pixels(self) -> tuple[float, float]:
        """The range that its images are scaled to."""
        return self.described.pixel_range or UNIT


def trained(data: str, name: str, shares: Iterable[float], context: Context) -> Trained:
    """Return what a finished training of an objective left, with its kept states nearest to shares of it.

    Raises `RetraceError` if it is missing or kept no states.
    """
    folder = context.model(data, name)
    schedule = schedule_of(folder)
    steps = {share: schedule.snapshot_near(share) for share in shares}
    with verified(folder, "metrics.csv").open(newline="") as stream:
        rows = {each["metric"]: each for each in csv.DictReader(stream)}
    # without what was resumed twice or read before it
    seconds, parameters = float(rows["final_training_loss"]["seconds"]), float(rows["parameters"]["value"])
    memory = json.loads((folder / "run.json").read_text())["peak_memory_mb"]
    return Trained(folder, read_description(folder), steps, seconds, schedule.steps * schedule.batch, parameters, memory)


def as_images(x: Tensor, pixels: tuple[float, float]) -> Tensor:
    """Return samples as images in [-1, 1] on the CPU."""
    return rescaled(x, pixels, UNIT).clamp(*UNIT).float().cpu()
