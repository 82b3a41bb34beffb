"""Samplers and objectives of your own, from a file of yours, beside the suite's.

    python -m replications.survey bring_your_own --set file=mine.py
    snakemake --cores --config extra=mine.py

What the file may say stands in replications/survey/extra.md. Its samplers run on every model of `learned`, its objectives are
trained as the suite's are and run under every sampler of `learned`; with the same settings, starts, noise and measures, so that
the rows stand beside those of `learned`. The user's names carry the file's, and the runs are kept apart, in results/<level>/own/.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, field_validator

from common.evaluation.yardstick import yardstick
from common.learning.data.scale import rescaled
from common.runs.experiment import Context
from common.runs.folders import Outcome
from common.runs.layout import extra_folder
from replications.gotta_go_fast.model_runs import UNIT, Trained
from replications.score_sde.images.model_samples import halved
from replications.survey.experiments import learned
from replications.survey.extra import Extra, load
from replications.survey.image_measures import Measures, measures
from replications.survey.own_cells import own_cells
from replications.survey.own_rows import own
from replications.survey.own_training import trained_own

VARIANT = ("data", "file")
FILES = ("file",)
Row = dict[str, Any]
Pictures = dict[str, torch.Tensor]
check = learned.check


class Settings(learned.Settings):
    """Settings of `learned`, and the file."""

    file: str = Field(default="", description="your Python file")

    @field_validator("file")
    @classmethod
    def _is_understood(cls, file: str) -> str:
        if file:
            load(file)
        return file


def folder(settings: Settings, *, results: Path, level: str, seed: int) -> Path:
    """Return where a run is kept: apart from the level's own, by data set and file name."""
    return extra_folder(results, level, "survey", "bring_your_own", settings.data, settings.file, seed)


def run(settings: Settings, context: Context) -> Outcome:
    """Run what the file says, under the settings, starts and noise of `learned`."""
    extra = load(str(context.file(settings.file)))
    shared = replace(context, experiment="learned")
    measured = measures(
        yardstick(settings.data, shared, settings.samples, space=settings.space), settings.samples, settings.neighbours
    )
    rows: list[Row] = []
    pictures: Pictures = {}
    weights: dict[str, torch.Tensor] = {}
    for name, made in extra.objectives.items():
        marked = own(name, settings.file)
        model, found = trained_own(marked, made, extra.digest, settings.data, context)
        weights |= {f"{name}.{key}": tensor for key, tensor in model.model.backbone.state_dict().items()}
        labels = {"dataset": settings.data, "variant": marked}
        cells, shown = learned.model_rows(model, settings.budgets, measured, settings, shared, labels)
        more, own_shown = sampler_rows(extra, model, measured, settings, shared, labels)
        rows += [*found, *cells, *more]
        pictures |= {f"{name}_{key}": images for key, images in {**shown, **own_shown}.items()}
    if extra.samplers:
        for name, model, _ in learned.models(settings, shared):
            found, shown = sampler_rows(extra, model, measured, settings, shared, {"dataset": settings.data, "variant": name})
            rows += found
            pictures |= {f"{name}_{key}": images for key, images in shown.items()}
    return Outcome(rows, arrays={key: halved(images) for key, images in pictures.items()}, weights=weights)


def sampler_rows(
    extra: Extra, trained: Trained, measured: Measures, settings: Settings, context: Context, labels: Row
) -> tuple[list[Row], Pictures]:
    """Return the rows of the file's samplers on a model, and pictures by sampler and evaluations."""
    rows, pictures, draws = [], {}, partial(context.generator, "noise on the way", device=context.device)
    noise, how = learned.starts(trained.model, settings, context), {"batch": settings.batch, "draws": draws}
    for name, sampler in extra.samplers.items():
        for cell in own_cells(own(name, settings.file), sampler, trained.model, noise, settings.budgets.nfe, **how):
            if cell.samples is None:
                rows.append(cell.refusal("feature_frechet", **labels))
                continue
            images = rescaled(cell.samples.float(), trained.pixel_range, UNIT)
            rows += measured.rows(images, **cell.labels, **labels)
            if cell.labels.get("at", settings.shown[0]) in settings.shown:
                pictures[f"{name}_{cell.labels.get('at', 'whole')}"] = images[: settings.pictures].clamp(*UNIT)
    return rows, pictures
