"""The adaptive solver and its rivals on a narrow mixture with its exact score, VP and VE (Tables 1 and 2, Appendix).

What is left is the samplers' own error: the noise around the nearest centre beside what exact samples have. Rows have the SDE as
`dataset` and the sampler as `method`; `axis` says what is varied. Rivals of an adaptive run have as many evaluations as it took,
and stand at its tolerance.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.samplers.loop import Sampler
from common.dynamics.samplers.result import Samples, denoised_last
from common.errors import SolverError
from common.runs.experiment import Context
from common.runs.folders import Outcome, refused, row
from common.runs.settings import Settings as Base
from replications.gotta_go_fast.ablations import ABLATIONS
from replications.gotta_go_fast.adaptive_sde import adaptive_sde
from replications.gotta_go_fast.costs import cost_rows, published_nfe
from replications.gotta_go_fast.narrow_mixture import RANGES, Narrow, narrow
from replications.gotta_go_fast.rivals import ddim, euler_maruyama
from replications.gotta_go_fast.torchsde_adaptive import torchsde_adaptive
from replications.score_sde.facts.toy_mixture import EPS
from replications.score_sde.probability_flow import rk45

VARIANT = ()
FIRST_STEP = {"vp": 0.01, "ve": 0.5}
FLOORS = 8  # sets of exact samples whose mean deviation is the floor
Row = dict[str, Any]
Ablation = Literal[tuple(ABLATIONS)]
Shelf = Literal["euler", "srk", "euler_heun", "heun", "midpoint"]


class Settings(Base):
    """Settings of the toy."""

    samples: PositiveInt = Field(default=200, description="samples of each sampler along the tolerances and the largest noises")
    dim: PositiveInt = Field(default=256, description="of the mixture")
    tolerances: list[PositiveFloat] = Field(description="relative tolerances of the adaptive solver")
    full: PositiveInt = Field(default=1000, description="evaluations of Euler-Maruyama where it is not to be fast")
    few: PositiveInt = Field(description="samples of each variant, off-the-shelf solver and dimension")
    ablations: list[Ablation] = Field(description="variants of the solver")
    ablation_tolerance: PositiveFloat = Field(default=0.01, description="relative tolerance of all variants")
    shelf: dict[Shelf, list[PositiveFloat]] = Field(description="torchsde's adaptive solvers, each with its rtol = atol")
    shelf_on: list[Literal["vp", "ve"]] = Field(default=["vp"], description="SDEs on which they run")
    shelf_evaluations: PositiveInt = Field(default=20_000, description="evaluations after which one is given up")
    dimensions: list[PositiveInt] = Field(description="dimensions that are compared")
    dimension_tolerance: PositiveFloat = Field(default=0.01, description="relative tolerance there")
    sigma_maxes: list[PositiveFloat] = Field(description="largest noises of the VE path that are compared")
    sigma_tolerances: list[PositiveFloat] = Field(description="relative tolerances there")


class Case(NamedTuple):
    """A mixture, how many samples are drawn, how far as many exact samples are from the exact residual."""

    toy: Narrow
    samples: int
    floor: float
    context: Context

    def drawn(self, sampler: Sampler) -> Samples:
        """Return a sampler's samples: all start from the same noise and draw from the same generator."""
        where = self.context.device
        starts = self.toy.starts(self.samples, self.context.generator("starts")).to(where)
        return sampler(self.toy.model, starts, self.toy.times, generator=self.context.generator("noise", device=where))

    def solved(self, rtol: float, **options: Any) -> Samples:
        """Return samples of the adaptive solver; the absolute tolerance is a grey level of 256, as published."""
        low, high = RANGES[self.toy.sde]
        options = {"first_step": FIRST_STEP[self.toy.sde], **options}
        return self.drawn(denoised_last(adaptive_sde(rtol, (high - low) / 256, **options)))

    def rows(self, x: Tensor, **labels: Any) -> list[Row]:
        """Return the rows of samples' residual, and of how far it is from the exact one."""
        labels, residual = {"dataset": self.toy.sde, "n": len(x), **labels}, self.toy.residual(x)
        return [
            row("residual", residual, unit="s", **labels),
            row("residual_error", abs(residual - self.toy.exact), floor=self.floor, unit="s", **labels),
        ]


def run(settings: Settings, context: Context) -> Outcome:
    """Run all samplers on both SDEs."""
    rows, arrays = [], {}
    for sde in ("vp", "ve"):
        case = drawn_case(sde, settings.samples, context, dim=settings.dim)
        found, counts = tolerance_rows(case, settings)
        smaller = drawn_case(sde, settings.few, context, dim=settings.dim)
        rows += [*found, *ablation_rows(smaller, settings), *dimension_rows(sde, settings, context)]
        arrays |= {f"{sde}_nfe": counts}
        if sde in settings.shelf_on:
            rows += shelf_rows(smaller, settings.shelf, settings.shelf_evaluations)
    return Outcome([*rows, *sigma_max_rows(settings, context)], arrays={"tolerances": np.array(settings.tolerances), **arrays})


