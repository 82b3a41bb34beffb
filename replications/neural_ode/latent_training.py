"""Train latent ODEs and their rivals on the same series, batches and observation times (Chen 2018, Section 5.1).

A latent ODE's training depends on luck: from some initial weights it soon tells the spirals apart, from others it never gets
there in any number of steps that a laptop can afford, the less so the more points are observed, for then the likelihood is
sharper and the prior's pull on the latent paths weaker. So the likelihood starts wide and is narrowed to the data's own noise,
and of several initial weights those with the best training ELBO go on. Neither looks at a forecast.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from common.learning.data.batches import EpochSampler
from common.learning.training.loop import Loss, Trained
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from replications.neural_ode.autonomous_solve import Hermite
from replications.neural_ode.latent_ode import LatentODE, negative_elbo, observed_mask
from replications.neural_ode.rnn_forecaster import Forecaster
from replications.neural_ode.spirals import NOISE, STEP, WINDOW, Spirals, observation_indices, spirals, times

Observed = tuple[Spirals, list[Tensor]]
SPAN = STEP * WINDOW  # of the training solve, in time units


def data(series: int, observations: Sequence[int], context: Context, part: str) -> Observed:
    """Return series, and for each number of observations the window points at which each series is observed."""
    made = spirals(series, generator=context.generator("series", part)).to(context.device)
    drawn = [observation_indices(series, n, generator=context.generator("times", part, n)) for n in observations]
    return made, [indices.to(context.device) for indices in drawn]


def window_grid(steps: int) -> Hermite:
    """Return the interpolation from `steps` solver steps to the window's points."""
    return Hermite(times(0, WINDOW), span=SPAN, steps=steps)


def likelihood_noise(step: int, steps: int, settings: Any) -> float:
    """Return the standard deviation of the likelihood at a step: from `start_noise` geometrically down to the data's own."""
    share = min(1.0, step / max(1.0, settings.annealed * steps))
    return settings.start_noise ** (1 - share) * NOISE**share


def train_latent_ode(settings: Any, seen: Observed, context: Context) -> tuple[Trained, float]:
    """Train one latent ODE per number of observations by the ELBO, from the best of several starts; also the seconds in all."""
    weights = context.generator("weights", "latent_ode")
    model = LatentODE(settings.starts * len(settings.observations), generator=weights).to(context.device)
    seed, series, indices = context.seed_for("training noise"), seen[0], seen[1] * settings.starts
    first: TrainSettings = settings.latent_ode_starts
    wide = _elbo_loss(settings, (series, indices), context, first.batch, lambda step: settings.start_noise)
    tried = train_run(context, model, wide, first, seed=seed, of=settings, name="latent_ode_starts")
    chosen = best_starts(training_losses(tried.model, (series, indices), settings, context), settings.starts)
    second: TrainSettings = settings.latent_ode
    narrowed = _elbo_loss(settings, seen, context, second.batch, lambda step: likelihood_noise(step, second.steps, settings))
    trained = train_run(context, tried.model.selected(chosen).train(), narrowed, second, seed=seed, of=settings, name="latent_ode")
    return trained, tried.seconds + trained.seconds


def _elbo_loss(settings: Any, seen: Observed, context: Context, batch: int, noise_at: Any) -> Loss:
    """Return the loss of a step: the negative ELBOs of all models, one solve for all of them and the whole batch."""
    series, indices = seen
    draw = EpochSampler(len(series.clean), batch, context.seed_for("batches"))
    mask, grid = observed_mask(indices, WINDOW), window_grid(settings.solver_steps)

    def loss(model: nn.Module, step: int, generator: Generator) -> Tensor:
        chosen = draw(step).to(context.device)
        x = series.observed[chosen]
        posterior = model.encode(x, [each[chosen] for each in indices])
        noise = torch.randn(posterior.mean.shape, generator=generator, device=context.device)
        solution = model.solve(posterior.sample(noise), span=SPAN, steps=settings.solver_steps)
        return negative_elbo(model.decode(grid(solution)), x, mask[:, :, chosen], posterior, noise_at(step)).sum()

    return loss


@torch.no_grad()
def training_losses(model: LatentODE, seen: Observed, settings: Any, context: Context) -> Tensor:
    """Return every model's negative ELBO, likelihood at `start_noise`, over all training series."""
    series, indices = seen
    posterior = model.encode(series.observed, indices)
    noise = torch.randn(posterior.mean.shape, generator=context.generator("choice")).to(posterior.mean)
    solution = model.solve(posterior.sample(noise), span=SPAN, steps=settings.solver_steps)
    decoded = model.decode(window_grid(settings.solver_steps)(solution))
    return negative_elbo(decoded, series.observed, observed_mask(indices, WINDOW), posterior, settings.start_noise)


def best_starts(losses: Tensor, starts: int) -> list[int]:
    """Return, for each number of observations, which model has the lowest loss; models are in order [starts, observations]."""
    by_start = losses.unflatten(0, (starts, -1))
    return (by_start.argmin(0) * by_start.shape[1] + torch.arange(by_start.shape[1], device=losses.device)).tolist()


def train_forecaster(settings: Any, seen: Observed, context: Context) -> Trained:
    """Train both recurrent variants for every number of observations to predict the next observation."""
    series, indices = seen
    schedule: TrainSettings = settings.rnn
    draw = EpochSampler(len(series.clean), schedule.batch, context.seed_for("batches"))

    def loss(model: nn.Module, step: int, generator: Generator) -> Tensor:
        chosen = draw(step).to(context.device)
        return model.next_errors(series.observed[chosen], [each[chosen] for each in indices]).sum()

    model = Forecaster(settings.observations, generator=context.generator("weights", "rnn")).to(context.device)
    return train_run(context, model, loss, schedule, seed=context.seed_for("training noise"), of=settings, name="rnn")
