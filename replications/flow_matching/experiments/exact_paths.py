"""Exact fields of the checkerboard: solver error, cost and straightness of OT and diffusion paths (Figures 2-4, 6, 7).

No network is trained, so what is measured belongs to the paths themselves.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.paths import PATHS, uniform_times
from common.dynamics.samplers.ode import torchdiffeq_solver, trajectory
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.flow_matching.conditional_flow_matching import conditional_field
from replications.flow_matching.exact_fields import checkerboard_mixture
from replications.flow_matching.path_geometry import noise_left, noise_left_rows, straightness

VARIANT = ()
STAGES = {"euler": 1, "midpoint": 2, "rk4": 4}  # evaluations per step
METHODS = {"fm_ot": "ot", "fm_vp": "vp"}


class Settings(Base):
    """Settings of the measurement."""

    starts: PositiveInt = Field(default=512, description="noise samples, shared by all paths and solvers")
    nfe: list[PositiveInt] = Field(description="numbers of evaluations at which fixed-step solvers are judged")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of dopri5 whose evaluations are counted")
    reference_tolerance: PositiveFloat = Field(default=1e-7, description="atol = rtol of the solution taken as exact")
    points: PositiveInt = Field(default=200, description="times at which trajectories are looked at")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure both paths on shared starts."""
    rows, arrays = [], {}
    for method, name in METHODS.items():
        path = PATHS[name]()
        oracle = checkerboard_mixture(path)
        noise = torch.randn(settings.starts, 2, generator=context.generator("starts"), dtype=torch.float64)
        labels = {"dataset": "checkerboard", "method": method, "n": settings.starts}
        times = uniform_times(path, settings.points)
        ends = times[[0, -1]]
        start = path.prior_std * noise

        solve = torchdiffeq_solver("dopri5", rtol=settings.tolerance, atol=settings.tolerance)
        nfe = solve(oracle, start, ends).nfe.double().mean()
        rows.append(row("nfe", nfe, variant="dopri5", unit="evaluations", **labels))

        states = trajectory(oracle, start, times, rtol=settings.reference_tolerance, atol=settings.reference_tolerance)
        velocities = torch.stack([oracle.velocity(x, t) for x, t in zip(states, times)])
        rows.append(row("straightness", straightness(states, velocities, times), **labels))
        rows += fixed_step_errors(oracle, start, states[-1], settings, labels)

        arrays[f"noise_left_{method}"] = noise_left(states).numpy()
        arrays["paper_time"] = (1 - times).numpy()
        rows += noise_left_rows(states, times, labels)
        arrays[f"trajectories_{method}"] = states[:: max(1, settings.points // 50), :64].float().numpy()
        rows.append(row("direction_cosine", direction_cosine(path, oracle, noise, context), **labels))
    return Outcome(rows, arrays=arrays)


def fixed_step_errors(
    oracle: Any, start: Tensor, exact: Tensor, settings: Settings, labels: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the mean squared error per coordinate of each fixed-step solver at each number of evaluations."""
    for solver, stages in STAGES.items():
        for nfe in settings.nfe:
            if nfe % stages:
                continue
            times = uniform_times(oracle.path, nfe // stages)
            result = torchdiffeq_solver(solver)(oracle, start, times)
            error = (result.x - exact).square().mean()
            used = int(result.nfe[0])
            yield row("solver_mse", error, variant=solver, axis="nfe", at=used, nfe=used, **labels)


def direction_cosine(path: Any, oracle: Any, noise: Tensor, context: Context) -> float:
    """Return the smallest cosine between a conditional field's direction at two times along one conditional path.

    1 for a field whose direction never changes (the paper's OT path); time is kept off both ends.
    """
    x0 = oracle.sample(len(noise), generator=context.generator("conditional"))
    times = np.linspace(0.05, 0.95, 19)
    fields = []
    for t in times:
        t = torch.full((len(noise),), float(t), dtype=noise.dtype)
        fields.append(conditional_field(path, path.perturb(x0, t, noise), x0, t))
    directions = torch.nn.functional.normalize(torch.stack(fields), dim=-1)
    return float(torch.einsum("tbd,sbd->tsb", directions, directions).amin((0, 1)).mean())
