"""Two-dimensional densities: NLL, cost, samples at few evaluations and along time, per objective (Figure 4).

Sampling noise and test points are shared by all objectives of one data set and seed.
"""

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.likelihood import log_likelihood
from common.dynamics.paths import uniform_times
from common.dynamics.samplers.ode import torchdiffeq_solver, trajectory
from common.learning.data.densities import DENSITIES
from common.learning.models import load_denoiser
from common.learning.objective_table import OBJECTIVES
from common.measure.metrics.density import standard_error
from common.measure.metrics.wasserstein import wasserstein
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base

VARIANT = ("data",)
# fractions of the way from noise to data at which samples are compared with data: the paper's times
PAPER_TIMES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)


class Settings(Base):
    """Settings of the evaluation."""

    data: str = Field(default="checkerboard", description="two-dimensional density")
    objectives: list[Literal[tuple(OBJECTIVES)]] = Field(description="trained objectives to compare")
    test_points: PositiveInt = Field(description="held-out points of the NLL (exact divergence)")
    samples: PositiveInt = Field(description="samples compared with as many data points")
    batch: PositiveInt = Field(default=512, description="samples solved jointly when dopri5's evaluations are counted")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of dopri5")
    nfe: list[PositiveInt] = Field(default=[4, 8, 10, 20], description="evaluations of the midpoint sampler")


def run(settings: Settings, context: Context) -> Outcome:
    """Evaluate every objective's model on shared noise."""
    density = DENSITIES[settings.data]
    test = density(settings.test_points, generator=context.generator("test", settings.data)).to(context.device)
    data = density(settings.samples, generator=context.generator("data", settings.data)).numpy()
    other = density(settings.samples, generator=context.generator("other", settings.data)).numpy()
    noise = torch.randn(settings.samples, 2, generator=context.generator("noise", settings.data), dtype=torch.float64)
    floor = wasserstein(other, data)
    rows = [row("wasserstein2", floor, dataset=settings.data, method="data", variant="floor", n=len(data))]
    arrays = {"data": data.astype(np.float32), "paper_times": np.array(PAPER_TIMES)}
    for objective in settings.objectives:
        denoiser = load_denoiser(context.model(settings.data, objective), context.device)
        labels = {"dataset": settings.data, "method": objective}
        rows += likelihood_rows(denoiser, test, settings, labels)
        start = (denoiser.path.prior_std * noise).to(context.device)
        rows += sampling_rows(denoiser, start, data, settings, labels)
        times = paper_times(denoiser)
        states = trajectory(denoiser, start, times, rtol=settings.tolerance, atol=settings.tolerance).float().cpu().numpy()
        for fraction, state in zip(PAPER_TIMES, states):
            where = {"axis": "paper's time", "at": fraction, "n": len(data)}
            rows.append(row("wasserstein2_along_time", wasserstein(state, data), **where, **labels))
        arrays[f"trajectory_{objective}"] = states[:, :2000]
        coarse = torchdiffeq_solver("midpoint")
        for nfe in settings.nfe:
            result = coarse(denoiser, start, uniform_times(denoiser.path, nfe // 2))
            arrays[f"midpoint{nfe}_{objective}"] = result.x[:2000].float().cpu().numpy()
            value, used = wasserstein(result.x.float().cpu().numpy(), data), int(result.nfe[0])
            where = {"variant": "midpoint", "axis": "nfe", "at": used, "nfe": used, "n": len(data)}
            rows.append(row("wasserstein2", value, **where, **labels))
    return Outcome(rows, arrays=arrays)


def likelihood_rows(denoiser: Any, test: Tensor, settings: Settings, labels: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the NLL in nats with its Monte-Carlo standard error over test points."""
    solved = log_likelihood(denoiser, test.double(), divergence="exact", rtol=settings.tolerance, atol=settings.tolerance)
    nll = -solved.log_density
    error = standard_error(nll.numpy(force=True))
    return [
        row("nll", nll.mean(), variant="test", unit="nats", nfe=solved.nfe, n=len(nll), **labels),
        row("nll_standard_error", error, variant="test", unit="nats", n=len(nll), **labels),
    ]


def sampling_rows(
    denoiser: Any, start: Tensor, data: np.ndarray, settings: Settings, labels: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return dopri5's evaluations (one joint batch) and the distance of its samples to data."""
    solve = torchdiffeq_solver("dopri5", rtol=settings.tolerance, atol=settings.tolerance)
    times = uniform_times(denoiser.path, 1)
    nfe = solve(denoiser, start[: settings.batch], times).nfe.double().mean()
    samples = solve(denoiser, start, times).x.float().cpu().numpy()
    return [
        row("nfe", nfe, variant="dopri5", unit="evaluations", n=settings.batch, **labels),
        row("wasserstein2", wasserstein(samples, data), variant="dopri5", nfe=float(nfe), n=len(data), **labels),
    ]


def paper_times(denoiser: Any) -> Tensor:
    """Return our times of PAPER_TIMES: 1 - t, kept inside the path's range."""
    return (1 - torch.tensor(PAPER_TIMES, dtype=torch.float64)).clamp_min(denoiser.path.t_min)
