"""Colours for grey images from a model that was trained for no such thing (Section 5, Figs. 4, 16 and 17).

The sampler takes reverse-diffusion steps with Langevin steps between them, and all that is compared starts from the same noise.
"""

from pydantic import Field, PositiveInt

from common.learning.data import catalogue
from common.runs.experiment import Context
from common.runs.folders import Outcome
from common.runs.settings import Settings as Base
from replications.score_sde.control import completion_cases
from replications.score_sde.control.completions import CompletionSettings
from replications.score_sde.images.model_samples import ve_model

VARIANT = ("data",)


class Settings(Base):
    """Settings of the completions."""

    data: str = Field(description="colour image data set")
    scales: PositiveInt = Field(description="times of every sampler")
    batch: PositiveInt = Field(default=500, description="images that share their steps, and norms of the corrector")
    colours: CompletionSettings = Field(description="images that are coloured")


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data set's files are there."""
    catalogue.load(settings.data, "test")


def run(settings: Settings, context: Context) -> Outcome:
    """Colour test images, and measure what comes of it."""
    model, times = ve_model(settings.data, settings.scales, context)
    rows, pictures = completion_cases.colours(settings.data, model, times, settings.colours, settings.batch, context)
    return Outcome(rows, arrays=pictures)
