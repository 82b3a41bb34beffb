"""Which samplers are the same, at which order they converge, and that flow and reverse SDE have the same marginals.

All on a mixture or on one Gaussian with its exact score, in float64.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.ddpm_levels import ddpm_betas, ddpm_path
from common.dynamics.paths import PATHS, GaussianPath, level_times, uniform_times
from common.dynamics.samplers.edm import noise_ratio
from common.dynamics.samplers.exponential import ddim
from common.dynamics.samplers.loop import Times
from common.dynamics.samplers.ode import torchdiffeq_solver
from common.dynamics.samplers.table import SAMPLERS
from common.runs.experiment import Context
from common.runs.folders import row
from replications.score_sde.facts.toy_mixture import Toy
from replications.survey.facts.loss_facts import order_row

Row = dict[str, Any]
States = Float[Tensor, "n dim"]
START, END = 0.9, 0.05  # where all paths are regular
ORDERED = ("euler", "ddim", "heun", "edm_heun", "dpm_solver_pp_2m")
LEVELS = 30


def all_paths(toy: Toy) -> dict[str, GaussianPath]:
    """Return the paths, VE with a largest noise as wide as the mixture."""
    return {**{name: make() for name, make in PATHS.items()}, **toy.paths()}


def marginal(model: Answers, points: int, t: float, context: Context) -> States:
    """Return samples of p_t."""
    generator = context.generator("marginal", model.path.name)
    x0 = model.sample(points, generator=generator)
    noise = torch.randn(x0.shape, generator=generator, dtype=torch.float64)
    return model.path.perturb(x0, torch.tensor(t, dtype=torch.float64), noise)


def same_rows(toy: Toy, points: int, steps: int, context: Context) -> list[Row]:
    """Return the largest differences of samplers that are said to be the same, from the same starts and noise."""
    rows = []
    for name, path in all_paths(toy).items():
        model, times = toy.on(path), uniform_times(path, steps, t_min=END, t_max=START)
        x = marginal(model, points, START, context)
        gap = (ddim()(model, x, times).x - euler_in_noise_ratio(model, x, times)).abs().max()
        rows.append(row("ddim_euler_gap", gap, variant=name, n=points))
    model = toy.on(ddpm_path(LEVELS))
    x, times = marginal(model, points, 1.0, context), level_times(model.path, LEVELS)
    found = ddim(1.0)(model, x, times, generator=context.generator("noise")).x
    gap = (found - ddpm_ancestral(model, x, context.generator("noise"))).abs().max()
    return [*rows, row("ddim_ancestral_gap", gap, variant="ddpm", n=points)]


def euler_in_noise_ratio(model: Answers, x: States, times: Times) -> States:
    """Return Euler's solution of dy/dr = eps, the flow of y = x / alpha in r = sigma / alpha, as x at the last time."""
    alpha, ratio = model.path.alpha(times).tolist(), noise_ratio(model.path, times).tolist()
    y = x / alpha[0]
    for k, t in enumerate(times[:-1].tolist()):
        y = y + (ratio[k + 1] - ratio[k]) * model.noise(alpha[k] * y, t)
    return alpha[-1] * y


def ddpm_ancestral(model: Answers, x: States, generator: torch.Generator) -> States:
    """Return DDPM's x_1 as printed: draws from q(x_{t-1} | x_t, x_0), variance beta tilde, x_0 as predicted (Ho 2020, eq. 7)."""
    betas = ddpm_betas(LEVELS)
    bars = (1 - betas).cumprod(0)
    for i in reversed(range(1, LEVELS)):
        noise = model.noise(x, (i + 1) / LEVELS)
        x0 = (x - (1 - bars[i]).sqrt() * noise) / bars[i].sqrt()
        mean = bars[i - 1].sqrt() * betas[i] / (1 - bars[i]) * x0 + (1 - betas[i]).sqrt() * (1 - bars[i - 1]) / (1 - bars[i]) * x
        tilde = (1 - bars[i - 1]) / (1 - bars[i]) * betas[i]
        x = mean + tilde.sqrt() * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return x


def order_rows(toy: Toy, points: int, steps: list[int], context: Context) -> list[Row]:
    """Return the measured order of every solver of the flow on every path."""
    rows = []
    for name, path in all_paths(toy).items():
        model = toy.on(path)
        x = marginal(model, points, START, context)
        exact = torchdiffeq_solver("dopri8", rtol=1e-11, atol=1e-11)(model, x, uniform_times(path, 1, t_min=END, t_max=START)).x
        for solver in ORDERED:
            grids = [uniform_times(path, count, t_min=END, t_max=START) for count in steps]
            ends = [SAMPLERS[solver].sample(model, x, grid).x for grid in grids]
            # the median: a few starts lie between two modes, where no number of steps here is many
            errors = [float((end - exact).norm(dim=1).median()) for end in ends]
            rows.append(order_row(errors, steps, method=solver, variant=name, n=points))
    return rows


def marginal_rows(toy: Toy, std: float, steps: list[int]) -> list[Row]:
    """Return, for data N(0, std^2), how far the end's variance is from the exact one by steps of Euler's scheme, flow and SDE.

    Both fall at order 1 to the same marginal, though an end of the flow says where it started and one of the SDE hardly does:
    `start_correlation`, at the most steps. No sampling: the score is linear.
    """
    rows = []
    for name, path in all_paths(toy).items():
        for how in ("ode", "sde"):
            gaps, labels = [], {"method": how, "variant": name}
            for count in steps:
                gap, correlation = euler_moments(path, std, uniform_times(path, count, t_min=END, t_max=START), how == "sde")
                gaps.append(gap)
                rows.append(row("marginal_gap", gap, axis="steps", at=count, **labels))
            rows.append(row("start_correlation", correlation, axis="steps", at=count, **labels))
            rows.append(order_row(gaps, steps, **labels))
    return rows


def euler_moments(path: GaussianPath, std: float, times: Times, noisy: bool) -> tuple[float, float]:
    """Return the relative error of the end's variance, and the correlation of end and start, of Euler's scheme."""
    exact = (path.alpha(times) * std).square() + path.sigma(times).square()
    drift, diffusion, width = path.drift_coefficient(times), path.diffusion_squared(times), -times.diff()
    share = 1.0 if noisy else 0.5
    factors = 1 - width * (drift[:-1] + share * diffusion[:-1] / exact[:-1])
    variance = float(exact[0])
    for factor, added in zip(factors.tolist(), (diffusion[:-1] * width).tolist()):
        variance = factor**2 * variance + (added if noisy else 0.0)
    return abs(variance / float(exact[-1]) - 1), float(factors.prod() * (exact[0] / variance).sqrt())
