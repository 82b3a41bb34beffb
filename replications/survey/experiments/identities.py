"""The unified view in numbers: losses, chains, samplers and bounds that are the same, or converge at the order that is said.

Each row is one number: a gap that should be 0, or an order. Data are a mixture or a Gaussian that each replicate draws anew.
"""

import torch
from pydantic import Field, PositiveFloat, PositiveInt

from common.runs.experiment import Context
from common.runs.folders import Outcome
from common.runs.settings import Settings as Base
from replications.score_sde.facts.toy_mixture import STDS, drawn_toy
from replications.survey.facts.bound_facts import chain_rows, likelihood_rows, vlb_rows
from replications.survey.facts.loss_facts import ddpm_rows, loss_rows
from replications.survey.facts.sampler_facts import marginal_rows, order_rows, same_rows

VARIANT = ()


class Settings(Base):
    """Settings of the measurements."""

    modes: PositiveInt = Field(default=5, ge=2, description="of the mixture")
    dimensions: PositiveInt = Field(default=2, description="of the mixture")
    points: PositiveInt = Field(description="points at which losses and samplers are compared")
    levels: list[PositiveInt] = Field(default=[500, 1000, 2000, 4000], description="N of DDPM's chain")
    steps: PositiveInt = Field(default=20, description="steps of the samplers that are the same")
    order_steps: list[PositiveInt] = Field(default=[100, 200], description="steps between which orders are measured")
    marginal_steps: list[PositiveInt] = Field(default=[400, 1600, 6400], description="steps of flow and SDE on Gaussian data")
    chain_steps: list[PositiveInt] = Field(default=[2, 5, 20], description="steps of the chains on Gaussian data")
    score_errors: list[float] = Field(
        default=[-0.2, -0.1, 0.0, 0.1, 0.2], description="relative errors of a score that is bounded"
    )
    wrong_width: PositiveFloat = Field(default=1.3, description="width of other data whose score is taken, over the data's")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure all of it."""
    toy = drawn_toy(settings.modes, settings.dimensions, generator=context.generator("mixture"))
    low, high = STDS
    std = low + (high - low) * float(torch.rand((), generator=context.generator("width"), dtype=torch.float64))
    rows = [
        *loss_rows(toy, settings.points, context),
        *ddpm_rows(settings.levels),
        *same_rows(toy, settings.points, settings.steps, context),
        *order_rows(toy, settings.points, settings.order_steps, context),
        *marginal_rows(toy, std, settings.marginal_steps),
        *vlb_rows(std),
        *chain_rows(std, settings.chain_steps),
        *likelihood_rows(std, settings.score_errors, settings.wrong_width),
    ]
    return Outcome(rows)
