"""Numerical error and Fréchet distance against NFE for Euler, midpoint and RK4; noise left along paths (Figures 6, 7).

The error is measured against a tight solve of the same model from the same noise, so it is the solver's alone.
"""

from typing import Any

import torch
from pydantic import Field, PositiveFloat, PositiveInt

from common.dynamics.paths import uniform_times
from common.dynamics.samplers.ode import torchdiffeq_solver, trajectory
from common.evaluation.yardstick import Yardstick, yardstick
from common.learning.models import load_denoiser
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from replications.flow_matching.image_models import ImageModels, check
from replications.flow_matching.path_geometry import noise_left_rows

__all__ = ["VARIANT", "Settings", "check", "run"]

VARIANT = ("data",)
STAGES = {"euler": 1, "midpoint": 2, "rk4": 4}  # evaluations per step


class Settings(ImageModels):
    """Settings of the measurement."""

    starts: PositiveInt = Field(default=256, description="noise samples of the numerical error, shared by all models")
    samples: PositiveInt = Field(description="samples of the Fréchet distance")
    nfe: dict[str, list[PositiveInt]] = Field(description="numbers of evaluations of each solver, in multiples of its stages")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of the paths along which noise is removed")
    reference_tolerance: PositiveFloat = Field(default=1e-6, description="atol = rtol of the solution taken as exact")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure every objective's model with every fixed-step solver."""
    measure = yardstick(settings.data, context, settings.samples)
    count, shape = max(settings.starts, settings.samples), measure.test.images.shape[1:]
    noise = torch.randn(count, *shape, generator=context.generator("noise"), dtype=torch.float64)
    rows = []
    for objective in settings.objectives:
        denoiser = load_denoiser(context.model(settings.data, objective), context.device)
        labels = {"dataset": settings.data, "method": objective}
        rows += model_rows(denoiser, noise.to(context.device), measure, settings, labels)
    return Outcome(rows)


def model_rows(
    denoiser: Any, noise: torch.Tensor, measure: Yardstick, settings: Settings, labels: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return error and distance of one model at every (solver, NFE)."""
    start = denoiser.path.prior_std * noise
    tight = torchdiffeq_solver("dopri5", rtol=settings.reference_tolerance, atol=settings.reference_tolerance)
    exact = tight(denoiser, start[: settings.starts], uniform_times(denoiser.path, 1)).x
    times = uniform_times(denoiser.path, 20)
    states = trajectory(denoiser, start[: settings.starts], times, rtol=settings.tolerance, atol=settings.tolerance)
    rows = noise_left_rows(states, times, {**labels, "n": settings.starts})
    for solver, counts in settings.nfe.items():
        for nfe in counts:
            steps = uniform_times(denoiser.path, nfe // STAGES[solver])
            result = torchdiffeq_solver(solver)(denoiser, start, steps)
            used = int(result.nfe[0])
            error = (result.x[: settings.starts] - exact).square().mean()
            where = {"variant": solver, "axis": "nfe", "at": used, "nfe": used}
            rows.append(row("solver_mse", error, n=settings.starts, **where, **labels))
            rows.append(measure.row("feature_frechet", result.x[: settings.samples], **where, **labels))
    return rows
