"""Arithmetic on published numbers: images seen in training (Section 6.1), and Table 1 held against Table 4.

Nothing is trained. What FM-OT sees of ImageNet-128 is read off the settings with which this project trains it at paper level; the
guided-diffusion baseline's steps and batch, and the likelihoods of both tables, are the published ones.
"""

from pydantic import Field, PositiveFloat, PositiveInt

from common.runs import settings as settings_of
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base

VARIANT = ()


class Likelihoods(Base):
    """One data set's likelihoods in bits/dim, by objective, as the paper prints them twice."""

    table1: dict[str, PositiveFloat] = Field(description="Table 1")
    table4: dict[str, PositiveFloat] = Field(description="Table 4 at its largest number of draws")


class Settings(Base):
    """The published numbers."""

    data: str = Field(default="imagenet128", description="image data set whose training at paper level is counted")
    baseline_steps: PositiveInt = Field(default=4_360_000, description="optimiser steps of the guided-diffusion baseline")
    baseline_batch: PositiveInt = Field(default=256, description="images per step of the guided-diffusion baseline")
    likelihoods: dict[str, Likelihoods] = Field(description="likelihoods of both tables, by data set")


def run(settings: Settings, context: Context) -> Outcome:
    """Multiply steps by images per step, and subtract one table from the other."""
    ours = settings_of.resolve("common", "train", "paper", [f"data={settings.data}"]).train
    seen = {"fm_ot": ours.steps * ours.batch, "guided_diffusion": settings.baseline_steps * settings.baseline_batch}
    rows = [row("training_images", images, dataset=settings.data, method=name, unit="images") for name, images in seen.items()]
    for data, both in settings.likelihoods.items():
        for name, value in both.table1.items():
            gap = abs(value - both.table4[name])
            # the tables have two digits, and their difference has no more
            rows.append(row("table_gap", round(gap, 4), dataset=data, method=name, unit="bits/dim"))
    return Outcome(rows)
