"""Evaluations after training against the dimension, on data whose difficulty does not depend on it (Section 5.2, Figure 5).

The columns are independent and alike, each a mixture of two Gaussians, so that what is to be learned in D dimensions is what is
to be learned in one. Their entropy is known, so the NLL's excess over it says how far each flow got.
"""

import math
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.measure.metrics.density import standard_error
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ffjord.free_form_flow import FlowSettings, FreeFormFlow
from replications.ffjord.solving.solve import SolverSettings, evaluations_of
from replications.ffjord.trace_estimators import Noise

VARIANT = ()


class Settings(Base):
    """Settings of the comparison."""

    dimensions: list[PositiveInt] = Field(default=[4, 8, 16], description="D, of one flow each")
    mode: PositiveFloat = Field(default=1.5, description="a column's modes are at plus and minus this")
    spread: PositiveFloat = Field(default=0.5, description="standard deviation of either mode")
    flow: FlowSettings = Field(description="the flow in every dimension")
    train: TrainSettings
    noise: Noise = Field(default="rademacher", description="probes of the trace")
    solver: SolverSettings = Field(description="the solver in training")
    counted: SolverSettings = Field(description="the solver whose evaluations are counted; tight, as they come in sixes")
    points: PositiveInt = Field(description="held-out points")


def run(settings: Settings, context: Context) -> Outcome:
    """Train a flow in every dimension, counting before and after."""
    rows: list[dict[str, Any]] = []
    for dim in settings.dimensions:
        flow = settings.flow.build(dim, seed=context.seed_for("weights")).to(context.device)
        points = mixture(settings, settings.points, dim, context.generator("test")).to(context.device)
        labels = {"axis": "dimension", "at": dim, "n": settings.points}
        rows += measured(flow, points, settings, context, {**labels, "variant": "untrained"})
        rows += measured(fitted(flow, dim, settings, context), points, settings, context, {**labels, "variant": "trained"})
    return Outcome(rows)


def fitted(flow: FreeFormFlow, dim: int, settings: Settings, context: Context) -> FreeFormFlow:
    """Return the flow, trained by maximum likelihood on fresh points."""

    def loss(flow: nn.Module, step: int, generator: Generator) -> Tensor:
        x = mixture(settings, settings.train.batch, dim, generator)
        return -flow.log_density(x, settings.solver, trace=settings.noise, generator=generator).mean()

    seed = context.seed_for("train")
    return train_run(context, flow, loss, settings.train, seed=seed, of=settings, name=str(dim)).model


def measured(
    flow: FreeFormFlow, points: Tensor, settings: Settings, context: Context, labels: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the evaluations of a training step on the points, either way, and the exact NLL's excess per column."""
    generator = context.generator("counted", device=context.device)
    log_density = partial(flow.log_density, points, settings.counted, trace=settings.noise, generator=generator)
    work = evaluations_of(flow.requires_grad_(True), lambda: log_density().mean())
    counted = {"nfe_forward": work.forward, "nfe_backward": work.backward}
    with torch.no_grad():
        excess = (mixture_log_density(settings, points) - flow.log_density(points, settings.counted)) / points.shape[1]
    return [
        *(row(metric, count, unit="evaluations", **labels) for metric, count in counted.items()),
        row("kl_per_column", excess.mean(), error=standard_error(excess.numpy(force=True)), unit="nats", **labels),
    ]


def mixture(settings: Settings, n: int, dim: int, generator: Generator) -> Float[Tensor, "n dim"]:
    """Return points of the product of mixtures."""
    signs = 2.0 * torch.randint(2, (n, dim), generator=generator, device=generator.device) - 1
    return settings.mode * signs + settings.spread * torch.randn(n, dim, generator=generator, device=generator.device)


def mixture_log_density(settings: Settings, x: Float[Tensor, "n dim"]) -> Float[Tensor, " n"]:
    """Return the log-density of that product in nats."""
    modes = x.new_tensor([settings.mode, -settings.mode])
    exponents = -0.5 * ((x[:, :, None] - modes) / settings.spread).square()
    return (exponents.logsumexp(2) - math.log(2 * settings.spread * math.sqrt(2 * math.pi))).sum(1)
