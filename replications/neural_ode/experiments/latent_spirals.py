"""Latent ODEs against recurrent networks on irregularly observed spirals (Table 2, Figures 8-10)."""

from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.learning.training.loop import Trained
from common.learning.training.settings import Fraction, TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.neural_ode import latent_training, rival_choice, spiral_scores
from replications.neural_ode.latent_ode import LatentODE, Posterior
from replications.neural_ode.spirals import FUTURE, PAST, WINDOW, times, turns_clockwise

VARIANT = ()
SHOWN = 6  # series kept for the figures
SWEEP = 9  # values of each latent coordinate that are decoded (Figure 9)


class Settings(Base):
    """Settings of the comparison."""

    observations: list[PositiveInt] = Field(default=[30, 50, 100], description="observed points of a window of 100")
    train_series: PositiveInt = Field(default=800, description="spirals to train on")
    validation_series: PositiveInt = Field(default=200, description="spirals by which the rivals' best states are chosen")
    test_series: PositiveInt = Field(default=500, description="spirals to judge on")
    solver_steps: PositiveInt = Field(description="Runge-Kutta steps per window in training")
    tolerance: PositiveFloat = Field(default=1.5e-8, description="atol = rtol of dopri5 when the latent ODE is judged")
    start_noise: PositiveFloat = Field(default=0.2, description="standard deviation of the likelihood that training starts from")
    annealed: Fraction = Field(default=0.7, description="share of the training in which it falls to the data's own")
    latent_ode: TrainSettings = Field(description="training of the latent ODEs")
    rnn: TrainSettings = Field(description="training of the recurrent networks; its snapshots are the states to choose from")


def run(settings: Settings, context: Context) -> Outcome:
    """Train every model on the same series and observation times, then judge them against the clean test series."""
    seen = latent_training.data(settings.train_series, settings.observations, context, "train")
    test = latent_training.data(settings.test_series, settings.observations, context, "test")
    trained = latent_training.train_latent_ode(settings, seen, context)
    rivals = latent_training.train_forecaster(settings, seen, context)
    model = trained.model
    with torch.no_grad():
        posterior = model.encode(model.inputs(test[0].observed, test[1]))
        train_posterior = model.encode(model.inputs(seen[0].observed, seen[1]))
    paths = decoded(model, posterior.mean, settings)
    forecasts, rival_rows = rival_forecasts(rivals, test, settings, context)
    swept = sweep(model, posterior, settings)
    rows = [
        *spiral_scores.error_rows(paths, test[0], settings.observations),
        *spiral_scores.baseline_rows(test, settings.observations),
        *rival_rows,
        *spiral_scores.probe_rows(train_posterior.mean, posterior.mean, seen, test, settings.observations),
        *spiral_scores.kl_rows(posterior, settings.observations),
        *time_rows(model, posterior.mean, settings),
        row("switching_coordinates", switching(swept), unit="coordinates", dataset="spirals", method="latent_ode", n=SWEEP),
        row("training_seconds", trained.seconds, unit="s", method="latent_ode", n=settings.latent_ode.steps),
        row("training_seconds", rivals.seconds, unit="s", method="rnn", n=settings.rnn.steps),
        row("training_time_ratio", rivals.seconds / trained.seconds, unit="1", method="rnn"),
    ]
    arrays = figure_arrays(model, posterior, paths, forecasts, test, settings, context)
    arrays |= {"sweep": swept.cpu().numpy().astype(np.float32)}
    arrays |= {"loss_latent_ode": trained.losses, "loss_step_latent_ode": trained.loss_steps}
    return Outcome(rows, arrays=arrays)


def rival_forecasts(
    trained: Trained, test: latent_training.Observed, settings: Settings, context: Context
) -> tuple[Tensor, list[dict[str, Any]]]:
    """Return the rivals' forecasts at the observations' pace, and the errors of both ways of rolling out.

    Every variant is taken from the state of its training that forecasts validation series best.
    """
    held, held_indices = latent_training.data(settings.validation_series, settings.observations, context, "validation")
    passed = rival_choice.states(trained.model, context.out, settings.rnn.snapshot_steps())
    ways = {
        "": lambda model, x, indices: model.paced_forecast(x, indices, FUTURE),
        "_by_point": lambda model, x, indices: model.forecast(x, indices, FUTURE),
    }
    rows, found = [], {}
    for way, forecast in ways.items():
        choice = rival_choice.best_state(
            passed, lambda state, of=forecast: of(state, held.observed, held_indices), held.clean[:, PAST + WINDOW :]
        )
        found[way] = forecast(choice.best, test[0].observed, test[1])
        rows += spiral_scores.forecast_rows(found[way], test[0], settings.observations, way)
        rows += spiral_scores.gain_rows(rival_choice.late_gain(choice.errors), settings.observations, way)
    return found[""], rows


