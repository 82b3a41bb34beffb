"""The reverse SDE and the probability-flow ODE have the same marginals, those of the forward SDE (Song 2021, Sec. 4.3, App. D.1).

Rows have the SDE as `dataset`.
"""

from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor

from common.dynamics.oracles import GaussianMixture
from common.dynamics.paths import uniform_times
from common.dynamics.samplers.ode import trajectory
from common.dynamics.samplers.sde import euler_maruyama
from common.measure.metrics.wasserstein import sliced_wasserstein
from common.runs.experiment import Context
from common.runs.folders import row
from common.runs.settings import Settings as Base
from replications.score_sde.facts.toy_mixture import EPS, Toy

Row = dict[str, Any]
States = Float[Tensor, "points samples dim"]
PAIRS = (("sde", "ode"), ("sde", "exact"), ("ode", "exact"))


class MarginalSettings(Base):
    """Settings of the comparison."""

    samples: PositiveInt = Field(description="samples of each process")
    steps: PositiveInt = Field(description="Euler-Maruyama steps of the reverse SDE")
    times: list[PositiveFloat] = Field(default=[0.5, 0.25, 0.1], description="times of the comparison, beside the end")
    tolerance: PositiveFloat = Field(default=1e-5, description="of the ODE, relative and absolute")
    projections: PositiveInt = Field(default=50, description="directions of the sliced Wasserstein distance")


def marginal_rows(toy: Toy, settings: MarginalSettings, context: Context) -> list[Row]:
    """Return how far samples of the reverse SDE, of the ODE and of the exact marginal are from one another at each time.

    Both processes start from the exact marginal at t = 1. The floor is the distance of two exact samples.
    """
    rows, more = [], {"projections": settings.projections, "seed": context.seed_for("directions") % 2**32}
    for name, path in toy.paths().items():
        model, grid = toy.on(path), uniform_times(path, settings.steps, t_min=EPS[name])
        indices = torch.tensor([int((grid - t).abs().argmin()) for t in [*settings.times, EPS[name]]])
        times = grid[indices]
        start = exact(model, torch.ones(1), settings.samples, context.generator("start"))[0].to(context.device)
        solved = trajectory(model, start, torch.cat([grid[:1], times]), rtol=settings.tolerance, atol=settings.tolerance)
        states = {
            "sde": reverse_sde(model, start, grid, indices, generator=context.generator("reverse", device=context.device)),
            "ode": solved[1:],
            "exact": exact(model, times, settings.samples, context.generator("exact")),
            "again": exact(model, times, settings.samples, context.generator("again")),
        }
        clouds = {key: found.numpy(force=True) for key, found in states.items()}
        for number, t in enumerate([*settings.times, EPS[name]]):
            labels = {"dataset": name, "axis": "t", "at": t, "n": settings.samples}
            labels["floor"] = sliced_wasserstein(clouds["exact"][number], clouds["again"][number], **more)
            for one, other in PAIRS:
                found = sliced_wasserstein(clouds[one][number], clouds[other][number], **more)
                rows.append(row("marginal_distance", found, variant=f"{one} to {other}", **labels))
    return rows


def exact(model: GaussianMixture, times: Float[Tensor, " points"], samples: int, generator: Generator) -> States:
    """Return independent samples of the marginal at each time."""
    shape, found = (samples, model.means.shape[1]), []
    for t in times.double():
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        found.append(model.path.perturb(model.sample(samples, generator=generator), t, noise))
    return torch.stack(found)


def reverse_sde(
    model: GaussianMixture, start: Float[Tensor, "samples dim"], grid: Tensor, indices: Tensor, *, generator: Generator
) -> States:
    """Return the states of the reverse SDE at some points of its grid, in their order."""
    found, wanted = {}, set(indices.tolist())

    def keep(step: int, t: float, x: Tensor) -> None:
        if step + 1 in wanted:
            found[step + 1] = x

    euler_maruyama(model, start, grid, generator=generator, callback=keep)
    return torch.stack([found[index] for index in indices.tolist()])
