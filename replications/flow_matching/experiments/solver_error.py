"""Numerical error and Fréchet distance against NFE for Euler, midpoint and RK4; noise left along paths (Figures 6, 7).

The error is measured against a tight solve of the same model from the same noise, so it is the solver's alone.
"""

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field, PositiveFloat, PositiveInt

from common.dynamics.paths import uniform_times
from common.dynamics.samplers.ode import torchdiffeq_solver, trajectory
from common.learning.models import load_denoiser
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from replications.flow_matching.image_models import ImageModels, check, yardstick
from replications.flow_matching.path_geometry import noise_left_rows

__all__ = ["VARIANT", "Settings", "check", "run"]

VARIANT = ("data",)
STAGES = {"euler": 1, "midpoint": 2, "rk4": 4}  # evaluations per step


class Settings(ImageModels):
    """Settings of the measurement."""

    starts: PositiveInt = Field(default=256, description="noise samples of the numerical error, shared by all models")
    samples: PositiveInt = Field(description="samples of the Fréchet distance")
    nfe: list[PositiveInt] = Field(description="numbers of evaluations")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of the paths along which noise is removed")
    reference_tolerance: PositiveFloat = Field(default=1e-6, description="atol = rtol of the solution taken as exact")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure every objective's model with every fixed-step solver."""
    test, distance_to_test = yardstick(settings.data, context)
    count = max(settings.starts, settings.samples)
    noise = torch.randn(count, *test.images.shape[1:], generator=context.generator("noise"), dtype=torch.float64)
    rows = []
    for objective in settings.objectives:
        denoiser = load_denoiser(context.model(settings.data, objective), context.device)
        labels = {"dataset": settings.data, "method": objective}
        rows += model_rows(denoiser, noise.to(context.device), distance_to_test, settings, labels)
    return Outcome(rows)


def model_rows(
    denoiser: Any,
    noise: torch.Tensor,
    distance_to_test: Callable[[torch.Tensor], float],
    settings: Settings,
    labels: dict[str, Any],
) -> list[dict[str, Any]]:
    """Return error and distance of one model at every (solver, NFE)."""
    start = denoiser.path.prior_std * noise
    tight = torchdiffeq_solver("dopri5", rtol=settings.reference_tolerance, atol=settings.reference_tolerance)
    exact = tight(denoiser, start[: settings.starts], uniform_times(denoiser.path, 1)).x
    times = uniform_times(denoiser.path, 20)
    states = trajectory(denoiser, start[: settings.starts], times, rtol=settings.tolerance, atol=settings.tolerance)
    rows = noise_left_rows(states, times, {**labels, "n": settings.starts})
    for solver, stages in STAGES.items():
        for nfe in settings.nfe:
            if nfe % stages:
                continue
            result = torchdiffeq_solver(solver)(denoiser, start, uniform_times(denoiser.path, nfe // stages))
            used = int(result.nfe[0])
            error = (result.x[: settings.starts] - exact).square().mean()
            distance = distance_to_test(result.x[: settings.samples])
            where = {"variant": solver, "axis": "nfe", "at": used, "nfe": used}
            rows.append(row("solver_mse", error, n=settings.starts, **where, **labels))
            rows.append(row("feature_frechet", distance, n=settings.samples, **where, **labels))
    return rows
