"""Fit a planar CNF of 64 hidden units and a planar flow of 64 layers to samples of two circles and two moons (Figure 5)."""

from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from common.learning.data.densities import DENSITIES
from common.learning.training.settings import TrainSettings
from common.measure.grid import square_grid
from common.measure.metrics.density import standard_error
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.neural_ode.flow_training import Push, cnf_to_base, negative_log_likelihood, planar_push, train_flows
from replications.neural_ode.measures import relative_error
from replications.neural_ode.planar_cnf import base_log_density, log_density, sample, solve

VARIANT = ()
# of the way from base to data: the columns of Figure 5
FRACTIONS = (0.05, 0.2, 0.4, 0.6, 0.8, 1.0)
HALF_WIDTH = 4.0  # of the square on which densities are drawn


class Settings(Base):
    """Settings of the comparison."""

    densities: list[str] = Field(default=["circles", "moons"], description="two-dimensional densities to draw samples from")
    units: PositiveInt = Field(default=64, description="hidden units of the CNF, and layers of the planar flow")
    solver_steps: PositiveInt = Field(description="Runge-Kutta steps of a CNF in training")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of dopri5 when a CNF is judged")
    tight_tolerance: PositiveFloat = Field(
        default=1.5e-8, description="SciPy's default, at which the NLL and the way there and back are measured too"
    )
    test_points: PositiveInt = Field(description="held-out points of the NLL; as many base points are sent to data and back")
    grid: PositiveInt = Field(description="points per side of the densities drawn")
    cnf: TrainSettings = Field(description="training of the CNFs")
    nf: TrainSettings = Field(description="training of the planar flows")


def run(settings: Settings, context: Context) -> Outcome:
    """Train both kinds on the same batches, then measure held-out NLL, the cost of either direction, and samples."""
    test = draw(settings, settings.test_points, context.generator("test")).to(context.device)
    rows, arrays = [], {"fractions": np.array(FRACTIONS), "half_width": np.array(HALF_WIDTH)}
    trained = {}
    for kind, push in {"cnf": cnf_to_base(settings.solver_steps), "nf": planar_push}.items():
        schedule: TrainSettings = getattr(settings, kind)
        trained[kind] = train_kind(kind, push, schedule, settings, context)
        rows.append(row("training_seconds", trained[kind].seconds, unit="s", method=kind, n=schedule.steps))
        arrays |= {f"loss_{kind}": trained[kind].losses, f"loss_step_{kind}": trained[kind].loss_steps}
    planar = trained["nf"].model.double()
    with torch.no_grad():
        planar_nll = negative_log_likelihood(planar, planar_push, test.double())
    for index, name in enumerate(settings.densities):
        flow, labels = trained["cnf"].model.only(index), {"dataset": name, "n": settings.test_points}
        rows += nll_rows(planar_nll[index], 1, {**labels, "method": "nf"})
        rows += cnf_rows(flow, test[index : index + 1], settings, context, {**labels, "method": "cnf"})
        rows += tight_rows(flow, test[index : index + 1], settings, {**labels, "method": "cnf"})
        arrays[f"data_{name}"] = test[index].cpu().numpy()
        if context.seed == 0:  # the one that is drawn
            arrays |= {f"{key}_{name}": value for key, value in along_time(flow, settings, context).items()}
            arrays[f"nf_density_{name}"] = planar_densities(planar, index, settings)
    return Outcome(rows, arrays=arrays)


def draw(settings: Settings, n: int, generator: Generator) -> Tensor:
    """Return n independent points of every density, [densities, n, 2]."""
    return torch.stack([DENSITIES[name](n, generator=generator) for name in settings.densities])


def train_kind(kind: str, push: Push, schedule: TrainSettings, settings: Settings, context: Context) -> Any:
    """Train one model of this kind for every density, side by side, on fresh samples at every step."""

    def loss(flow: nn.Module, step: int, generator: Generator) -> Tensor:
        return negative_log_likelihood(flow, push, draw(settings, schedule.batch, generator)).mean(1).sum()

    return train_flows(kind, [settings.units] * len(settings.densities), loss, schedule, settings, context)