def decoded(model: LatentODE, start: Tensor, settings: Settings) -> Tensor:
    """Return decoded paths over past, window and future, [points, models, batch, 2], from latent states at time 0."""
    forward = model.adaptive(start, times(0, WINDOW + FUTURE), tolerance=settings.tolerance)
    back = model.adaptive(start, times(-PAST, 1).flip(0), tolerance=settings.tolerance)[1:].flip(0)
    with torch.no_grad():
        return model.decode(torch.cat([back, forward]).float())


def time_rows(model: LatentODE, start: Tensor, settings: Settings) -> list[dict[str, Any]]:
    """Return how far a solve that stops half-way and starts anew, its clock at 0, ends from one that does not stop."""
    half, whole = times()[[0, WINDOW // 2]], times()[[0, WINDOW]]
    middle = model.adaptive(start, half, tolerance=settings.tolerance)[-1]
    again = model.adaptive(middle, half, tolerance=settings.tolerance)[-1]
    direct = model.adaptive(start, whole, tolerance=settings.tolerance)[-1]
    error = (again - direct).norm() / direct.norm()
    grid = latent_training.window_grid(settings.solver_steps)
    with torch.no_grad():
        fixed = grid(model.solve(start, span=latent_training.SPAN, steps=settings.solver_steps))
    exact = model.adaptive(start, times(0, WINDOW), tolerance=settings.tolerance)
    shared = {"dataset": "spirals", "method": "latent_ode"}
    return [
        row("restart_error", error, unit="1", **shared),
        row(
            "training_solver_error", (fixed - exact).norm() / exact.norm(), unit="1", nfe=4 * settings.solver_steps + 1, **shared
        ),
    ]


def sweep(model: LatentODE, posterior: Posterior, settings: Settings) -> Tensor:
    """Return decoded windows with one coordinate of z_0 moved across the posterior means' range (Figure 9).

    [coordinates, values, window, 2], of the model with most observations, around the first test series.
    """
    index = len(settings.observations) - 1
    means = posterior.mean[index]
    low, high = means.amin(0), means.amax(0)
    starts = means[0].expand(model.latent, SWEEP, -1).clone()
    for k in range(model.latent):
        starts[k, :, k] = torch.linspace(float(low[k]), float(high[k]), SWEEP, device=means.device)
    flat = starts.flatten(0, 1).expand(len(settings.observations), -1, -1)
    with torch.no_grad():
        path = model.decode(model.adaptive(flat, times(0, WINDOW), tolerance=settings.tolerance).float())
    return path[:, index].transpose(0, 1).unflatten(0, (model.latent, SWEEP))


def switching(swept: Tensor) -> int:
    """Return along how many coordinates the decoded curve changes its direction of rotation."""
    clockwise = turns_clockwise(swept)
    return int((clockwise.any(1) & ~clockwise.all(1)).sum())


def figure_arrays(
    model: LatentODE,
    posterior: Posterior,
    paths: Tensor,
    forecasts: Tensor,
    test: latent_training.Observed,
    settings: Settings,
    context: Context,
) -> dict[str, np.ndarray]:
    """Return what the figures show: a few series with all their predictions, and latent paths of many."""
    series, indices = test
    noise = torch.randn(posterior.mean.shape, generator=context.generator("posterior")).to(posterior.mean)
    drawn = decoded(model, posterior.sample(noise)[:, :SHOWN], settings)
    latent = model.adaptive(posterior.mean[:, :100], times(0, WINDOW)[::4], tolerance=settings.tolerance)
    found = {
        "clean": series.clean[:SHOWN],
        "observed": series.observed[:SHOWN],
        "clockwise": series.clockwise[:100],
        "means": paths[:, :, :SHOWN],
        "draws": drawn,
        "forecasts": forecasts[:, :, :SHOWN],
        "latent_paths": latent,
    }
    found |= {f"indices_{n}": chosen[:SHOWN] for n, chosen in zip(settings.observations, indices)}
    small = {name: tensor.cpu().numpy() for name, tensor in found.items()}
    return {name: array.astype(np.float32) if array.dtype == np.float64 else array for name, array in small.items()}
