"""The probability-flow ODE by a black-box solver: samples, latents and their uses (Song 2021, Sec. 4.3, App. D.3-D.5).

The paper's solver is scipy's RK45 on the whole batch; this is the same pair of Dormand and Prince, torchdiffeq's.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.samplers.loop import Sampler
from common.dynamics.samplers.ode import torchdiffeq_solver
from common.dynamics.samplers.result import Samples, denoised_last

State = Float[Tensor, "batch *shape"]


def rk45(tolerance: float = 1e-5, *, denoised: bool = True) -> Sampler:
    """Return the sampler: relative and absolute tolerance alike, and one last denoising step unless told otherwise."""
    solve = torchdiffeq_solver("dopri5", rtol=tolerance, atol=tolerance)
    return denoised_last(solve) if denoised else solve


def encoded(model: Answers, x: State, *, t_min: float | None = None, tolerance: float = 1e-5) -> Samples:
    """Return the latents at t = 1 of data, which are taken to be at time `t_min` (by default the path's own)."""
    return rk45(tolerance, denoised=False)(model, x, _ends(model, t_min).flip(0))


def decoded(model: Answers, latents: State, *, t_min: float | None = None, tolerance: float = 1e-5) -> Samples:
    """Return the data at time `t_min` of latents, not denoised: the inverse of `encoded`."""
    return rk45(tolerance, denoised=False)(model, latents, _ends(model, t_min))


def _ends(model: Answers, t_min: float | None) -> Float[Tensor, "2"]:
    return torch.tensor([1.0, model.path.t_min if t_min is None else t_min], dtype=torch.float64)


def slerp(start: State, end: State, weights: Float[Tensor, " points"]) -> Float[Tensor, "points batch *shape"]:
    """Return the great-circle interpolation from each start (weight 0) to its end (weight 1); straight between parallel ones."""
    a, b = start.flatten(1), end.flatten(1)
    cosine = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    angle = cosine.clamp(-1, 1).acos()[:, None]
    weight = weights.to(start).reshape(-1, 1, 1)
    straight = angle.sin() < 1e-6
    safe = torch.where(straight, torch.ones_like(angle), angle.sin())
    of_a = torch.where(straight, 1 - weight, ((1 - weight) * angle).sin() / safe)
    of_b = torch.where(straight, weight, (weight * angle).sin() / safe)
    return (of_a * a + of_b * b).reshape(len(weights), *start.shape)


def tempered(latents: State, temperature: float) -> State:
    """Return latents of norms rescaled by `temperature`: below 1 samples become more alike (Fig. 6)."""
    return temperature * latents