def nll_rows(nll: Tensor, nfe: int, labels: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the held-out NLL in nats with its Monte-Carlo standard error."""
    return [row("nll", nll.mean(), unit="nats", nfe=nfe, error=standard_error(nll.numpy(force=True)), **labels)]


def cnf_rows(flow: Any, test: Tensor, settings: Settings, context: Context, labels: dict[str, Any]) -> list[dict[str, Any]]:
    """Return NLL, evaluations of either direction, and the error of base points that went to data and back."""
    base = torch.randn(test.shape, generator=context.generator("base")).to(test)
    density = log_density(flow, test, tolerance=settings.tolerance)
    samples, _, nfe = sample(flow, base, tolerance=settings.tolerance)
    back = solve(flow, samples, (0.0, 1.0), tolerance=settings.tolerance).states[-1]
    return [
        *nll_rows(-density.log_density[0], density.nfe, labels),
        row("nfe", density.nfe, unit="evaluations", variant="density", **labels),
        row("nfe", nfe, unit="evaluations", variant="sample", **labels),
        row("round_trip_error", (back - base).square().mean().sqrt(), unit="1", **labels),
    ]


def tight_rows(flow: Any, test: Tensor, settings: Settings, labels: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the NLL in nats of the same points at the tight tolerance, its evaluations, and how well the way back finds them."""
    density = log_density(flow, test, tolerance=settings.tight_tolerance)
    return [
        # a metric of its own: "nll" and "density" stay those of the tolerance that everything else is judged at
        row("nll_at_tight_tolerance", -density.log_density[0].mean(), unit="nats", nfe=density.nfe, **labels),
        row("nfe", density.nfe, unit="evaluations", variant="density, tight tolerance", **labels),
        row("reconstruction_error", reconstruction_error(flow, test, settings.tight_tolerance), unit="relative", **labels),
    ]


def reconstruction_error(flow: Any, x: Tensor, tolerance: float) -> float:
    """Return |x - back(forward(x))| / |x| of points sent from data to base and back, in float64 (claim 10)."""
    base = solve(flow, x, (0.0, 1.0), tolerance=tolerance).states[-1]
    return relative_error(solve(flow, base, (1.0, 0.0), tolerance=tolerance).states[-1], x.double())


def along_time(flow: Any, settings: Settings, context: Context) -> dict[str, np.ndarray]:
    """Return particles and densities at FRACTIONS of the way from base to data (Figure 5)."""
    base = torch.randn(1, 1500, 2, generator=context.generator("particles")).to(context.device)
    times = [1 - fraction for fraction in FRACTIONS]
    particles = solve(flow, base, (1.0, *times), tolerance=settings.tolerance).states[1:, 0]
    grid = square_grid(settings.grid, HALF_WIDTH).to(context.device)[None]
    # at time 1 the density is the base; the solve needs two distinct times, and every column's is below 1
    densities = [log_density(flow, grid, time=time, tolerance=settings.tolerance).log_density[0].exp() for time in times]
    shape = (len(FRACTIONS), settings.grid, settings.grid)
    return {
        "particles": particles.cpu().numpy().astype(np.float32),
        "density": torch.stack(densities).reshape(shape).cpu().numpy().astype(np.float32),
    }


@torch.no_grad()
def planar_densities(flow: Any, model: int, settings: Settings) -> np.ndarray:
    """Return the density after FRACTIONS of a planar flow's layers, counted from the base."""
    grid = square_grid(settings.grid, HALF_WIDTH).to(flow.u.device).expand(len(settings.densities), -1, -1)
    found = []
    for fraction in FRACTIONS:
        # the flow was trained from data to base: its last layers are the first ones that samples would undo
        base, log_det = flow(grid, first=settings.units - max(1, round(fraction * settings.units)))
        found.append((base_log_density(base) + log_det)[model].exp())
    return torch.stack(found).reshape(len(FRACTIONS), settings.grid, settings.grid).cpu().numpy().astype(np.float32)
