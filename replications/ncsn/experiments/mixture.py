"""Langevin and annealed Langevin dynamics with exact scores of the two-mode mixture (Figure 3, Section 3.2.2).

The score knows nothing of the weights of modes that are far apart, so plain Langevin dynamics fills them by where its chains
start. Annealing starts where the modes have run together, so the chains find the weights, if the widest noise is as wide as
the modes are distant; ladders that are too short show what happens if it is not.
"""

from typing import Any

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.oracles import GaussianMixture
from common.dynamics.paths import level_times, ve
from common.dynamics.samplers.loop import Sampler
from common.errors import SolverError
from common.runs.experiment import Context
from common.runs.folders import Outcome, refused, row
from common.runs.settings import Settings as Base
from replications.ncsn.annealed_langevin import annealed_langevin, annealing, langevin, relative_step, uniform_start
from replications.ncsn.two_modes import DATA, HALF_WIDTH, HEAVY, heavy_share, two_modes, undisturbed, variance_in_modes

VARIANT = ()


class Ladder(Base):
    """Noise levels and step of one annealing."""

    sigma_max: PositiveFloat = Field(description="largest noise level")
    sigma_min: PositiveFloat = Field(description="least noise level")
    eps: PositiveFloat = Field(description="step size at the least level, in the convention of the printed algorithm")
    std: NonNegativeFloat = Field(default=1.0, description="of the modes that noise is added to; 0 = two points, as in the code")


class Settings(Base):
    """Settings of the chains."""

    samples: PositiveInt = Field(default=1280, description="chains of each method")
    levels: PositiveInt = Field(default=10, description="noise levels of each ladder")
    steps: PositiveInt = Field(default=100, description="Langevin steps at each level; plain dynamics takes as many in all")
    eps: PositiveFloat = Field(default=0.1, description="step size of plain Langevin dynamics")
    ladders: dict[str, Ladder] = Field(description="annealings by name")
    weights: tuple[float, float] = Field(default=(0.1, 0.9), description="heavy mode's weights that plain dynamics is run with")


def run(settings: Settings, context: Context) -> Outcome:
    """Run every method from the same starts with the same noise; report the share of the heavy mode and the modes' width."""
    drawn = undisturbed().sample(settings.samples, generator=context.generator("data"))
    found = {"data": drawn, "langevin": plain(HEAVY, settings, context)}
    rows: list[dict[str, Any]] = []
    for name, ladder in settings.ladders.items():
        try:
            found[name] = annealed(ladder, settings, context)
        except SolverError as error:
            rows += [refused(metric, error, method=name) for metric in ("heavy_share", "variance_in_modes")]
    evaluations = settings.levels * settings.steps
    for name, x in found.items():
        labels = {"method": name, "n": len(x), "nfe": 0 if name == "data" else evaluations}
        rows += [share_row(x, labels), row("variance_in_modes", variance_in_modes(x), **labels)]
    for weight in settings.weights:
        labels = {"method": "langevin", "variant": "weights", "axis": "weight", "at": weight, "nfe": evaluations}
        rows.append(share_row(plain(weight, settings, context), {"n": settings.samples, **labels}))
    return Outcome(rows, arrays={name: x.numpy().astype(np.float32) for name, x in found.items()})


def share_row(x: Tensor, labels: dict[str, Any]) -> dict[str, Any]:
    """Return the heavy mode's share of the samples with its standard error."""
    share = heavy_share(x)
    return row("heavy_share", share, error=(share * (1 - share) / len(x)) ** 0.5, **labels)


def plain(heavy: float, settings: Settings, context: Context) -> Tensor:
    """Return the ends of plain Langevin chains for data with a given weight of the heavy mode."""
    step = langevin(lambda sigma: torch.full_like(sigma, settings.eps / 2))
    times = annealing(torch.tensor([DATA], dtype=torch.float64), settings.levels * settings.steps)
    return chains(step, undisturbed(heavy), times, settings, context)


def annealed(ladder: Ladder, settings: Settings, context: Context) -> Tensor:
    """Return the ends of annealed chains."""
    path = ve(ladder.sigma_min, ladder.sigma_max)
    sample = annealed_langevin(relative_step(ladder.eps, ladder.sigma_min, "printed"))
    times = annealing(level_times(path, settings.levels), settings.steps)
    return chains(sample, two_modes(path, std=ladder.std), times, settings, context)


def chains(sample: Sampler, model: GaussianMixture, times: Tensor, settings: Settings, context: Context) -> Tensor:
    """Return where chains end that start uniformly on the square, all methods from the same points with the same noise."""
    range_ = (-HALF_WIDTH, HALF_WIDTH)
    start = uniform_start((settings.samples, 2), range_, generator=context.generator("starts")).double()
    return sample(model, start, times, generator=context.generator("noise")).x
