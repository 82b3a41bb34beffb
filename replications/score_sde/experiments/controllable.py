"""Classes and inpainting from a model that was trained for neither (Section 5, Figs. 4 and 13 to 15).

Every sampler takes reverse-diffusion steps with Langevin steps between them, and all that is compared starts from the same noise.
"""

from typing import Literal

from pydantic import Field, PositiveInt

from common.runs.experiment import Context
from common.runs.folders import Outcome
from common.runs.settings import Settings as Base
from replications.score_sde.control import completion_cases
from replications.score_sde.control.class_samples import ClassSettings, measured_classes
from replications.score_sde.control.completions import CompletionSettings
from replications.score_sde.control.noise_conditional_classifier import labelled
from replications.score_sde.images.model_samples import ve_model

VARIANT = ("data",)


class Settings(Base):
    """Settings of both."""

    data: str = Field(description="labelled image data set, of the classes and of inpainting")
    scales: PositiveInt = Field(description="times of every sampler")
    batch: PositiveInt = Field(default=500, description="images that share their steps, and norms of the corrector")
    classes: ClassSettings = Field(description="samples of a class")
    inpainting: CompletionSettings = Field(description="images whose hidden pixels are filled in")
    masks: list[Literal["half", "centre", "random"]] = Field(default=["half"], description="which pixels are known")


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data set's files are there, `RetraceError` unless it has labels."""
    labelled(settings.data, "test", 0)


def run(settings: Settings, context: Context) -> Outcome:
    """Train the classifier, and measure what it guides to, and what is completed."""
    model, times = ve_model(settings.data, settings.scales, context)
    data, batch, masks = settings.data, settings.batch, list(settings.masks)
    parts = [
        measured_classes(data, model, times, settings.classes, batch, context, of=settings),
        completion_cases.holes(data, masks, model, times, settings.inpainting, batch, context),
    ]
    pictures = {key: array for _, shown in parts for key, array in shown.items()}
    return Outcome([row for rows, _ in parts for row in rows], arrays=pictures)
