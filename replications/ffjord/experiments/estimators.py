"""Estimates of the trace without training: bias, variance, the bottleneck, and what they cost (Sections 3.1 and 3.2).

Random weights, so that nothing depends on a data set. Variances are measured over many probes beside their closed forms, costs
are counted operations of one evaluation of field and trace.
"""

from functools import partial
from typing import Any

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from common.measure.step_cost import operations
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ffjord.free_form_flow import FlowSettings, FreeFormFlow
from replications.ffjord.solving.solve import SolverSettings
from replications.ffjord.trace_estimators import Noise, bottleneck_variance, draw, estimate, hutchinson_variance

VARIANT = ()
NOISES: tuple[Noise, ...] = ("gaussian", "rademacher")


class Settings(Base):
    """Settings of the comparison."""

    dimensions: PositiveInt = Field(default=64, description="D of the matrices of the bottleneck")
    widths: list[PositiveInt] = Field(default=[4, 16, 64], description="H of the bottleneck")
    matrices: PositiveInt = Field(description="random matrices of each width")
    probes: PositiveInt = Field(description="probes of each matrix")
    counted: list[PositiveInt] = Field(default=[2, 4, 8, 16, 32, 64], description="dimensions whose operations are counted")
    flow: FlowSettings = Field(description="the flow whose density is estimated, with random weights")
    solves: PositiveInt = Field(description="solves of that density, each with its own probe")
    points: PositiveInt = Field(default=16, description="points of that density")
    solver: SolverSettings = Field(default=SolverSettings(), description="the solver")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure variances, the bias of a density, and operations."""
    rows = [*variance_rows(settings, context), *density_rows(settings, context), *cost_rows(settings, context)]
    return Outcome(rows)


def variance_rows(settings: Settings, context: Context) -> list[dict[str, Any]]:
    """Return, by width and kind of noise, the bottleneck's variance over the plain estimate's, measured and in closed form."""
    rows = []
    generator = context.generator("matrices")
    n = settings.dimensions
    for width in settings.widths:
        of_h = torch.randn(settings.matrices, width, n, generator=generator, dtype=torch.float64) / n**0.5
        of_g = torch.randn(settings.matrices, n, width, generator=generator, dtype=torch.float64) / width**0.5
        for noise in NOISES:
            labels = {"method": noise, "axis": "width", "at": width, "n": settings.matrices}
            plain, narrow = (scatter(a, noise, settings, context) for a in (of_g @ of_h, of_h @ of_g))
            rows.append(row("variance_ratio", (narrow / plain).mean(), variant="measured", unit="ratio", **labels))
            exact = bottleneck_variance(of_h, of_g, noise) / hutchinson_variance(of_g @ of_h, noise)
            rows.append(row("variance_ratio", exact.mean(), variant="closed form", unit="ratio", **labels))
            gap = (plain / hutchinson_variance(of_g @ of_h, noise) - 1).abs().mean()
            rows.append(row("variance_gap", gap, unit="ratio", **labels))
    return rows


def scatter(a: Tensor, noise: Noise, settings: Settings, context: Context) -> Tensor:
    """Return the variance over probes of each matrix's estimate."""
    like = a.new_empty(settings.probes, *a.shape[:-1])
    return estimate(a, draw(noise, like, generator=context.generator("probes", noise))).var(0)


def density_rows(settings: Settings, context: Context) -> list[dict[str, Any]]:
    """Return how far the mean of many estimated log-densities is from the exact one, in standard errors, and a repeated solve."""
    flow = wide_awake(settings.flow.build(2, seed=context.seed_for("flow")).double(), context)
    x = torch.randn(settings.points, 2, generator=context.generator("points"), dtype=torch.float64)
    rows = []
    with torch.no_grad():
        exact = flow.log_density(x, settings.solver).mean()
        for noise in NOISES:
            generator = context.generator("density", noise)
            found = torch.stack(
                [flow.log_density(x, settings.solver, trace=noise, generator=generator).mean() for _ in range(settings.solves)]
            )
            error = found.std() / settings.solves**0.5
            rows.append(row("density_bias", (found.mean() - exact) / error, method=noise, unit="standard errors", n=len(found)))
            again = [
                flow.log_density(x, settings.solver, trace=noise, generator=context.generator("again", noise)) for _ in range(2)
            ]
            rows.append(row("repeated_solve_gap", (again[0] - again[1]).abs().max(), method=noise, unit="nats"))
    return rows


def wide_awake(flow: FreeFormFlow, context: Context) -> FreeFormFlow:
    """Return the flow with weights three times as large: at its initial ones hardly anything moves."""
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.mul_(3.0)
    return flow


def cost_rows(settings: Settings, context: Context) -> list[dict[str, Any]]:
    """Return the operations of one evaluation with the exact trace over those with one probe, by dimension."""
    rows = []
    for dim in settings.counted:
        flow = settings.flow.build(dim, seed=context.seed_for("counted"))
        z, field = torch.zeros(8, dim), flow.fields[0]
        counted = {}
        for trace in ("exact", "rademacher"):
            traced = field.traced(field.seed(z, trace, context.generator("counted")))
            counted[trace] = operations(partial(traced, torch.zeros(()), z))
        labels = {"axis": "dimension", "at": dim, "unit": "ratio"}
        rows.append(row("operations_exact_over_estimate", counted["exact"] / counted["rademacher"], **labels))
    return rows
