"""Classes, inpainting and colours from models that were trained for none of them (Section 5, Figs. 4 and 13 to 17).

Every sampler takes reverse-diffusion steps with Langevin steps between them, and all that is compared starts from the same noise.
"""

from typing import Literal

from pydantic import Field, PositiveInt

from common.dynamics.denoiser import Denoiser
from common.dynamics.samplers.loop import Times
from common.learning.data import catalogue
from common.learning.models import load_denoiser
from common.runs.experiment import Context
from common.runs.folders import Outcome
from common.runs.settings import Settings as Base
from replications.score_sde import completion_cases
from replications.score_sde.class_samples import ClassSettings, measured_classes
from replications.score_sde.completions import CompletionSettings
from replications.score_sde.model_samples import EPS
from replications.score_sde.noise_conditional_classifier import labelled
from replications.score_sde.predictor_corrector import scales

VARIANT = ("data",)
OBJECTIVE = "score_ve"


class Settings(Base):
    """Settings of all three."""

    data: str = Field(description="labelled image data set, of the classes and of inpainting")
    colour_data: str = Field(description="colour image data set, of colourisation")
    scales: PositiveInt = Field(description="times of every sampler")
    batch: PositiveInt = Field(default=500, description="images that share their steps, and norms of the corrector")
    classes: ClassSettings
    inpainting: CompletionSettings
    masks: list[Literal["half", "centre", "random"]] = Field(default=["half"], description="which pixels are known")
    colours: CompletionSettings


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data sets' files are there, `RetraceError` unless the one of the classes has labels."""
    labelled(settings.data, "test", 0)
    catalogue.load(settings.colour_data, "test")


def run(settings: Settings, context: Context) -> Outcome:
    """Train the classifier, and measure what it guides to, and what is completed."""
    model, times = unconditional_model(settings.data, settings, context)
    colour_model, _ = unconditional_model(settings.colour_data, settings, context)
    data, batch, masks = settings.data, settings.batch, list(settings.masks)
    parts = [
        measured_classes(data, model, times, settings.classes, batch, context, of=settings),
        completion_cases.holes(data, masks, model, times, settings.inpainting, batch, context),
        completion_cases.colours(settings.colour_data, colour_model, times, settings.colours, batch, context),
    ]
    pictures = {key: array for _, shown in parts for key, array in shown.items()}
    return Outcome([row for rows, _ in parts for row in rows], arrays=pictures)


def unconditional_model(data: str, settings: Settings, context: Context) -> tuple[Denoiser, Times]:
    """Return the suite's VE model of a data set, and the times at which it is asked, which are those of every such model."""
    model = load_denoiser(context.model(data, OBJECTIVE), context.device)
    return model, scales(model.path, settings.scales, t_min=EPS["ve"])
