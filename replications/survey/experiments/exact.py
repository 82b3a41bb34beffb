"""Samplers alone: a mixture with its exact score on several paths, by sampler and evaluations.

Rows have the path as `variant`. `mmd` compares samples with the mixture itself in closed form; `flow_error` is how far the
samples of a flow's solver are from the flow's own, from the same starts. `velocity_only` is the straight path's flow as a
continuous normalising flow knows it: a velocity and a prior, and no path.
"""

from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.answers import Answers, VelocityFlow
from common.dynamics.paths import PATHS, STANDARD_NORMAL, GaussianPath, ve
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.score_sde.facts.toy_mixture import SIGMA_MIN, Toy, drawn_toy
from replications.score_sde.probability_flow import rk45
from replications.survey.cells import Budgets, Cell, cells
from replications.survey.characteristic import Target, of_mixture, target
from replications.survey.samplers import SAMPLERS
from replications.survey.time_grids import end_of
from replications.survey.trajectories import ways

VARIANT = ()
REFERENCE = 1e-7  # tolerance of the flow that is taken as exact
Row = dict[str, Any]


class Drawn(Base):
    """Settings of the ways that are drawn."""

    starts: PositiveInt = Field(default=100, description="samples whose ways are kept")
    points: PositiveInt = Field(default=41, ge=2, description="times at which they are kept")
    every: PositiveInt = Field(default=5, description="steps of the reverse SDE between two of them")


class Settings(Base):
    """Settings of the comparison."""

    dimensions: list[PositiveInt] = Field(default=[2], description="of the mixtures")
    modes: PositiveInt = Field(default=5, ge=2, description="of a mixture")
    paths: list[Literal[tuple(PATHS)]] = Field(description="paths of the exact model")
    sigma_max: PositiveFloat = Field(default=50.0, description="largest noise of the VE path")
    samples: PositiveInt = Field(description="samples of each cell")
    width: PositiveFloat = Field(default=0.5, description="of the MMD's kernel in two dimensions; grows as their root")
    frequencies: PositiveInt = Field(default=256, description="frequencies of the MMD")
    budgets: Budgets = Field(description="samplers that run, and with how many evaluations")
    drawn: Drawn = Field(default=Drawn(), description="ways from noise to data that are kept")


def run(settings: Settings, context: Context) -> Outcome:
    """Run all samplers on every path, and keep some ways from noise to data."""
    rows, arrays = [], {}
    for dim in settings.dimensions:
        toy = drawn_toy(settings.modes, dim, generator=context.generator("mixture", dim))
        noise = torch.randn(settings.samples, dim, generator=context.generator("starts", dim), dtype=torch.float64)
        whole, labels = toy.on(PATHS["vp"]()), {"dataset": f"mixture_{dim}d"}
        width, generator = settings.width * (dim / 2) ** 0.5, context.generator("frequencies", dim)
        goal = target(of_mixture(whole), dim, width, settings.frequencies, generator=generator)
        data = whole.sample(settings.samples, generator=context.generator("data", dim))
        rows.append(mmd_row(goal, data, method="data", **labels))
        for name in settings.paths:
            model, starts = toy.on(path_of(name, settings)), noise.to(context.device)
            rows += rows_of(model, starts, goal, settings, context, labels | {"variant": name})
        straight = toy.on(PATHS["ot"]())
        flow = VelocityFlow(STANDARD_NORMAL, straight.velocity)
        rows += rows_of(flow, noise.to(context.device), goal, settings, context, labels | {"variant": "velocity_only"})
        if dim == 2:
            arrays = drawn_ways(toy, noise, settings, context) | {"data": data.numpy()}
    return Outcome(rows, arrays=arrays)


def path_of(name: str, settings: Settings) -> GaussianPath:
    """Return a path by name."""
    return ve(SIGMA_MIN, settings.sigma_max) if name == "ve" else PATHS[name]()


def rows_of(
    model: Answers, noise: Float[Tensor, "n dim"], goal: Target, settings: Settings, context: Context, labels: Row
) -> list[Row]:
    """Return the rows of every cell of a model."""
    rows, draws = [], partial(context.generator, "noise on the way", device=noise.device)
    ends = flow_ends(model, noise) if isinstance(model.path, GaussianPath) else None
    for cell in cells(model, noise, settings.budgets, batch=len(noise), draws=draws):
        rows += cell_rows(cell, goal, ends, labels)
    return rows


def flow_ends(model: Answers, noise: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
    """Return where the flow ends from these starts, denoised, on the CPU."""
    times = torch.tensor([1.0, end_of(model.path)], dtype=torch.float64)
    return rk45(REFERENCE)(model, model.path.prior_std * noise, times).x.cpu()


def cell_rows(cell: Cell, goal: Target, ends: Tensor | None, labels: Row) -> list[Row]:
    """Return the rows of a cell: its MMD, and of a flow's solver its error; the median, for a few starts change their mode."""
    if cell.samples is None:
        return [cell.refusal("mmd", **labels)]
    rows = [mmd_row(goal, cell.samples, **cell.labels, **labels)]
    if ends is not None and not SAMPLERS[cell.labels["method"]].noisy:
        rows.append(row("flow_error", (cell.samples - ends).norm(dim=1).median(), **cell.labels, **labels))
    return rows


def mmd_row(goal: Target, x: Float[Tensor, "n dim"], **labels: Any) -> Row:
    """Return the row of samples' MMD."""
    return row("mmd", goal.mmd(x), floor=goal.floor(len(x)), **{"n": len(x), **labels})


def drawn_ways(toy: Toy, noise: Float[Tensor, "n dim"], settings: Settings, context: Context) -> dict[str, Any]:
    """Return times and states of the ways on every path, from the same starts."""
    arrays, drawn = {}, settings.drawn
    for name in settings.paths:
        model = toy.on(path_of(name, settings))
        start = model.path.prior_std * noise[: drawn.starts]
        times, found = ways(model, start, drawn.points, drawn.every, generator=context.generator("ways"))
        arrays |= {f"times_{name}": times.numpy(), **{f"{how}_{name}": states.half().numpy() for how, states in found.items()}}
    return arrays
