"""Learn the rates of two simulated Poisson processes by a latent ODE, against the best constant rate (Figure 7)."""

import math
from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.neural_ode.poisson_process import Events, LatentRate, grids_at, log_likelihood, simulate

VARIANT = ()
CEILING = 20.0  # events per unit of time; no true rate exceeds it


def swelling(t: Tensor) -> Tensor:
    """Return a rate that rises and falls twice on [0, 4]."""
    return 10 + 9 * torch.sin(math.pi * t)


def bursting(t: Tensor) -> Tensor:
    """Return a rate with one burst near 2.5 over a low level."""
    return 2 + 16 * torch.exp(-0.5 * ((t - 2.5) / 0.4).square())


RATES = {"swelling": swelling, "bursting": bursting}


class Settings(Base):
    """Settings of the experiment."""

    span: PositiveFloat = Field(default=4.0, description="length of the observed interval")
    train_sequences: PositiveInt = Field(default=30, description="sequences of events to learn from")
    test_sequences: PositiveInt = Field(default=400, description="held-out sequences")
    solver_steps: PositiveInt = Field(default=32, description="Runge-Kutta steps over the interval in training")
    judged_steps: PositiveInt = Field(default=200, description="Runge-Kutta steps over the interval when the rates are judged")
    points: PositiveInt = Field(default=200, description="times at which learned and true rates are compared")
    train: TrainSettings = Field(description="training of the latent ODE; every step sees all events, so batch is not used")


def run(settings: Settings, context: Context) -> Outcome:
    """Fit the latent ODE to the training events, and judge it and constant rates on held-out events."""
    rates = list(RATES.values())
    seen, held_out = (
        simulate(rates, CEILING, n, settings.span, generator=context.generator("events", part))
        for part, n in (("train", settings.train_sequences), ("test", settings.test_sequences))
    )
    trained = train_rates(seen, settings, context)
    grid = torch.linspace(0, settings.span, settings.points, dtype=torch.float64)
    true = torch.stack([rate(grid) for rate in rates])
    # a rate may learn to peak where the training solve does not look: only a fine solve gives its likelihood
    at_events, integral, curves = judged(trained.model, held_out, grid, settings.judged_steps)
    by_training_solve = judged(trained.model, held_out, grid, settings.solver_steps)
    learned = torch.stack(curves).exp().cpu().double()
    scores = {
        "latent_ode": log_likelihood(at_events, integral, held_out.sequences),
        "constant_rate": constant_log_likelihood(seen, held_out),
        "true_rate": true_log_likelihood(rates, held_out, settings),
        "latent_ode_by_training_solve": log_likelihood(*by_training_solve[:2], held_out.sequences),
    }
    rows = [
        row("log_likelihood", value, unit="nats", dataset="events", method=name, n=settings.test_sequences)
        for name, value in scores.items()
    ]
    for name, fitted, known in zip(RATES, learned, true):
        correlation = torch.corrcoef(torch.stack([fitted, known]))[0, 1]
        rows.append(row("rate_correlation", correlation, unit="1", dataset=name, method="latent_ode", n=settings.points))
    rows.append(row("training_seconds", trained.seconds, unit="s", method="latent_ode", n=settings.train.steps))
    arrays = {"times": grid, "true": true, "learned": learned}
    arrays |= {f"events_{name}": times for name, times in zip(RATES, seen.times)}
    return Outcome(rows, arrays={name: np.asarray(array) for name, array in arrays.items()})


@torch.no_grad()
def judged(model: LatentRate, events: Events, grid: Tensor, steps: int) -> tuple[list[Tensor], Tensor, list[Tensor]]:
    """Return log-rates at the events, the rates' integrals and the log-rates on a grid, from a solve of `steps` steps."""
    solution, integral = model.solve(events.span, steps)
    at_events = model.log_rates(solution, grids_at(events.times, events.span, steps))
    return at_events, integral, model.log_rates(solution, grids_at([grid] * len(events.times), events.span, steps))


def train_rates(seen: Events, settings: Settings, context: Context) -> Any:
    """Maximise the likelihood of all training events; each step is one solve."""
    grids = grids_at(seen.times, settings.span, settings.solver_steps)

    def loss(model: nn.Module, step: int, generator: Generator) -> Tensor:
        solution, integral = model.solve(settings.span, settings.solver_steps)
        return -log_likelihood(model.log_rates(solution, grids), integral, seen.sequences)

    model = LatentRate(len(RATES), generator=context.generator("weights")).to(context.device)
    return train_run(context, model, loss, settings.train, seed=context.seed_for("training"), of=settings)


def constant_log_likelihood(seen: Events, held_out: Events) -> Tensor:
    """Return the held-out log-likelihood of the constant rates that fit the training events best."""
    rates = torch.tensor([len(times) / (seen.sequences * seen.span) for times in seen.times], dtype=torch.float64)
    at_events = [rate.log().expand(len(times)) for rate, times in zip(rates, held_out.times)]
    return log_likelihood(at_events, rates * held_out.span, held_out.sequences)


def true_log_likelihood(rates: list[Any], held_out: Events, settings: Settings) -> Tensor:
    """Return the held-out log-likelihood of the rates that made the events, integrals by the midpoint rule."""
    fine = (torch.arange(10_000, dtype=torch.float64) + 0.5) * (settings.span / 10_000)
    integrals = torch.stack([rate(fine).mean() * settings.span for rate in rates])
    return log_likelihood([rate(times).log() for rate, times in zip(rates, held_out.times)], integrals, held_out.sequences)
