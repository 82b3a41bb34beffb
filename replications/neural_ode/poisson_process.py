"""A Poisson process whose rate is read off a latent path (Chen 2018, Section 5, "Poisson process likelihoods").

    log p(t_1 .. t_N | 0, T) = sum_i log lambda(z(t_i)) - int_0^T lambda(z(t)) dt

The integral is one more component of the ODE's state, dL/dt = lambda(z), L(0) = 0, so one solve gives the path and the likelihood
of all sequences, whatever their event times. Several kinds of events share one path, each with a rate of its own.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from replications.neural_ode.autonomous_solve import Hermite, Solution, solve_with_stages

Rate = Callable[[Tensor], Tensor]


class Events(NamedTuple):
    """Event times of `kinds` processes on [0, span] over `sequences` independent observations, all in one list per kind."""

    times: list[Float[Tensor, " events"]]
    sequences: int
    span: float


def simulate(rates: list[Rate], ceiling: float, sequences: int, span: float, *, generator: Generator) -> Events:
    """Return events of inhomogeneous Poisson processes by thinning; no rate may exceed `ceiling` (events per unit of time).

    Independent sequences over one window are together one process of `sequences` times the rate.
    """
    found = []
    for rate in rates:
        expected = torch.tensor([ceiling * span * sequences], dtype=torch.float64)
        candidates = span * torch.rand(
            int(torch.poisson(expected, generator=generator)), generator=generator, dtype=torch.float64
        )
        kept = torch.rand(len(candidates), generator=generator, dtype=torch.float64) * ceiling < rate(candidates)
        found.append(candidates[kept].sort().values)
    return Events(found, sequences, span)


def log_likelihood(log_rates: list[Float[Tensor, " events"]], integrals: Float[Tensor, " kinds"], sequences: int) -> Tensor:
    """Return the log-likelihood in nats per sequence: log-rates at the events, less the expected number of events."""
    at_events = torch.stack([part.sum() for part in log_rates]).sum()
    return at_events / sequences - integrals.sum()


class LatentRate(nn.Module):
    """A latent path from a learned start, and the log-rates that it implies: dz/dt = f(z), log lambda = decoder(z)."""

    def __init__(self, kinds: int, *, latent: int = 4, hidden: int = 20, generator: Generator) -> None:
        super().__init__()

        def linear(inputs: int, outputs: int) -> nn.Linear:
            with torch.random.fork_rng(devices=[]):  # torch's own initialisation draws from the global generator
                layer = nn.Linear(inputs, outputs)
            nn.init.normal_(layer.weight, std=inputs**-0.5, generator=generator)
            nn.init.zeros_(layer.bias)
            return layer

        def stacked(inputs: int, outputs: int) -> tuple[nn.Parameter, nn.Parameter]:
            weight = torch.randn(1, inputs, outputs, generator=generator) * inputs**-0.5
            return nn.Parameter(weight), nn.Parameter(torch.zeros(1, 1, outputs))

        self.start = nn.Parameter(torch.randn(latent, generator=generator))
        self.w1, self.b1 = stacked(latent, hidden)
        self.w2, self.b2 = stacked(hidden, latent)
        self.log_rate = nn.Sequential(linear(latent, hidden), nn.Tanh(), linear(hidden, kinds))

    def solve(self, span: float, steps: int) -> tuple[Solution, Float[Tensor, " kinds"]]:
        """Return the path's nodes with slopes, and the rates' integrals over [0, span], by one Runge-Kutta solve."""
        weights = (self.w1, self.b1, self.w2, self.b2)
        solution, stages = solve_with_stages(self.start[None, None], weights, span=span, steps=steps)
        return solution, stages.weights @ self.log_rate(stages.states[:, 0, 0]).exp()

    def log_rates(self, solution: Solution, grids: list[Hermite]) -> list[Float[Tensor, "times"]]:
        """Return every kind's log-rate at its own times, read off the path by interpolation."""
        return [self.log_rate(grid(solution)[:, 0, 0])[:, kind] for kind, grid in enumerate(grids)]


def grids_at(times: list[Float[Tensor, " times"]], span: float, steps: int) -> list[Hermite]:
    """Return the interpolations from the solver's nodes to every kind's event times."""
    return [Hermite(each, span=span, steps=steps) for each in times]
