"""What is measured of a free-form flow: evaluations, how exactly it inverts, and the paths of its samples."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.samplers.ode import trajectory
from common.runs.folders import row
from replications.ffjord.free_form_flow import FreeFormFlow
from replications.ffjord.solving.solve import SolverSettings, at_tolerance, evaluations_of


def evaluation_rows(
    stages: Mapping[int, FreeFormFlow], x: Float[Tensor, "batch dim"], solver: SolverSettings, labels: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the evaluations of one log-density of x and of its gradient, by step of the training."""
    rows = []
    for step, flow in stages.items():
        counted = evaluations_of(flow, lambda flow=flow: flow.log_density(x, solver).mean())
        where = {"axis": "step", "at": step, "n": len(x), **labels}
        rows.append(row("nfe_forward", counted.forward, **where))
        rows.append(row("nfe_backward", counted.backward, **where))
    return rows


@torch.no_grad()
def inversion_rows(
    flow: FreeFormFlow,
    x: Float[Tensor, "batch dim"],
    z: Float[Tensor, "samples dim"],
    tolerances: list[float],
    labels: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return by tolerance, in float64, how far x comes back from the base, and samples' two log-densities from each other.

    The samples are those of z. One log-density is integrated on a sample's way from the base, the other on its way back.
    """
    flow, x, z = deepcopy(flow).double(), x.double(), z.double()
    rows = []
    for tolerance in tolerances:
        solver = at_tolerance(tolerance)
        there = flow.to_base(x, solver, trace="none")
        back = flow.to_data(there.z, solver)
        where = {"axis": "tolerance", "at": tolerance, **labels}
        rows.append(row("round_trip_error", rms(back.z - x), n=len(x), nfe=there.nfe + back.nfe, **where))
        drawn = flow.to_data(z, solver, trace="exact")
        gap = flow.prior.prior_log_density(z) - drawn.integral - flow.log_density(drawn.z, solver)
        rows.append(row("log_density_gap", gap.square().mean().sqrt(), n=len(z), unit="nats", **where))
    return rows


def rms(differences: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
    """Return the root mean square of points' lengths."""
    return differences.square().sum(1).mean().sqrt()


@torch.no_grad()
def sample_paths(flow: FreeFormFlow, z: Float[Tensor, "batch dim"], points: int = 6) -> np.ndarray:
    """Return the samples of z [points, batch, dim] at equally spaced times from base to data, in half precision."""
    times = torch.linspace(1, 0, points, dtype=torch.float64)
    return trajectory(flow.answers(), z, times, rtol=1e-4, atol=1e-4).half().cpu().numpy()
