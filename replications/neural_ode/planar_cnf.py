"""The planar continuous normalizing flow: gated tanh units whose parameters move with time (Chen 2018, Section 4).

    dx/dt = sum_n s_n(t) u_n(t) tanh(w_n(t) . x + b_n(t)),    s_n in (0, 1)
    tr    = sum_n s_n(t) (1 - tanh^2(w_n . x + b_n)) u_n . w_n

and d log p / dt = -tr along a path (eq. 8; eq. 10 as printed lacks the minus sign). Time runs from data (0) to base (1), the
paper's the other way, so log q(x) = log N(x_1) + int_0^1 tr dt along the path of x, whichever end it is solved from.

Several flows are kept side by side along a leading dimension `models`, each with its own width and parameters: small solves
cost Python and kernel calls rather than arithmetic, and nine of them in one cost little more than one.
"""

import math
from collections.abc import Sequence
from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from common.dynamics.divergence import DivergenceField
from common.dynamics.likelihood import LogLikelihood, Transported, flow_log_density, transport
from replications.neural_ode import planar_solve
from replications.neural_ode.planar_solve import Units

Points = Float[Tensor, "models batch dim"]
LogDensity = Float[Tensor, "models batch"]


class PlanarCNF(nn.Module):
    """Planar CNFs of the given widths, side by side; every parameter is base + a small function of time (hypernetwork)."""

    def __init__(self, widths: Sequence[int], dim: int = 2, features: int = 8, *, generator: Generator) -> None:
        super().__init__()
        models, units = len(widths), max(widths)

        def normal(*shape: int) -> Tensor:
            return torch.randn(models, *shape, generator=generator)

        self.dim, self.units = dim, units
        self.frequency = nn.Parameter(3 * normal(1, features))
        self.phase = nn.Parameter(normal(1, features))
        self.base = nn.Parameter(
            torch.cat([normal(units, dim), 0.3 * normal(units, dim), normal(units, 1), normal(units, 1)], -1)
        )
        self.drift = nn.Parameter(0.1 * normal(features, units * (2 * dim + 2)))
        # a model narrower than the widest has its other units switched off for good
        self.register_buffer("on", (torch.arange(units) < torch.tensor(list(widths))[:, None]).float()[:, :, None])

    def units_at(self, times: Float[Tensor, " times"]) -> Units:
        """Return the units' parameters at every time, computed in one go."""
        features = torch.tanh(times.to(self.base)[:, None, None, None] * self.frequency + self.phase)
        theta = self.base + (features @ self.drift).unflatten(-1, (self.units, 2 * self.dim + 2)).squeeze(2)
        w, u, b, gate = theta.split([self.dim, self.dim, 1, 1], -1)
        gated = u * torch.sigmoid(gate) * self.on
        across = (-1, -2)
        return Units(
            2 * w,
            2 * b,
            2 * gated.transpose(*across),
            -gated.sum(-2)[..., None],
            4 * (gated * w).sum(-1, keepdim=True).transpose(*across),
        )

    def only(self, model: int) -> "PlanarCNF":
        """Return a copy that holds one of the models."""
        copy = deepcopy(self)
        for parameter in copy.parameters():
            parameter.data = parameter.data[model : model + 1].clone()
        copy.on = copy.on[model : model + 1]
        return copy


def runge_kutta(flow: PlanarCNF, x: Points, start: float, end: float, steps: int) -> tuple[Points, LogDensity]:
    """Return the state at `end` and the integral of the trace from `start` to `end`, by `steps` classical Runge-Kutta steps.

    Used in training, where gradients go back through the steps.
    """
    units = flow.units_at(torch.linspace(start, end, 2 * steps + 1, dtype=torch.float64, device=x.device))
    state, integral = planar_solve.runge_kutta(units, x.transpose(1, 2), (end - start) / steps)
    return state.transpose(1, 2), integral


def field_and_trace(flow: PlanarCNF, t: Float[Tensor, ""], x: Points) -> tuple[Points, LogDensity]:
    """Return dx/dt and the trace of its Jacobian at one time."""
    units = Units(*(part[0] for part in flow.units_at(t[None])))
    velocity, trace = planar_solve.field_and_trace(units, x.transpose(1, 2))
    return velocity.transpose(1, 2), trace


@torch.no_grad()
def solve(flow: PlanarCNF, x: Points, times: Sequence[float], *, tolerance: float = 1e-5) -> Transported:
    """Solve from times[0] through all `times` by dopri5 (atol = rtol = tolerance) in float64; all models share the steps."""
    start, grid = torch.zeros_like(x[..., 0], dtype=torch.float64), torch.tensor(list(times), dtype=torch.float64)
    return transport(_in_float64(flow), x, grid, start, rtol=tolerance, atol=tolerance)


@torch.no_grad()
def log_density(flow: PlanarCNF, x: Points, *, time: float = 0.0, tolerance: float = 1e-5) -> LogLikelihood:
    """Return log q_t(x) of every model in nats, with the base point that x comes from; the density of data is time 0."""
    ends = torch.tensor([time, 1.0], dtype=torch.float64)
    return flow_log_density(_in_float64(flow), x, base_log_density, ends, rtol=tolerance, atol=tolerance)


def sample(flow: PlanarCNF, base: Points, *, tolerance: float = 1e-5) -> tuple[Points, LogDensity, int]:
    """Return samples, their log-density and the evaluations: the same solve, run from base (1) to data (0)."""
    solved = solve(flow, base, (1.0, 0.0), tolerance=tolerance)
    return solved.states[-1], base_log_density(base.double()) - solved.integrals[-1], solved.nfe


def _in_float64(flow: PlanarCNF) -> DivergenceField:
    exact = deepcopy(flow).double()
    return lambda t, x: field_and_trace(exact, t, x)


def base_log_density(x: Points) -> LogDensity:
    """Return the log-density in nats of the base, a standard normal."""
    return -0.5 * x.square().sum(-1) - 0.5 * x.shape[-1] * math.log(2 * math.pi)
