"""Predictors, correctors and ODE solvers on a mixture with its exact score (Tables 1 and 5, Figures 3 and 9, App. G).

What is left is the samplers' own error: how far their samples are from data of the mixture, beside what other data read. Rows
have the SDE as `dataset`, the predictor as `method` and the column of Table 1 as `variant`.
"""

from collections import deque
from typing import Any

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.score_sde.discretisation import published
from replications.score_sde.facts.exact_sampling import Case, CorrectorSettings, Data, drawn_case, drawn_data
from replications.score_sde.facts.toy_mixture import EPS, ScaleCount, drawn_toy
from replications.score_sde.predictor_corrector import MIXED, budgets
from replications.score_sde.predictors import NONE, TABLE_1
from replications.score_sde.probability_flow import rk45

VARIANT = ()
Row = dict[str, Any]


class Settings(Base):
    """Settings of the samplers."""

    dimensions: PositiveInt = Field(default=16, description="of the mixture")
    modes: PositiveInt = Field(default=8, ge=2, description="of the mixture")
    samples: PositiveInt = Field(description="samples of each sampler")
    projections: PositiveInt = Field(default=32, description="directions of the sliced Wasserstein distance")
    correctors: dict[str, CorrectorSettings] = Field(description="the corrector by SDE; these SDEs are compared")
    scales: list[ScaleCount] = Field(description="N of Table 1's columns")
    snrs: list[NonNegativeFloat] = Field(description="signal-to-noise ratios that are compared, 0 being no corrector")
    snr_scales: ScaleCount = Field(description="N at which they are compared")
    evaluations: PositiveInt = Field(multiple_of=4, description="of the score, that predictor and corrector share")
    shared_on: str = Field(default="ve", description="the SDE on which they do")
    tolerances: list[PositiveFloat] = Field(
        default=[1e-1, 1e-2, 1e-3, 1e-4, 1e-5], description="of the ODE, relative and absolute"
    )


def run(settings: Settings, context: Context) -> Outcome:
    """Run every sampler on a mixture of the replicate."""
    toy = drawn_toy(settings.modes, settings.dimensions, generator=context.generator("mixture"))
    data = drawn_data(toy, settings.samples, settings.projections, context)
    rows = [row("sampler_distance", data.floor, method="data", floor=data.floor, n=settings.samples)]
    for sde, corrector in settings.correctors.items():
        case = drawn_case(sde, toy, settings.samples, corrector, context)
        rows += [
            *table_rows(case, data, settings.scales),
            *snr_rows(case, data, settings),
            *tolerance_rows(case, data, settings.tolerances),
        ]
        if sde == settings.shared_on:
            rows += share_rows(case, data, settings.evaluations)
    return Outcome(rows)


def table_rows(case: Case, data: Data, counts: list[int]) -> list[Row]:
    """Return Table 1's cells at every N: P, P2, PC of every predictor, and C2; and what P's last denoising step does."""
    rows = []
    for count in counts:
        for column, budget in budgets(count).items():
            for predictor in TABLE_1 if budget.predicts else (NONE,):
                last: deque[Tensor] = deque(maxlen=1)
                found = case.samples(
                    predictor, budget.scales, budget.correctors, callback=lambda step, t, x, last=last: last.append(x)
                )
                labels = {"dataset": case.sde, "method": predictor, "axis": "scales", "at": count, "nfe": int(found.nfe[0])}
                rows.append(data.row("sampler_distance", found.x, variant=column, **labels))
                if column == "P" and predictor == "reverse_diffusion":
                    rows += denoising_rows(case, data, last[0], found.x, labels)
    return rows


def denoising_rows(case: Case, data: Data, noisy: Tensor, clean: Tensor, labels: Row) -> list[Row]:
    """Return the change by the last denoising step, over the noise that it removes, and the distance of samples without it.

    That noise is sigma_min on the VE path and sqrt(beta_1) on VP (App. G).
    """
    times = case.times(labels["at"])
    removed = published(case.model.path, times)[float(times[-1])].variance ** 0.5
    change = (noisy - clean).square().mean().sqrt() / removed
    return [
        row("denoising_change", change, unit="ratio", n=len(clean), **labels),
        data.row("undenoised_distance", noisy, **labels),
    ]


def snr_rows(case: Case, data: Data, settings: Settings) -> list[Row]:
    """Return the distances of PC by the signal-to-noise ratio, and of C2 but at 0, where it does nothing (Table 5)."""
    rows = []
    for snr in settings.snrs:
        for column, predictor in (("PC", "reverse_diffusion"), ("C2", NONE)):
            if predictor == NONE and not snr:
                continue
            budget = budgets(settings.snr_scales)[column]
            found = case.samples(predictor, budget.scales, budget.correctors, snr=snr)
            labels = {"dataset": case.sde, "method": predictor, "variant": column, "nfe": int(found.nfe[0])}
            rows.append(data.row("snr_distance", found.x, axis="snr", at=snr, **labels))
    return rows


def share_rows(case: Case, data: Data, evaluations: int) -> list[Row]:
    """Return the distance by the corrector's share of the evaluations (Figure 9)."""
    rows = []
    for predictor in ("reverse_diffusion", "probability_flow"):
        for every, correctors in MIXED:
            share = correctors / (correctors + every)
            found = case.samples(predictor, round(evaluations * (1 - share)), correctors, every=every)
            labels = {"dataset": case.sde, "method": predictor, "nfe": int(found.nfe[0])}
            rows.append(data.row("share_distance", found.x, axis="share", at=share, **labels))
    found = case.samples(NONE, evaluations // 2, 2)
    labels = {"dataset": case.sde, "method": NONE, "nfe": int(found.nfe[0])}
    return [*rows, data.row("share_distance", found.x, axis="share", at=1.0, **labels)]


def tolerance_rows(case: Case, data: Data, tolerances: list[float]) -> list[Row]:
    """Return evaluations and distance of the ODE's samples by the solver's tolerance, and what its denoising step changed."""
    rows, ends = [], torch.tensor([1.0, EPS[case.sde]], dtype=torch.float64)
    for tolerance in tolerances:
        found = rk45(tolerance, denoised=False)(case.model, case.start, ends)
        labels = {"dataset": case.sde, "method": "rk45", "axis": "tolerance", "at": tolerance}
        labels["nfe"] = nfe = int(found.nfe[0]) + 1
        clean = case.model.denoised(found.x, EPS[case.sde])
        rows.append(row("ode_nfe", nfe, unit="evaluations", n=len(clean), **labels))
        rows.append(data.row("ode_distance", clean, **labels))
    change = (clean - found.x).square().mean().sqrt() / case.model.path.sigma(ends[1:])
    rows.append(row("denoising_change", change, dataset=case.sde, method="rk45", unit="ratio", n=len(clean)))
    return rows
