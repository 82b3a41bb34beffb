"""Proposition 3: the variance that T Langevin steps at a level leave, in closed form, step by step, and of chains.

Chains run on data of one point, with its exact score, from the level before to a level, for the published settings. Each of the
first, a middle and the last level has its own number of dimensions: the proposition is to hold in any, and at any level. Rows
have whose settings they are as `variant`, and the level as `at`.

    level_variance         s_T^2 / sigma_i^2 in closed form, by the recursion and of chains, with its standard error
    level_variance_off     chains less closed form, in standard errors
    recursion_off          largest relative difference of recursion and closed form, over the published settings and a grid of eps
"""

import math
from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveInt

from common.dynamics.oracles import gaussian
from common.dynamics.paths import level_times, ve
from common.runs.experiment import Context
from common.runs.folders import row
from common.runs.settings import Settings as Base
from replications.ncsn.annealed_langevin import annealed_langevin, annealing
from replications.ncsnv2.published import NCSN, PUBLISHED, Published
from replications.ncsnv2.step_size import best_step_size, variance_ratio

CURVE = np.geomspace(1e-3, 1.99, 200)  # relative step sizes of the figure
GRID = np.geomspace(1e-6, 1.99, 50)


class StepSettings(Base):
    """Settings of the chains."""

    dimensions: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(description="of the data at first, middle and last level")
    numbers: PositiveInt = Field(description="chains times dimensions at each level")


def step_rows(settings: StepSettings, context: Context) -> list[dict[str, Any]]:
    """Return the three variances for all published settings."""
    return [each for model in (NCSN, *PUBLISHED) for each in variance_rows(model, settings, context)]


def variance_rows(model: Published, settings: StepSettings, context: Context) -> list[dict[str, Any]]:
    """Return the rows of one published model."""
    here, nfe = {"dataset": model.data, "variant": model.paper}, {"nfe": model.steps}
    exact, by_steps = variance_ratio(model.ratio, model.rho, model.steps), recursion(model.ratio, model.rho, model.steps)
    grid = np.array([recursion(model.ratio, rho, model.steps) / variance_ratio(model.ratio, rho, model.steps) for rho in GRID])
    rows = [
        row("level_variance", exact, method="closed_form", **here, **nfe),
        row("level_variance", by_steps, method="recursion", **here, **nfe),
        row("recursion_off", max(abs(by_steps / exact - 1), np.abs(grid - 1).max()), **here),
    ]
    for level, dim in zip((1, model.levels // 2, model.levels - 1), settings.dimensions):
        chains = max(2, settings.numbers // dim)
        found = chain_variance(model, level, dim, chains, context)
        error, place = exact * math.sqrt(2 / (chains * dim)), {"axis": "level", "at": level, "n": chains}
        rows.append(row("level_variance", found, method="chains", error=error, **here, **nfe, **place))
        rows.append(row("level_variance_off", (found - exact) / error, method="chains", **here, **place, unit="standard errors"))
    return rows


def recursion(ratio: float, rho: float, steps: int) -> float:
    """Return s_T^2 / sigma_i^2 step by step."""
    variance = ratio**2
    for _ in range(steps):
        variance = (1 - rho) ** 2 * variance + 2 * rho
    return variance


def chain_variance(model: Published, level: int, dim: int, chains: int, context: Context) -> float:
    """Return s_T^2 / sigma_i^2 of chains for one point that enter a level, counted from 0, with the noise of that before."""
    path, generator = ve(model.sigma_min, model.sigma_max), context.generator("chains", model.data, model.paper, level)
    before, now = level_times(path, model.levels)[level - 1 : level + 1]
    point = torch.randn(dim, generator=generator, dtype=torch.float64)
    start = point + path.sigma(before) * torch.randn(chains, dim, generator=generator, dtype=torch.float64)
    sample = annealed_langevin(model.rho)
    end = sample(gaussian(path, point, 0.0), start, annealing(now[None], model.steps), generator=generator).x
    return float(((end - point) / path.sigma(now)).square().mean())


def curves() -> dict[str, np.ndarray]:
    """Return s_T^2 / sigma_i^2 along the relative step size for all published settings, with the published and the best."""
    found = {"rho": CURVE}
    for model in (NCSN, *PUBLISHED):
        best = best_step_size(model.ratio, model.steps, model.sigma_min)
        name = f"{model.paper}_{model.data}"
        found[f"{name}_variance"] = variance_ratio(model.ratio, CURVE, model.steps)
        found[f"{name}_published"] = np.array([model.rho, variance_ratio(model.ratio, model.rho, model.steps)])
        found[f"{name}_best"] = np.array([best.rho, best.variance_ratio])
    return found