def drawn_case(sde: str, samples: int, context: Context, **more: Any) -> Case:
    """Return a replicate's mixture on an SDE; its centres are drawn anew, the same for both SDEs and every largest noise."""
    toy, generator = narrow(sde, EPS[sde], generator=context.generator("centres"), **more), context.generator("exact samples")
    residuals = [toy.residual(toy.exact_samples(samples, generator)) for _ in range(FLOORS)]
    return Case(toy, samples, float(np.mean(np.abs(np.array(residuals) - toy.exact))), context)


def tolerance_rows(case: Case, settings: Settings) -> tuple[list[Row], np.ndarray]:
    """Return the rows of Table 1 and the adaptive solver's evaluations by tolerance and sample: rivals at equal evaluations.

    DDIM runs on the VP path alone, as in the table. Exact samples stand there as data.
    """
    exact = case.toy.exact_samples(case.samples, case.context.generator("data"))
    rows, counts = [*case.rows(exact, method="data"), *full_rows(case, settings.full)], []
    flow = case.drawn(rk45())
    rows += case.rows(flow.x, method="rk45", nfe=int(flow.nfe[0]))
    for tolerance in settings.tolerances:
        found = case.solved(tolerance)
        where = {"axis": "tolerance", "at": tolerance}
        rows += adaptive_rows(case, found, method="ggf", **where)
        rows += rival_rows(case, published_nfe(found), **where)
        counts.append(found.nfe.numpy() - 1)
    return rows, np.stack(counts)


def adaptive_rows(case: Case, found: Samples, **labels: Any) -> list[Row]:
    """Return the rows of an adaptive run: its error, its cost."""
    labels |= {"dataset": case.toy.sde, "nfe": published_nfe(found)}
    return [*case.rows(found.x, **labels), *cost_rows(found, **labels)]


def rival_rows(case: Case, nfe: int, **labels: Any) -> list[Row]:
    """Return the rows of Euler-Maruyama, and on the VP path of DDIM, at a number of evaluations."""
    rivals = {"euler_maruyama": euler_maruyama(nfe), **({"ddim": ddim(nfe)} if case.toy.sde == "vp" else {})}
    return [each for name, sampler in rivals.items() for each in case.rows(case.drawn(sampler).x, method=name, nfe=nfe, **labels)]


def full_rows(case: Case, nfe: int, **labels: Any) -> list[Row]:
    """Return the rows of Euler-Maruyama with all its evaluations."""
    return case.rows(case.drawn(euler_maruyama(nfe)).x, method="euler_maruyama_full", nfe=nfe, **labels)


def ablation_rows(case: Case, settings: Settings) -> list[Row]:
    """Return the rows of the solver's variants, each as a method."""
    rows, where = [], {"axis": "ablation", "at": settings.ablation_tolerance}
    for name in settings.ablations:
        found = case.solved(settings.ablation_tolerance, **ABLATIONS[name])
        rows += adaptive_rows(case, found, method=name, **where)
    return rows


def shelf_rows(case: Case, shelf: Mapping[str, list[float]], most: int) -> list[Row]:
    """Return the rows of off-the-shelf adaptive solvers by their tolerance, which is relative and absolute; or why not."""
    rows = []
    for method, tolerances in shelf.items():
        for tolerance in tolerances:
            labels = {"method": f"torchsde_{method}", "axis": "tolerance", "at": tolerance}
            try:
                found = case.drawn(denoised_last(torchsde_adaptive(method, rtol=tolerance, atol=tolerance, max_evaluations=most)))
            except SolverError as error:
                rows.append(refused("residual_error", error, dataset=case.toy.sde, **labels))
                continue
            rows += case.rows(found.x, nfe=int(found.nfe[0]), **labels)
    return rows


def dimension_rows(sde: str, settings: Settings, context: Context) -> list[Row]:
    """Return the rows of the adaptive solver by the number of dimensions: in few of them more steps are rejected."""
    rows = []
    for dim in settings.dimensions:
        case = drawn_case(sde, settings.few, context, dim=dim)
        found = case.solved(settings.dimension_tolerance)
        rows += adaptive_rows(case, found, method="ggf", axis="dimension", at=dim)
    return rows


def sigma_max_rows(settings: Settings, context: Context) -> list[Row]:
    """Return the rows of the VE path by its largest noise (Table 2); the tolerance is the variant."""
    rows = []
    for sigma_max in settings.sigma_maxes:
        case = drawn_case("ve", settings.samples, context, dim=settings.dim, sigma_max=sigma_max)
        where = {"axis": "sigma_max", "at": sigma_max}
        rows += full_rows(case, settings.full, **where)
        for tolerance in settings.sigma_tolerances:
            found, labels = case.solved(tolerance), {"variant": f"tolerance {tolerance:g}", **where}
            rows += adaptive_rows(case, found, method="ggf", **labels)
            rows += rival_rows(case, published_nfe(found), **labels)
    return rows
