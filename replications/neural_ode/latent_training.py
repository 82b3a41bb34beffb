"""Train latent ODEs and their rivals on the same series, batches and observation times (Chen 2018, Section 5.1).

The likelihood starts wider than the data's noise and is narrowed during the training: the more points are observed, the
sharper it is and the less the prior holds the latent paths together, and many a training ends in a poor minimum.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from common.learning.data.batches import EpochSampler
from common.learning.training.loop import Trained
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


def likelihood_noise(step: int, settings: Any) -> float:
    """Return the standard deviation of the likelihood at a step: from `start_noise` geometrically down to the data's own."""
    share = min(1.0, step / max(1.0, settings.annealed * settings.latent_ode.steps))
    return settings.start_noise ** (1 - share) * NOISE**share


def train_latent_ode(settings: Any, seen: Observed, context: Context) -> Trained:
    """Train one latent ODE per number of observations by the ELBO, one solve for all of them and the whole batch."""
    series, indices = seen
    schedule: TrainSettings = settings.latent_ode
    draw = EpochSampler(len(series.clean), schedule.batch, context.seed_for("batches"))
    mask, grid = observed_mask(indices, WINDOW), window_grid(settings.solver_steps)
    model = LatentODE(len(settings.observations), generator=context.generator("weights", "latent_ode")).to(context.device)
    inputs = model.inputs(series.observed, indices)

    def loss(model: nn.Module, step: int, generator: Generator) -> Tensor:
        chosen = draw(step).to(context.device)
        x = series.observed[chosen]
        posterior = model.encode(inputs.index_select(2, chosen))
        noise = torch.randn(posterior.mean.shape, generator=generator, device=context.device)
        solution = model.solve(posterior.sample(noise), span=SPAN, steps=settings.solver_steps)
        wide = likelihood_noise(step, settings)
        return negative_elbo(model.decode(grid(solution)), x, mask[:, :, chosen], posterior, wide).sum()

    return train_run(context, model, loss, schedule, seed=context.seed_for("training noise"), of=settings, name="latent_ode")


def train_forecaster(settings: Any, seen: Observed, context: Context) -> Trained:
    """Train both recurrent variants for every number of observations to predict the next observation."""
    series, indices = seen
    schedule: TrainSettings = settings.rnn
    draw = EpochSampler(len(series.clean), schedule.batch, context.seed_for("batches"))
    model = Forecaster(settings.observations, generator=context.generator("weights", "rnn")).to(context.device)
    inputs = model.inputs(series.observed, indices)

    def loss(model: nn.Module, step: int, generator: Generator) -> Tensor:
        return model.next_errors(inputs.index_select(2, draw(step).to(context.device))).sum()

    return train_run(context, model, loss, schedule, seed=context.seed_for("training noise"), of=settings, name="rnn")
