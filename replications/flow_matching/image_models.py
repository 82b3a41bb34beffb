"""What every measurement of trained image models starts from: which models, of which data set."""

from typing import Literal

from pydantic import Field

from common.learning.data import catalogue
from common.learning.objective_table import OBJECTIVES
from common.runs.settings import Settings


class ImageModels(Settings):
    """Which trained models are measured."""

    data: str = Field(description="image data set")
    objectives: list[Literal[tuple(OBJECTIVES)]] = Field(description="trained objectives to compare")


def check(settings: ImageModels) -> None:
    """Raise unless the data set's files are there and whole."""
    catalogue.load(settings.data, "test")
