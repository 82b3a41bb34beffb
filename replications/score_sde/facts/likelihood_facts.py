"""The divergence's estimate and the ODE's likelihood against exact ones (Song 2021, Sec. 4.3, App. D.2).

Rows have the SDE as `dataset`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.divergence import (
    DivergenceField,
    exact_divergence,
    gaussian_probe,
    hutchinson_divergence,
    rademacher,
    with_exact_divergence,
    with_hutchinson,
)
from common.dynamics.likelihood import LogLikelihood, flow_log_density
from common.dynamics.oracles import GaussianMixture
from common.runs.experiment import Context
from common.runs.folders import row
from common.runs.settings import Settings as Base
from replications.score_sde.facts.toy_mixture import Toy

Row = dict[str, Any]
PROBES = {"rademacher": rademacher, "gaussian": gaussian_probe}
EARLIEST = 0.05  # divergences are looked at from here on: nearer to the data one of them would outweigh all the others
T_MIN = 1e-5  # where published likelihoods are taken


class LikelihoodSettings(Base):
    """Settings of the estimates."""

    points: PositiveInt = Field(description="points of each comparison")
    averaged: list[PositiveInt] = Field(
        default=[1, 4, 16, 64], description="numbers of probes that are averaged; each divides the last"
    )
    probes: PositiveInt = Field(description="probes of each point's divergence, a multiple of the most that are averaged")
    tolerance: PositiveFloat = Field(default=1e-5, description="of the ODE, relative and absolute")


def likelihood_rows(toy: Toy, settings: LikelihoodSettings, context: Context) -> list[Row]:
    """Return all that is measured of divergences and likelihoods."""
    return [
        *divergence_rows(toy, settings, context),
        *exact_rows(toy, settings, context),
        *averaged_rows(toy, settings, context),
    ]


def velocity(model: GaussianMixture) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the probability-flow field in a solver's order of arguments."""
    return lambda t, x: model.velocity(x, t)


def divergence_rows(toy: Toy, settings: LikelihoodSettings, context: Context) -> list[Row]:
    """Return the bias of the estimated divergence in standard errors, and its error by the number of probes averaged."""
    model, generator = toy.on(toy.paths()["vp"]), context.generator("points")
    t = EARLIEST + (1 - EARLIEST) * torch.rand(settings.points, generator=generator, dtype=torch.float64)
    noise = torch.randn(settings.points, toy.means.shape[1], generator=generator, dtype=torch.float64)
    x = model.path.perturb(model.sample(settings.points, generator=generator), t, noise)
    _, exact = exact_divergence(velocity(model), t, x)
    rows = []
    for method, draw in PROBES.items():
        many, times = (each.repeat_interleave(settings.probes, 0) for each in (x, t))
        probes = draw(many, generator=context.generator("probes", method))
        with torch.no_grad():
            _, found = hutchinson_divergence(velocity(model), times, many, probes)
        errors = found.reshape(settings.points, settings.probes) - exact[:, None]
        labels = {"dataset": "vp", "method": method, "n": settings.points}
        standard = (errors.var(1) / settings.probes).sum().sqrt() / settings.points
        rows.append(row("divergence_bias", errors.mean() / standard, unit="standard errors", **labels))
        rows += error_rows("divergence_error", errors, settings.averaged, labels)
    return rows


def error_rows(metric: str, errors: Float[Tensor, "points probes"], averaged: list[int], labels: Row) -> list[Row]:
    """Return the root mean square error of a mean over so many probes, from all disjoint groups of them."""
    rows = []
    for count in averaged:
        groups = errors.reshape(len(errors), -1, count).mean(2)
        rows.append(row(metric, groups.square().mean().sqrt(), axis="probes", at=count, **labels))
    return rows


def exact_rows(toy: Toy, settings: LikelihoodSettings, context: Context) -> list[Row]:
    """Return the mean error of the ODE's log-densities, with the exact marginal at its end and with the prior in that place."""
    rows = []
    for name, path in toy.paths().items():
        model = toy.on(path)
        x, exact = data(model, settings.points, context)
        found = solved(with_exact_divergence(velocity(model)), x, partial(model.log_density, t=1.0), settings)
        of_prior = path.prior_log_density(found.latent) - model.log_density(found.latent, 1.0)
        for variant, more in {"exact end": torch.zeros_like(of_prior), "prior": of_prior}.items():
            labels = {"dataset": name, "variant": variant, "nfe": found.nfe, "n": len(x), "unit": "nats"}
            rows.append(row("likelihood_gap", (found.log_density + more - exact).abs().mean(), **labels))
    return rows


def averaged_rows(toy: Toy, settings: LikelihoodSettings, context: Context) -> list[Row]:
    """Return the error of log-densities with estimated divergences, by the number of solves averaged; each has its own probe."""
    model = toy.on(toy.paths()["vp"])
    x, exact = data(model, settings.points, context)
    solves = settings.averaged[-1]
    many = x.repeat_interleave(solves, 0)
    probe = rademacher(many, generator=context.generator("probe of a solve"))
    found = solved(with_hutchinson(velocity(model), probe), many, partial(model.log_density, t=1.0), settings)
    errors = found.log_density.reshape(len(x), solves) - exact[:, None]
    labels = {"dataset": "vp", "method": "rademacher", "nfe": found.nfe, "n": len(x)}
    return error_rows("likelihood_error", errors, settings.averaged, {**labels, "unit": "nats"})


def data(model: GaussianMixture, points: int, context: Context) -> tuple[Tensor, Tensor]:
    """Return points of the marginal at the data end, and their exact log-densities."""
    generator = context.generator("data")
    x = model.sample(points, generator=generator)
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    x = model.path.perturb(x, torch.tensor(T_MIN, dtype=x.dtype), noise)
    return x, model.log_density(x, T_MIN)


@torch.no_grad()
def solved(field: DivergenceField, x: Tensor, end: Callable[[Tensor], Tensor], settings: LikelihoodSettings) -> LogLikelihood:
    """Return log-densities by the ODE from the data end, with the density `end` at t = 1."""
    times = torch.tensor([T_MIN, 1.0], dtype=torch.float64)
    return flow_log_density(field, x, end, times, rtol=settings.tolerance, atol=settings.tolerance)
