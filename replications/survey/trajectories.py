"""The ways of samples from noise to data, along the flow and along the reverse SDE, from the same starts."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Answers
from common.dynamics.samplers.loop import Times
from common.dynamics.samplers.ode import trajectory
from common.dynamics.samplers.sde import euler_maruyama
from replications.survey.time_grids import evenly

Ways = Float[Tensor, "points starts *shape"]


def ways(
    model: Answers, start: Float[Tensor, "starts *shape"], points: int, every: int, *, generator: Generator
) -> tuple[Times, dict[str, Ways]]:
    """Return times and the states there: of the flow, solved closely, and of the SDE by `every` Euler-Maruyama steps between two.

    The starts are at the largest time at which the SDE is finite.
    """
    grid, kept = evenly(model.path, (points - 1) * every + 1), [start]

    def keep(step: int, t: float, x: Tensor) -> None:
        if (step + 1) % every == 0:
            kept.append(x)

    euler_maruyama(model, start, grid, generator=generator, callback=keep)
    times = grid[::every]
    return times, {"sde": torch.stack(kept), "ode": trajectory(model, start, times, rtol=1e-5, atol=1e-5)}
