"""Every training objective here is one weighted regression on a Gaussian path:

    E_{t, x_0, eps}  w(t) | prediction(x_t, t) - target |^2

with the conditional quantity as target: x_0, eps, the score -eps/sigma, or the velocity alpha' x_0 + sigma' eps. Score
matching (w = sigma^2, Song & Ermon 2019), its likelihood weighting (w = g^2, "ScoreFlow", Song 2021), noise matching (Ho 2020)
and conditional flow matching (Lipman 2022) differ in the target and the weight alone. Losses of different targets do not compare.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Quantity, functional
from common.dynamics.paths import GaussianPath, Schedule, broadcast

Weight = Literal["one", "sigma_squared", "diffusion_squared"]


@dataclass(frozen=True)
class Objective:
    """What a model is trained to predict, along which path, with which weight over time."""

    path: GaussianPath
    prediction: Quantity
    weight: Weight | Schedule
    known_times: Tensor | None = None  # of the noise levels it is trained on; None: all times


def weight_at(path: GaussianPath, weight: Weight | Schedule, t: Tensor) -> Tensor:
    """Return w(t), by name or by a function of one's own."""
    if callable(weight):
        return weight(t)
    if weight == "sigma_squared":
        return path.sigma(t).square()
    if weight == "diffusion_squared":
        return path.diffusion_squared(t)
    return torch.ones_like(t)


def target(
    path: GaussianPath,
    quantity: Quantity,
    x0: Float[Tensor, "batch *shape"],
    t: Float[Tensor, " batch"],
    noise: Float[Tensor, "batch *shape"],
) -> Float[Tensor, "batch *shape"]:
    """Return the conditional quantity that is regressed on."""
    q0, q1 = functional(path, quantity, t)
    return broadcast(q0, x0) * x0 + broadcast(q1, x0) * noise


def regression_loss(
    predict: Callable[[Tensor, Tensor], Tensor],
    objective: Objective,
    x0: Float[Tensor, "batch *shape"],
    *,
    t: Float[Tensor, " batch"],
    noise: Float[Tensor, "batch *shape"],
) -> Float[Tensor, " batch"]:
    """Return each sample's weighted squared error, averaged over its dimensions; `predict(x, t)` is a denoiser or its wrapper."""
    path = objective.path
    error = predict(path.perturb(x0, t, noise), t) - target(path, objective.prediction, x0, t, noise)
    losses = error.square().flatten(1).mean(1)
    return losses if objective.weight == "one" else weight_at(path, objective.weight, t) * losses


def draw_times(
    path: GaussianPath,
    batch: int,
    *,
    generator: Generator,
    known_times: Float[Tensor, " levels"] | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, " batch"]:
    """Return times uniform on [t_min, 1], or uniform among the noise levels' times if these are given."""
    if known_times is not None:
        chosen = torch.randint(len(known_times), (batch,), generator=generator, device=device)
        return known_times.to(device, dtype)[chosen]
    uniform = torch.rand(batch, generator=generator, device=device, dtype=dtype)
    return path.t_min + (1 - path.t_min) * uniform
