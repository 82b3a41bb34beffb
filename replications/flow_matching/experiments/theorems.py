"""Theorems 1 and 3 in float64: fields that must generate their paths, by how much they miss.

Theorem 1: the marginal field, each data point's field weighted by its posterior (eq. 8), carries the marginal density. So the
continuity equation d p_t / dt + div(p_t u_t) = 0 holds at every point; divided by p_t it is a sum of three terms that cancel.
Theorem 3: a Gaussian path's flow psi_t(eps) = sigma_t eps + alpha_t x_0 has the published field as its derivative in time.
"""

import math

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from common.dynamics.paths import PATHS, GaussianPath
from common.learning.data.densities import DENSITIES
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.flow_matching.conditional_flow_matching import conditional_field

VARIANT = ()
METHODS = {"fm_ot": "ot", "fm_vp": "vp", "fm_ve": "ve"}
EARLIEST = 0.05  # close to the data of a finite set everything is singular


class Settings(Base):
    """Settings of the check."""

    points: PositiveInt = Field(default=64, description="points of the data set, drawn from the checkerboard")
    probes: PositiveInt = Field(default=1000, description="states and times at which the identities are looked at")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure how far each identity is from holding, on every path of the paper."""
    data = DENSITIES["checkerboard"](settings.points, generator=context.generator("data")).double()
    generator = context.generator("probes")
    chosen = data[torch.randint(len(data), (settings.probes,), generator=generator)]
    t = EARLIEST + (1 - EARLIEST) * torch.rand(settings.probes, generator=generator, dtype=torch.float64)
    noise = torch.randn(settings.probes, 2, generator=generator, dtype=torch.float64)
    rows = []
    for method, name in METHODS.items():
        path = PATHS[name]()
        labels = {"dataset": "checkerboard", "method": method, "n": settings.probes}
        residual = continuity_residual(path, data, path.perturb(chosen, t, noise), t)
        rows.append(row("continuity_residual", residual.max(), **labels))
        rows.append(row("conditional_flow_gap", conditional_flow_gap(path, chosen, t, noise).max(), **labels))
    return Outcome(rows)


def conditional_flow_gap(path: GaussianPath, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """Return |d psi_t / dt - u_t(psi_t | x_0)| / |d psi_t / dt| at each state, the derivative by automatic differentiation."""
    x, speed = torch.func.jvp(lambda time: path.perturb(x0, time, noise), (t,), (torch.ones_like(t),))
    return (speed - conditional_field(path, x, x0, t)).norm(dim=1) / speed.norm(dim=1)


def marginal_log_density(path: GaussianPath, data: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """Return log p_t of one state [2]: an equal mixture of every data point's Gaussian, up to a constant."""
    return torch.logsumexp(component_log_densities(path, data, x, t), 0) - math.log(len(data))


def component_log_densities(path: GaussianPath, data: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """Return log p_t(x | x_0) of one state for each data point, up to a constant."""
    return -0.5 * ((x - path.alpha(t) * data) / path.sigma(t)).square().sum(1) - data.shape[1] * path.sigma(t).log()


def marginal_field(path: GaussianPath, data: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """Return u_t of one state: the conditional fields weighted by the posterior of their data points (eq. 8)."""
    weights = component_log_densities(path, data, x, t).softmax(0)
    times = t.expand(len(data))
    return weights @ conditional_field(path, x.expand_as(data), data, times)


def continuity_residual(path: GaussianPath, data: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """Return |d log p/dt + u . grad log p + div u| over the sum of the three terms' sizes, at each state."""

    def terms(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        slope, rate = torch.func.grad(lambda x, t: marginal_log_density(path, data, x, t), argnums=(0, 1))(x, t)
        field = marginal_field(path, data, x, t)
        divergence = torch.func.jacrev(lambda x: marginal_field(path, data, x, t))(x).trace()
        return rate, slope @ field, divergence

    rate, carried, divergence = torch.func.vmap(terms)(x, t)
    return (rate + carried + divergence).abs() / (rate.abs() + carried.abs() + divergence.abs())
