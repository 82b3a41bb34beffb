"""Train one objective on images (Table 1, Figures 5, 7, 10).

Every objective of one data set and seed starts from the same weights and sees the same batches, times and noise.
"""

from typing import Literal

from pydantic import Field

from common.learning.fit import FitSettings, check, fit, folder
from common.runs.experiment import Context
from common.runs.folders import Outcome
from replications.flow_matching.conditional_flow_matching import OBJECTIVES

__all__ = ["VARIANT", "Settings", "check", "folder", "run"]

VARIANT = ("data", "objective")


class Settings(FitSettings):
    """Settings of one training."""

    objective: Literal[tuple(OBJECTIVES)] = Field(default="fm_ot", description="training objective")


def run(settings: Settings, context: Context) -> Outcome:
    """Train one model."""
    return fit(settings, OBJECTIVES[settings.objective], context)
