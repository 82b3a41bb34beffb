"""Two-dimensional densities: NLL, cost, samples at few evaluations and along time, per objective (Figures 4, 9).

Sampling noise and test points are shared by all objectives of one data set and seed.
"""

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.paths import uniform_times
from common.dynamics.quadrature import log_likelihood_by_quadrature
from common.dynamics.samplers.ode import torchdiffeq_solver, trajectory
from common.learning.data.densities import DENSITIES
from common.learning.models import load_denoiser
from common.learning.objective_table import OBJECTIVES
from common.measure.metrics.density import standard_error
from common.measure.metrics.wasserstein import wasserstein
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.flow_matching.board import histogram_distance, share_off_board

VARIANT = ("data",)
# fractions of the way from noise to data at which samples are drawn in figures: the paper's times
PAPER_TIMES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)


class Settings(Base):
    """Settings of the evaluation."""

    data: str = Field(default="checkerboard", description="two-dimensional density")
    objectives: list[Literal[tuple(OBJECTIVES)]] = Field(description="trained objectives to compare")
    test_points: PositiveInt = Field(description="held-out points of the NLL (exact divergence)")
    nodes: PositiveInt = Field(default=32, description="times at which the divergence is taken")
    samples: PositiveInt = Field(description="samples of the figures and of the share off the board")
    compared: PositiveInt = Field(description="samples whose exact Wasserstein-2 distance to as many data points is taken")
    batch: PositiveInt = Field(default=512, description="samples solved jointly when dopri5's evaluations are counted")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of dopri5 when evaluations are counted")
    drawing_tolerance: PositiveFloat = Field(default=1e-4, description="atol = rtol of dopri5 for samples along time")
    nfe: list[PositiveInt] = Field(default=[4, 8, 10, 20], description="evaluations of the midpoint sampler")


def run(settings: Settings, context: Context) -> Outcome:
    """Evaluate every objective's model on shared noise."""
    density = DENSITIES[settings.data]
    test = density(settings.test_points, generator=context.generator("test", settings.data)).to(context.device)
    data = density(settings.samples, generator=context.generator("data", settings.data)).numpy()
    other = density(settings.compared, generator=context.generator("other", settings.data)).numpy()
    noise = torch.randn(settings.samples, 2, generator=context.generator("noise", settings.data), dtype=torch.float64)
    floor = wasserstein(other, data[: settings.compared])
    of_data = {"dataset": settings.data, "method": "data", "variant": "floor"}
    rows = [row("wasserstein2", floor, floor=floor, n=len(other), **of_data)]
    if settings.data == "checkerboard":
        crowding = histogram_distance(torch.from_numpy(data))
        rows.append(row("histogram_distance", crowding, floor=crowding, n=len(data), **of_data))
    arrays = {"data": data.astype(np.float16), "paper_times": np.array(PAPER_TIMES)}
    for objective in settings.objectives:
        denoiser = load_denoiser(context.model(settings.data, objective), context.device)
        labels = {"dataset": settings.data, "method": objective}
        rows.append(likelihood_row(denoiser, test, settings, labels))
        start = (denoiser.path.prior_std * noise).to(context.device)
        rows.append(cost_row(denoiser, start, settings, labels))
        drawing = {"rtol": settings.drawing_tolerance, "atol": settings.drawing_tolerance}
        states = trajectory(denoiser, start, paper_times(denoiser), **drawing).float().cpu()
        arrays[f"trajectory_{objective}"] = states.half().numpy()
        rows += sample_rows(states[-1], data, floor, settings, {"variant": "dopri5", **labels})
        for nfe in settings.nfe:
            result = torchdiffeq_solver("midpoint")(denoiser, start, uniform_times(denoiser.path, nfe // 2))
            points, used = result.x.float().cpu(), int(result.nfe[0])
            arrays[f"midpoint{nfe}_{objective}"] = points.half().numpy()
            where = {"variant": "midpoint", "axis": "nfe", "at": used, "nfe": used}
            rows += sample_rows(points, data, floor, settings, {**where, **labels})
    return Outcome(rows, arrays=arrays)


def likelihood_row(denoiser: Any, test: Tensor, settings: Settings, labels: dict[str, Any]) -> dict[str, Any]:
    """Return the NLL in nats with its Monte-Carlo standard error over test points."""
    tolerances = {"rtol": settings.tolerance, "atol": settings.tolerance}
    solved = log_likelihood_by_quadrature(denoiser, test.double(), nodes=settings.nodes, **tolerances)
    nll = -solved.log_density
    error = standard_error(nll.numpy(force=True))
    return row("nll", nll.mean(), error=error, variant="test", unit="nats", nfe=solved.nfe, n=len(nll), **labels)


def cost_row(denoiser: Any, start: Tensor, settings: Settings, labels: dict[str, Any]) -> dict[str, Any]:
    """Return dopri5's evaluations for one joint batch."""
    solve = torchdiffeq_solver("dopri5", rtol=settings.tolerance, atol=settings.tolerance)
    nfe = solve(denoiser, start[: settings.batch], uniform_times(denoiser.path, 1)).nfe.double().mean()
    return row("nfe", nfe, variant="dopri5", unit="evaluations", n=settings.batch, **labels)


def sample_rows(
    points: Tensor, data: np.ndarray, floor: float, settings: Settings, labels: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the samples' distance to data and, on the checkerboard, their share off it and their histogram's distance to it."""
    n = min(settings.compared, len(data))
    rows = [row("wasserstein2", wasserstein(points[:n].numpy(), data[:n]), floor=floor, n=n, **labels)]
    if settings.data == "checkerboard":
        share, count = share_off_board(points), len(points)
        error = (share * (1 - share) / count) ** 0.5
        rows.append(row("off_board", share, floor=0.0, error=error, n=count, **labels))
        of_data = histogram_distance(torch.from_numpy(data))
        rows.append(row("histogram_distance", histogram_distance(points), floor=of_data, n=count, **labels))
    return rows


def paper_times(denoiser: Any) -> Tensor:
    """Return our times of PAPER_TIMES: 1 - t, kept inside the path's range."""
    return (1 - torch.tensor(PAPER_TIMES, dtype=torch.float64)).clamp_min(denoiser.path.t_min)
