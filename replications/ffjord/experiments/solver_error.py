"""How far a density is from integrating to one, by the solver's tolerance (Figure 8).

The paper's model of one dimension: three Gaussians. It is trained at a tight tolerance, and its density is then summed over a
fine grid at looser and tighter ones, in single and in double precision.
"""

import math
from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ffjord.free_form_flow import FlowSettings, FreeFormFlow
from replications.ffjord.solving.solve import at_tolerance

VARIANT = ()
MEANS, VARIANCE = (-2.8, -0.9, 2.0), 0.4
HALF_WIDTH = 15.0
DRAWN = 500  # points of the figure's curves


class Settings(Base):
    """Settings of training and of the sums."""

    flow: FlowSettings = Field(description="the flow in one dimension")
    train: TrainSettings
    tolerance: PositiveFloat = Field(default=1e-6, description="atol = rtol in training")
    tolerances: list[PositiveFloat] = Field(
        default=[1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8], description="atol = rtol of the density"
    )
    points: PositiveInt = Field(description="points of the grid on [-15, 15]")


def run(settings: Settings, context: Context) -> Outcome:
    """Train, then sum the density at every tolerance."""
    flow = fitted(settings, context)
    grid = torch.linspace(-HALF_WIDTH, HALF_WIDTH, settings.points, dtype=torch.float64, device=context.device)[:, None]
    rows: list[dict[str, Any]] = []
    arrays = {"grid": grid[:, 0].cpu().numpy(), "data": mixture_density(grid[:, 0]).cpu().numpy()}
    for name, dtype in (("float32", torch.float32), ("float64", torch.float64)):
        for tolerance in settings.tolerances:
            solver = at_tolerance(tolerance)
            with torch.no_grad():
                density = flow.to(dtype).log_density(grid.to(dtype), solver).double().exp()
            mass = float(density.sum() * (grid[1, 0] - grid[0, 0]))
            where = {"method": name, "axis": "tolerance", "at": tolerance, "nfe": flow.evaluations.forward}
            flow.evaluations.reset()
            rows.append(row("mass_error", abs(1 - mass), n=settings.points, **where))
            arrays[f"density_{name}"] = density.cpu().numpy()
    every = max(1, settings.points // DRAWN)
    return Outcome(rows, arrays={name: values[::every].astype(np.float32) for name, values in arrays.items()})


def fitted(settings: Settings, context: Context) -> FreeFormFlow:
    """Return the flow, trained on fresh points by maximum likelihood with the exact trace."""
    seed = context.seed_for("train")
    flow = settings.flow.build(1, seed=seed).to(context.device)
    solver = at_tolerance(settings.tolerance)

    def loss(flow: nn.Module, step: int, generator: Generator) -> Tensor:
        return -flow.log_density(draw(settings.train.batch, generator), solver).mean()

    return train_run(context, flow, loss, settings.train, seed=seed, of=settings).model


def draw(n: int, generator: Generator) -> Tensor:
    """Return points [n, 1] of the mixture."""
    means = torch.tensor(MEANS, device=generator.device)
    which = torch.randint(len(MEANS), (n,), generator=generator, device=generator.device)
    return (means[which] + math.sqrt(VARIANCE) * torch.randn(n, generator=generator, device=generator.device))[:, None]


def mixture_density(x: Tensor) -> Tensor:
    """Return the mixture's density at x [n]."""
    means = torch.tensor(MEANS, dtype=x.dtype, device=x.device)
    return (-0.5 * (x[:, None] - means).square() / VARIANCE).exp().mean(1) / math.sqrt(2 * math.pi * VARIANCE)
