"""Latent ODEs against recurrent networks on irregularly observed spirals (Table 2, Figures 8-10)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.neural_ode import latent_training
from replications.neural_ode.latent_ode import LatentODE, Posterior, gaussian_kl
from replications.neural_ode.rnn_forecaster import VARIANTS
from replications.neural_ode.spirals import FUTURE, PAST, WINDOW, Spirals, times, turns_clockwise

VARIANT = ()
SHOWN = 6  # series kept for the figures
SWEEP = 9  # values of each latent coordinate that are decoded (Figure 9)


class Settings(Base):
    """Settings of the comparison."""

    observations: list[PositiveInt] = Field(default=[30, 50, 100], description="observed points of a window of 100")
    train_series: PositiveInt = Field(default=800, description="spirals to train on")
    test_series: PositiveInt = Field(default=200, description="spirals to judge on")
    solver_steps: PositiveInt = Field(description="Runge-Kutta steps per window in training")
    tolerance: PositiveFloat = Field(default=1.5e-8, description="atol = rtol of dopri5 when the latent ODE is judged")
    latent_ode: TrainSettings = Field(description="training of the latent ODEs")
    rnn: TrainSettings = Field(description="training of the recurrent networks")


def run(settings: Settings, context: Context) -> Outcome:
    """Train every model on the same series and observation times, then judge them against the clean test series."""
    seen = latent_training.data(settings.train_series, settings.observations, context, "train")
    series, indices = latent_training.data(settings.test_series, settings.observations, context, "test")
    trained = latent_training.train_latent_ode(settings, seen, context)
    rivals = latent_training.train_forecaster(settings, seen, context)
    model, forecaster = trained.model, rivals.model
    with torch.no_grad():
        posterior = model.encode(series.observed, indices)
        train_posterior = model.encode(seen[0].observed, seen[1])
    paths = decoded(model, posterior.mean, settings)
    forecasts = forecaster.forecast(series.observed, indices, FUTURE)
    rows = [
        *error_rows(paths, series, settings),
        *forecast_rows(forecasts, series, settings),
        *probe_rows(train_posterior, posterior, seen[0], series, settings),
        *time_rows(model, posterior.mean, settings),
    ]
    for index, n in enumerate(settings.observations):
        labels = {"dataset": "spirals", "method": "latent_ode", "axis": "observations", "at": n}
        rows.append(row("kl", gaussian_kl(posterior)[index].mean(), unit="nats", n=settings.test_series, **labels))
    for name, result in {"latent_ode": trained, "rnn": rivals}.items():
        rows.append(row("training_seconds", result.seconds, unit="s", method=name, n=getattr(settings, name).steps))
    swept = sweep(model, posterior, settings)
    rows.append(
        row("switching_coordinates", switching(swept), unit="coordinates", dataset="spirals", method="latent_ode", n=SWEEP)
    )
    arrays = figure_arrays(model, posterior, paths, forecasts, series, indices, settings, context)
    arrays |= {"sweep": swept.cpu().numpy().astype(np.float32)}
    arrays |= {"loss_latent_ode": trained.losses, "loss_step_latent_ode": trained.loss_steps}
    return Outcome(rows, arrays=arrays)


def decoded(model: LatentODE, start: Tensor, settings: Settings) -> Tensor:
    """Return decoded paths over past, window and future, [points, models, batch, 2], from latent states at time 0."""
    forward = model.adaptive(start, times(0, WINDOW + FUTURE), tolerance=settings.tolerance)
    back = model.adaptive(start, times(-PAST, 1).flip(0), tolerance=settings.tolerance)[1:].flip(0)
    with torch.no_grad():
        return model.decode(torch.cat([back, forward]).float())


def rmse(predicted: Tensor, clean: Tensor) -> Tensor:
    """Return every model's root-mean-square error per coordinate; [points, models, batch, 2] against [batch, points, 2]."""
    return (predicted - clean.transpose(0, 1)[:, None]).square().mean((0, 2, 3)).sqrt()


def error_rows(paths: Tensor, series: Spirals, settings: Settings) -> list[dict[str, Any]]:
    """Return the latent ODE's errors against the clean series in the past, the window and the future."""
    parts = {"past": slice(0, PAST), "window": slice(PAST, PAST + WINDOW), "future": slice(PAST + WINDOW, None)}
    rows = []
    for part, where in parts.items():
        errors = rmse(paths[where], series.clean[:, where])
        for n, error in zip(settings.observations, errors):
            labels = {"dataset": "spirals", "method": "latent_ode", "axis": "observations", "at": n}
            rows.append(row(f"{part}_rmse", error, unit="1", n=len(series.clean), **labels))
    # what standing still at the first point of the window would cost
    still = series.clean[:, PAST].expand(PAST, 1, -1, -1)
    error = rmse(still, series.clean[:, :PAST])[0]
    return [*rows, row("past_rmse", error, unit="1", dataset="spirals", method="standing_still", n=len(series.clean))]


def forecast_rows(forecasts: Tensor, series: Spirals, settings: Settings) -> list[dict[str, Any]]:
    """Return the recurrent networks' errors against the clean future."""
    errors = rmse(forecasts, series.clean[:, PAST + WINDOW :])
    labels = [(variant, n) for variant in VARIANTS for n in settings.observations]
    return [
        row("future_rmse", error, unit="1", n=len(series.clean), dataset="spirals", method=name, axis="observations", at=n)
        for (name, n), error in zip(labels, errors)
    ]


def probe_rows(
    train: Posterior, test: Posterior, train_series: Spirals, test_series: Spirals, settings: Settings
) -> list[dict[str, Any]]:
    """Return how well a linear classifier of posterior means tells the direction of unseen series."""
    from sklearn.linear_model import LogisticRegression

    rows = []
    for index, n in enumerate(settings.observations):
        probe = LogisticRegression(max_iter=1000).fit(train.mean[index].cpu(), train_series.clockwise.cpu())
        accuracy = probe.score(test.mean[index].cpu(), test_series.clockwise.cpu())
        labels = {"dataset": "spirals", "method": "latent_ode", "axis": "observations", "at": n}
        rows.append(row("direction_accuracy", accuracy, unit="1", n=len(test_series.clean), **labels))
    return rows


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
    series: Spirals,
    indices: Sequence[Tensor],
    settings: Settings,
    context: Context,
) -> dict[str, np.ndarray]:
    """Return what the figures show: a few series with all their predictions, and latent paths of many."""
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
