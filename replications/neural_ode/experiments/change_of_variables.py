"""Theorem 1 against closed forms, and the cost of a planar CNF's width against a wide discrete layer's (Equations 8-10)."""

import math
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.divergence import with_exact_divergence
from common.dynamics.likelihood import flow_log_density
from common.dynamics.samplers.ode import integrate
from common.measure.grid import square_grid
from common.measure.timing import interleaved_seconds
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.neural_ode import planar_solve
from replications.neural_ode.planar_cnf import PlanarCNF, base_log_density, field_and_trace, log_density, solve
from replications.neural_ode.planar_solve import Units

VARIANT = ()


class Settings(Base):
    """Settings of the checks."""

    points: PositiveInt = Field(default=64, description="points at which densities are compared")
    grid: PositiveInt = Field(description="points per side of the square over which a density is summed")
    tolerance: PositiveFloat = Field(default=1e-11, description="atol = rtol of dopri5")
    widths: list[PositiveInt] = Field(min_length=2, description="hidden units M at which an evaluation is timed, doubling")
    layer_widths: list[PositiveInt] = Field(min_length=2, description="units of the wide discrete layer that is timed, doubling")
    batch: PositiveInt = Field(
        default=64, description="points per timed evaluation, few enough for the widest layer's to stay in the cache"
    )
    repeats: PositiveInt = Field(description="turns of the timings")


def run(settings: Settings, context: Context) -> Outcome:
    """Check the theorem on fields whose answer is known, then time both layers."""
    flow = PlanarCNF([16], generator=context.generator("flow")).double()
    x = torch.randn(settings.points, 2, generator=context.generator("points"), dtype=torch.float64)
    rows = [
        row("linear_field_error", linear_field_error(x, settings, context), unit="nats"),
        row("total_probability", total_probability(flow, settings), unit="1", n=settings.grid**2),
        row("jacobian_error", jacobian_error(flow, x, settings), unit="nats", n=settings.points),
        row("hamiltonian_volume_change", hamiltonian_volume_change(x, settings, context), unit="nats", n=settings.points),
    ]
    costs = {"cnf": (settings.widths, evaluation), "wide_layer": (settings.layer_widths, wide_layer)}
    for method, (widths, make) in costs.items():
        times = interleaved_seconds({width: make(width, settings.batch, context) for width in widths}, settings.repeats)
        for width, taken in times.items():
            labels: dict[str, Any] = {"method": method, "axis": "width", "at": width, "n": settings.batch}
            rows.append(row("evaluation_seconds", min(taken), unit="s", **labels))
        *_, half, whole = sorted(times)
        ratio = median(long / short for long, short in zip(times[whole], times[half]))
        slope = math.log(ratio) / math.log(whole / half)
        rows.append(row("top_octave_slope", slope, unit="power", method=method, n=settings.repeats))
    return Outcome([{**each, "dataset": "none"} for each in rows])


def linear_field_error(x: Tensor, settings: Settings, context: Context) -> float:
    """Return the largest error of the log-density's change along dx/dt = A x, which is -tr A per unit of time."""
    matrix = torch.randn(2, 2, generator=context.generator("matrix"), dtype=torch.float64)
    times = torch.tensor([0.0, 1.0], dtype=torch.float64)
    found = flow_log_density(
        with_exact_divergence(lambda t, state: state @ matrix.T),
        x,
        base_log_density,
        times,
        rtol=settings.tolerance,
        atol=settings.tolerance,
    )
    # the density of x at time 0 is the base's at the end of the path, times e^{tr A}
    return float((found.log_density - base_log_density(x @ torch.linalg.matrix_exp(matrix).T) - matrix.trace()).abs().max())


def total_probability(flow: PlanarCNF, settings: Settings) -> float:
    """Return the sum of the flow's density over a square that holds it."""
    half_width = 8.0
    grid = square_grid(settings.grid, half_width, cells=True)[None]
    density = log_density(flow, grid, tolerance=max(settings.tolerance, 1e-6)).log_density.exp()
    return float(density.sum() * (2 * half_width / settings.grid) ** 2)


def jacobian_error(flow: PlanarCNF, x: Tensor, settings: Settings) -> float:
    """Return the largest gap between the integral of the trace and log|det| of the flow map's Jacobian by autograd."""
    determinants = map_log_det(lambda t, state: field_and_trace(flow, t, state[None])[0][0], x, settings)
    return float((solve(flow, x[None], (0.0, 1.0), tolerance=settings.tolerance).integrals[-1, 0] - determinants).abs().max())


def hamiltonian_volume_change(x: Tensor, settings: Settings, context: Context) -> float:
    """Return the largest |log|det|| of the flow map of dq/dt = f(p), dp/dt = g(q), whose trace is 0 (Appendix A.1)."""
    inward, outward = torch.randn(2, 2, 8, generator=context.generator("hamiltonian"), dtype=torch.float64)

    def field(t: Tensor, state: Tensor) -> Tensor:
        return (outward * torch.tanh(inward * state.flip(-1)[..., None])).sum(-1)

    return float(map_log_det(field, x, settings).abs().max())


def map_log_det(field: Callable[[Tensor, Tensor], Tensor], x: Tensor, settings: Settings) -> Tensor:
    """Return log|det dx_1/dx_0| of every point, by autograd through the solver: no use is made of any trace."""
    x, times = x.clone().requires_grad_(), torch.tensor([0.0, 1.0], dtype=torch.float64)
    end = integrate(field, x, times, method="dopri5", rtol=settings.tolerance, atol=settings.tolerance)[-1]
    # points do not mix, so the gradient of a column's sum holds one row of every point's Jacobian
    rows = [torch.autograd.grad(column.sum(), x, retain_graph=True)[0] for column in end.unbind(1)]
    return torch.linalg.slogdet(torch.stack(rows, 1))[1]


def evaluation(width: int, batch: int, context: Context) -> Callable[[], Any]:
    """Return one evaluation of a planar CNF's field and trace with `width` hidden units, in float64."""
    flow = PlanarCNF([width], generator=context.generator("timed flow")).double()
    x = torch.randn(1, 2, batch, generator=context.generator("timed points"), dtype=torch.float64)
    units = Units(*(part.detach()[0].contiguous() for part in flow.units_at(torch.tensor([0.5], dtype=torch.float64))))
    return lambda: planar_solve.field_and_trace(units, x)


def wide_layer(width: int, batch: int, context: Context) -> Callable[[], Any]:
    """Return one evaluation of a discrete layer with `width` units and its log-determinant, of a width x width matrix.

    log|det(I + U diag(h') W)| of y = x + U tanh(W x + b) as Section 4 counts it, for data of as many dimensions as units; a
    single point, as its cost is the same for every point.
    """
    w, u = torch.randn(2, width, width, generator=context.generator("timed layer"), dtype=torch.float64) / width
    x = torch.randn(width, generator=context.generator("timed points"), dtype=torch.float64)
    eye = torch.eye(width, dtype=torch.float64)

    def layer() -> tuple[Tensor, Tensor]:
        hidden = torch.tanh(w @ x)
        return x + u @ hidden, torch.linalg.slogdet(eye + (u * (1 - hidden.square())) @ w)[1]

    return layer
