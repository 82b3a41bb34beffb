"""Predictors, correctors and the flow on trained models of images (Tables 1 and 4, Figures 2 and 9, App. D.4 and G).

Rows have the model as `method` and the predictor as `variant`; a metric for each column of Table 1, a row for each predictor.
"""

from typing import Any, Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt

from common.evaluation.yardstick import Space, Yardstick, yardstick
from common.learning.data import catalogue
from common.learning.models import load_denoiser
from common.learning.objective_table import OBJECTIVES
from common.measure.metrics.inception import find_weights
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.score_sde.discretisation import published
from replications.score_sde.facts.toy_mixture import ScaleCount
from replications.score_sde.images.learned_sampling import Case, CorrectorSettings, Ended, ways
from replications.score_sde.images.model_samples import halved
from replications.score_sde.predictor_corrector import MIXED, budgets
from replications.score_sde.predictors import NONE

VARIANT = ("data",)
SHOWN = 16  # pictures of each sampler
STARTS, MOMENTS = 2, 9  # of the ways from noise to data: how many, and pictures along each
COLUMNS = {"P": "frechet_p", "P2": "frechet_p2", "P2 rounded": "frechet_p2_rounded", "PC": "frechet_pc", "C2": "frechet_c2"}
Row = dict[str, Any]
Labels = dict[str, Any]
Arrays = dict[str, Any]
ObjectiveName = Literal[tuple(OBJECTIVES)]


class Settings(Base):
    """Settings of the samplers."""

    data: str = Field(description="image data set")
    models: dict[ObjectiveName, CorrectorSettings] = Field(description="trained models, with the corrector of each")
    samples: PositiveInt = Field(description="samples of each sampler")
    scales: ScaleCount = Field(description="N of Table 1's columns")
    rounded: bool = Field(default=True, description="whether P2 is taken with rounding to N scales too (Table 4)")
    shared: dict[ObjectiveName, CorrectorSettings] = Field(
        description="models on which predictor and corrector share the evaluations (Fig. 9), and the corrector there"
    )
    evaluations: PositiveInt = Field(gt=80, multiple_of=4, description="of the score, that they share: no fewer than 21 scales'")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of RK45")
    steps: ScaleCount = Field(default=200, description="steps of the ways from noise to data that are kept")
    batch: PositiveInt = Field(default=500, description="images that share a corrector's step and RK45's")
    space: Space = Field(default="classifier", description="features of the distances; Inception's need its weights on disk")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole, and Inception's weights where they are asked for."""
    catalogue.load(settings.data, "test")
    if settings.space == "inception":
        find_weights("FID")


def run(settings: Settings, context: Context) -> Outcome:
    """Run every sampler on every model."""
    measure = yardstick(settings.data, context, settings.samples, space=settings.space)
    of_data = measure.floor_row(settings.samples, settings.data)
    rows, arrays, floor = [of_data], {}, of_data["value"]
    for name, corrector in settings.models.items():
        case = drawn_case(name, corrector, measure, floor, settings, context)
        labels = {"dataset": settings.data, "method": name}
        for found, kept in (
            table_rows(case, settings, labels),
            flow_rows(case, settings, labels),
            share_rows(case._replace(corrector=settings.shared[name]), settings, labels) if name in settings.shared else ([], {}),
            ([], kept_ways(case, settings)),
        ):
            rows += found
            arrays |= {f"{name}_{key}": array for key, array in kept.items()}
    return Outcome(rows, arrays=arrays)


def drawn_case(
    name: str, corrector: CorrectorSettings, measure: Yardstick, floor: float, settings: Settings, context: Context
) -> Case:
    """Return a trained model with its starts: the same standard normals for every model."""
    model = load_denoiser(context.model(settings.data, name), context.device)
    shape = (settings.samples, *measure.test.images.shape[1:])
    noise = torch.randn(shape, generator=context.generator("starts"), dtype=torch.float32)
    return Case(model, noise, settings.batch, corrector, measure, floor, context)


def table_rows(case: Case, settings: Settings, labels: Labels) -> tuple[list[Row], Arrays]:
    """Return the distances of Table 1's columns and of Table 4's, with some samples, and what P's last denoising step does."""
    rows, arrays, columns = [], {}, budgets(settings.scales)
    if settings.rounded:
        columns["P2 rounded"] = columns["P2"]
    for column, budget in columns.items():
        rounded = settings.scales if column == "P2 rounded" else None
        for predictor in case.corrector.predictors if budget.predicts else [NONE]:
            found = case.samples(predictor, budget.scales, budget.correctors, rounded=rounded)
            where = {"variant": predictor, "nfe": found.nfe, **labels}
            rows.append(case.row(COLUMNS[column], found.x, **where))
            arrays[f"samples_{predictor}_{column.replace(' ', '_')}"] = halved(found.x[:SHOWN].clamp(-1, 1))
            if column == "P":
                times = case.times(settings.scales)
                removed = published(case.model.path, times)[float(times[-1])].variance ** 0.5
                rows += denoising_rows(case, found, removed, where)
    return rows, arrays


def denoising_rows(case: Case, found: Ended, removed: float, labels: Labels) -> list[Row]:
    """Return the distance of samples without the last denoising step, and its change over the noise that it removes (App. G).

    That noise is sigma_min on the VE path and sqrt(beta_1) on VP.
    """
    change = (found.noisy - found.x).square().mean().sqrt() / removed
    return [
        case.row("frechet_undenoised", found.noisy, **labels),
        row("denoising_change", change, unit="ratio", n=len(found.x), **labels),
    ]


def flow_rows(case: Case, settings: Settings, labels: Labels) -> tuple[list[Row], Arrays]:
    """Return the distance of the flow's samples by RK45, with some of them, and what their denoising step does."""
    found = case.flow(settings.tolerance)
    where = {"variant": "rk45", "nfe": found.nfe, **labels}
    removed = float(case.model.path.sigma(case.ends[-1]))
    rows = [case.row("frechet_flow", found.x, **where), *denoising_rows(case, found, removed, where)]
    return rows, {"samples_rk45": halved(found.x[:SHOWN].clamp(-1, 1))}


def share_rows(case: Case, settings: Settings, labels: Labels) -> tuple[list[Row], Arrays]:
    """Return the distance by the corrector's share of the evaluations, at as many of them (Figure 9)."""
    rows = []
    for every, correctors in MIXED:
        share = correctors / (correctors + every)
        for predictor in case.corrector.predictors:
            found = case.samples(predictor, round(settings.evaluations * (1 - share)), correctors, every=every)
            where = {"variant": predictor, "axis": "share", "at": share, "nfe": found.nfe, **labels}
            rows.append(case.row("frechet_share", found.x, **where))
    found = case.samples(NONE, settings.evaluations // 2, 2)
    where = {"variant": NONE, "axis": "share", "at": 1.0, "nfe": found.nfe, **labels}
    return [*rows, case.row("frechet_share", found.x, **where)], {}


def kept_ways(case: Case, settings: Settings) -> Arrays:
    """Return the ways of the SDE and of the flow from the same starts: one pixel at all times, pictures at some."""
    times, found = ways(case, STARTS, settings.steps, settings.tolerance)
    chosen = torch.linspace(0, len(times) - 1, MOMENTS).round().long()
    arrays = {"way_times": times.numpy(), "way_moments": times[chosen].numpy()}
    for how, states in found.items():
        height, width = states.shape[-2] // 2, states.shape[-1] // 2
        arrays[f"pixel_{how}"] = halved(states[..., 0, height, width].T)
        arrays[f"pictures_{how}"] = halved(states[chosen].transpose(0, 1))
    return arrays
