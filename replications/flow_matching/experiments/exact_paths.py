"""Paths without a network: conditional ones, and the checkerboard's exact fields (Figures 2, 3, 4, 7, 8).

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
from replications.flow_matching.board import marginal_off_board
from replications.flow_matching.exact_fields import checkerboard_mixture
from replications.flow_matching.path_geometry import direction_cosine, overshoot_share, straightness

VARIANT = ()
METHODS = {"fm_ot": "ot", "fm_vp": "vp"}
# fractions of the way from noise to data, the paper's time, at which the board's pattern is looked for
PATTERN_TIMES = (0.25, 0.5, 0.75, 0.9)


class Settings(Base):
    """Settings of the measurement."""

    starts: PositiveInt = Field(default=256, description="noise samples, shared by all paths and solvers")
    pairs: PositiveInt = Field(default=2000, description="pairs of noise and data whose conditional paths are looked at")
    nfe: list[PositiveInt] = Field(description="numbers of evaluations at which the midpoint solver is judged")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of dopri5 whose evaluations are counted")
    reference_tolerance: PositiveFloat = Field(default=1e-6, description="atol = rtol of the solution taken as exact")
    points: PositiveInt = Field(default=100, description="times at which trajectories are looked at")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure both paths on shared starts."""
    rows, arrays = [], {}
    for method, name in METHODS.items():
        path = PATHS[name]()
        oracle = checkerboard_mixture(path)
        noise = torch.randn(settings.starts, 2, generator=context.generator("starts"), dtype=torch.float64)
        labels = {"dataset": "checkerboard", "method": method, "n": settings.starts}
        times = uniform_times(path, settings.points)
        start = path.prior_std * noise

        solve = torchdiffeq_solver("dopri5", rtol=settings.tolerance, atol=settings.tolerance)
        nfe = solve(oracle, start, times[[0, -1]]).nfe.double().mean()
        rows.append(row("nfe", nfe, variant="dopri5", unit="evaluations", **labels))

        states = trajectory(oracle, start, times, rtol=settings.reference_tolerance, atol=settings.reference_tolerance)
        velocities = torch.stack([oracle.velocity(x, t) for x, t in zip(states, times)])
        rows.append(row("straightness", straightness(states, velocities, times), **labels))
        rows += midpoint_errors(oracle, start, states[-1], settings, labels)
        rows += conditional_rows(path, oracle, settings, context, labels)

        # without the start, where OT's data are scaled to nothing
        arrays["paper_time"] = (1 - times[1:]).numpy()
        arrays[f"off_board_{method}"] = np.array([marginal_off_board(path, float(t)) for t in times[1:]])
        arrays[f"conditional_{method}"] = shown_paths(path, oracle, context)
    return Outcome(rows, arrays=arrays)


def shown_paths(path: Any, oracle: Any, context: Context, count: int = 12) -> np.ndarray:
    """Return some conditional paths [times, count, 2], the same pairs of noise and data for every path."""
    noise = torch.randn(count, 2, generator=context.generator("pairs"), dtype=torch.float64)
    x0 = oracle.sample(count, generator=context.generator("conditional"))
    return torch.stack([path.perturb(x0, t, noise) for t in uniform_times(path, 60)]).numpy().astype(np.float32)


def midpoint_errors(
    oracle: Any, start: Tensor, exact: Tensor, settings: Settings, labels: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the mean squared error per coordinate of the midpoint solver at each number of evaluations."""
    for nfe in settings.nfe:
        result = torchdiffeq_solver("midpoint")(oracle, start, uniform_times(oracle.path, nfe // 2))
        error, used = (result.x - exact).square().mean(), int(result.nfe[0])
        yield row("solver_mse", error, variant="midpoint", axis="nfe", at=used, nfe=used, **labels)


def conditional_rows(
    path: Any, oracle: Any, settings: Settings, context: Context, labels: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield what the conditional paths do, and how much of the exact marginals lies off the board at several times."""
    noise = torch.randn(settings.pairs, 2, generator=context.generator("pairs"), dtype=torch.float64)
    x0 = oracle.sample(settings.pairs, generator=context.generator("conditional"))
    of_pairs = {**labels, "n": settings.pairs}
    yield row("direction_cosine", direction_cosine(path, x0, noise), **of_pairs)
    yield row("overshoot_share", overshoot_share(path, x0, noise), **of_pairs)
    for fraction in PATTERN_TIMES:
        off = marginal_off_board(path, 1 - fraction)
        yield row("marginal_off_board", off, axis="paper's time", at=fraction, **{**labels, "n": 0})
