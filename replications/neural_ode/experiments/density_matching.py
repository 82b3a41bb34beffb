"""Fit planar CNFs and planar flows of 2, 8 and 32 units or layers to three unnormalised densities (Figure 4).

Both kinds are trained on an energy whose weight climbs to 1: without it a flow that starts in one of two modes stays there.
"""

from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from common.learning.training.settings import TrainSettings
from common.measure.grid import square_grid
from common.measure.metrics.density import standard_error
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.neural_ode.flow_training import (
    Push,
    annealed_weight,
    cnf_to_data,
    planar_push,
    reverse_kl,
    train_flows,
)
from replications.neural_ode.planar_cnf import base_log_density, sample
from replications.neural_ode.target_energies import ENERGIES, log_normaliser

VARIANT = ()


class Settings(Base):
    """Settings of the comparison; `sizes` are hidden units M of the CNF and layers K of the rival."""

    targets: list[str] = Field(default=list(ENERGIES), description="target energies")
    sizes: list[PositiveInt] = Field(default=[2, 8, 32], description="hidden units M, and layers K")
    solver_steps: PositiveInt = Field(description="Runge-Kutta steps of a CNF in training")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of dopri5 when a CNF is judged")
    annealing: float = Field(default=0.5, ge=0, le=1, description="share of training over which the energy's weight climbs to 1")
    samples: PositiveInt = Field(description="samples behind every divergence")
    shown: PositiveInt = Field(default=4000, description="samples kept for the figure")
    cnf: TrainSettings = Field(description="training of the CNFs")
    nf: TrainSettings = Field(description="training of the planar flows")


def run(settings: Settings, context: Context) -> Outcome:
    """Train both kinds, then measure KL(q || p) of every model on shared base points."""
    constants = {name: log_normaliser(ENERGIES[name]) for name in settings.targets}
    base = torch.randn(1, settings.samples, 2, generator=context.generator("test")).to(context.device)
    pushes = {"cnf": cnf_to_data(settings.solver_steps), "nf": planar_push}
    rows, arrays = [], {f"target_{name}": target_density(name) for name in settings.targets}
    for kind, push in pushes.items():
        schedule: TrainSettings = getattr(settings, kind)
        trained = train_kind(kind, push, schedule, settings, context)
        samples, log_q, nfe = (judge_cnf if kind == "cnf" else judge_nf)(trained.model, base, settings)
        for index, (name, size) in enumerate((name, size) for name in settings.targets for size in settings.sizes):
            divergences = log_q[index] + ENERGIES[name](samples[index]) + constants[name]
            labels: dict[str, Any] = {"dataset": name, "method": kind, "axis": "size", "at": size}
            labels["error"] = standard_error(divergences.numpy(force=True))
            rows.append(row("reverse_kl", divergences.mean(), unit="nats", nfe=nfe, n=len(divergences), **labels))
            arrays[f"{kind}_{name}_{size}"] = samples[index, : settings.shown].cpu().numpy().astype(np.float32)
        shared = {"method": kind, "n": schedule.steps}
        rows.append(row("training_seconds", trained.seconds, unit="s", seconds=trained.seconds, **shared))
        rows.append(row("optimiser_steps", schedule.steps, unit="1", **shared))
        arrays |= {f"loss_{kind}": trained.losses, f"loss_step_{kind}": trained.loss_steps}
    return Outcome(rows, arrays=arrays)


def target_density(name: str, points: int = 64, half_width: float = 5.0) -> np.ndarray:
    """Return the target's unnormalised density on a square grid, for the figure."""
    density = (-ENERGIES[name](square_grid(points, half_width).float())).exp()
    return density.reshape(points, points).numpy()


def train_kind(kind: str, push: Push, schedule: TrainSettings, settings: Settings, context: Context) -> Any:
    """Train one model of this kind for every target and size, side by side."""
    sizes = settings.sizes * len(settings.targets)

    def loss(flow: nn.Module, step: int, generator: torch.Generator) -> Tensor:
        base = torch.randn(1, schedule.batch, 2, generator=generator, device=context.device)
        weight = annealed_weight(step, schedule.steps, settings.annealing)
        return reverse_kl(flow, push, base, settings.targets, len(sizes), weight).sum()

    return train_flows(kind, sizes, loss, schedule, settings, context)


def judge_cnf(flow: Any, base: Tensor, settings: Settings) -> tuple[Tensor, Tensor, float]:
    """Return samples, log q and evaluations of the CNFs, each solved by dopri5 on its own."""
    models = [sample(flow.only(index), base, tolerance=settings.tolerance) for index in range(len(flow.base))]
    return torch.cat([x for x, _, _ in models]), torch.cat([q for _, q, _ in models]), float(np.mean([n for *_, n in models]))


@torch.no_grad()
def judge_nf(flow: nn.Module, base: Tensor, settings: Settings) -> tuple[Tensor, Tensor, float]:
    """Return samples and log q of the planar flows; a flow counts as one evaluation."""
    flow = flow.double()
    base = base.double().expand(len(settings.targets) * len(settings.sizes), -1, -1)
    x, log_det = flow(base)
    return x, base_log_density(base) - log_det, 1.0
