"""Every trained objective under every sampler, on densities in the plane: what the samples are worth, by evaluations.

Rows have the sampler as `method` and the objective as `variant`. All start from the same noise; the density's own characteristic
function is what samples are compared with.
"""

from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.learning.data.densities import DENSITIES
from common.learning.objective_table import OBJECTIVES
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.flow_matching.board import share_off_board
from replications.gotta_go_fast.model_runs import trained
from replications.survey.cells import Budgets, cells
from replications.survey.characteristic import BOARDS, Target, target

VARIANT = ("data",)
Row = dict[str, Any]


class Settings(Base):
    """Settings of the comparison."""

    data: Literal[tuple(BOARDS)] = Field(description="density in the plane")
    objectives: list[Literal[tuple(OBJECTIVES)]] = Field(description="trained objectives")
    samples: PositiveInt = Field(description="samples of each cell")
    width: PositiveFloat = Field(default=0.5, description="of the MMD's kernel")
    frequencies: PositiveInt = Field(default=256, description="frequencies of the MMD")
    budgets: Budgets = Field(description="samplers that run, and with how many evaluations")
    shown: list[PositiveInt] = Field(default=[10, 50], description="evaluations at which points are kept")
    points: PositiveInt = Field(default=500, description="points of each of those cells, or all there are")


def run(settings: Settings, context: Context) -> Outcome:
    """Run every sampler on every model."""
    generator = context.generator("frequencies")
    goal = target(BOARDS[settings.data], 2, settings.width, settings.frequencies, generator=generator)
    noise = torch.randn(settings.samples, 2, generator=context.generator("starts"), dtype=torch.float32).to(context.device)
    draws = partial(context.generator, "noise on the way", device=context.device)
    data = DENSITIES[settings.data](settings.samples, generator=context.generator("data"))
    rows, arrays = (
        sample_rows(goal, data, {"dataset": settings.data, "method": "data"}),
        {"data": data[: settings.points].numpy()},
    )
    for name in settings.objectives:
        labels, model = {"dataset": settings.data, "variant": name}, trained(settings.data, name, "shared", context).model
        for cell in cells(model, noise, settings.budgets, batch=settings.samples, draws=draws):
            if cell.samples is None:
                rows.append(cell.refusal("mmd", **labels))
                continue
            rows += sample_rows(goal, cell.samples, {**cell.labels, **labels})
            if cell.labels["axis"] == "tolerance" or cell.labels["at"] in settings.shown:
                key = f"{name}_{cell.labels['method']}_{cell.labels['at']:g}"
                arrays[key] = cell.samples[: settings.points].half().numpy()
    return Outcome(rows, arrays=arrays)


def sample_rows(goal: Target, x: Float[Tensor, "n 2"], labels: Row) -> list[Row]:
    """Return the rows of samples' MMD and, of the checkerboard, of their share off it."""
    n = len(x)
    rows = [row("mmd", goal.mmd(x), floor=goal.floor(n), **{"n": n, **labels})]
    if labels["dataset"] == "checkerboard":
        share = share_off_board(x)
        rows.append(row("off_board", share, floor=0.0, error=(share * (1 - share) / n) ** 0.5, **{"n": n, **labels}))
    return rows
