"""What is measured on the spirals: errors, trivial baselines, and who tells the direction of rotation."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from common.runs.folders import row
from replications.neural_ode.latent_ode import Posterior, gaussian_kl
from replications.neural_ode.rnn_forecaster import VARIANTS
from replications.neural_ode.spirals import PAST, WINDOW, Spirals

Observed = tuple[Spirals, list[Tensor]]
Rows = list[dict[str, Any]]
NEIGHBOURS = 15


def rmse_row(metric: str, predicted: Tensor, clean: Tensor, **labels: Any) -> dict[str, Any]:
    """Return the RMSE per coordinate of [points, batch, 2] against [batch, points, 2], with its error from the series drawn."""
    squares = (predicted - clean.transpose(0, 1)).double().square().mean((0, 2))
    value = squares.mean().sqrt()
    error = squares.std() / len(squares) ** 0.5 / (2 * value) if len(squares) > 1 else torch.tensor(float("nan"))
    return row(metric, value, unit="1", dataset="spirals", n=len(clean), error=float(error), **labels)


def at(method: str, n: int) -> dict[str, Any]:
    """Return the labels of a method that was given n observations."""
    return {"method": method, "axis": "observations", "at": n}


def error_rows(paths: Float[Tensor, "points models batch 2"], series: Spirals, observations: Sequence[int]) -> Rows:
    """Return the latent ODE's errors against the clean series in the past, the window and the future."""
    parts = {"past": slice(0, PAST), "window": slice(PAST, PAST + WINDOW), "future": slice(PAST + WINDOW, None)}
    rows = [
        rmse_row(f"{part}_rmse", paths[where, index], series.clean[:, where], **at("latent_ode", n))
        for part, where in parts.items()
        for index, n in enumerate(observations)
    ]
    # what standing still at the first point of the window would cost
    still = series.clean[:, PAST].expand(PAST, -1, -1)
    return [*rows, rmse_row("past_rmse", still, series.clean[:, :PAST], method="standing_still")]


def baseline_rows(test: Observed, observations: Sequence[int]) -> Rows:
    """Return the forecast errors of holding the last observed point, and of the mean of the observed points."""
    series, indices = test
    future = series.clean[:, PAST + WINDOW :]
    rows = []
    for n, chosen in zip(observations, indices):
        seen = series.observed.gather(1, chosen[..., None].expand(-1, -1, 2))
        for method, point in (("hold_last", seen[:, -1]), ("window_mean", seen.mean(1))):
            rows.append(rmse_row("future_rmse", point.expand(future.shape[1], -1, -1), future, **at(method, n)))
    return rows


def forecast_rows(
    forecasts: Float[Tensor, "points models batch 2"], series: Spirals, observations: Sequence[int], way: str
) -> Rows:
    """Return the recurrent networks' errors against the clean future; `way` is the ending of the methods' names."""
    labels = [at(variant + way, n) for variant in VARIANTS for n in observations]
    future = series.clean[:, PAST + WINDOW :]
    return [rmse_row("future_rmse", forecasts[:, model], future, **label) for model, label in enumerate(labels)]


def gain_rows(gains: Float[Tensor, " models"], observations: Sequence[int], way: str) -> Rows:
    """Return by which factor the rivals' best validation error fell in the second half of their training; 1 = not at all."""
    labels = [at(variant + way, n) for variant in VARIANTS for n in observations]
    return [row("late_gain", gain, unit="1", dataset="spirals", **label) for gain, label in zip(gains, labels)]


def probe_rows(
    train_means: Float[Tensor, "models train latent"],
    test_means: Float[Tensor, "models test latent"],
    train: Observed,
    test: Observed,
    observations: Sequence[int],
) -> Rows:
    """Return how well classifiers tell the direction of unseen series, from posterior means and from one observed point.

    A linear one, which is what groups that lie apart allow, and the nearest neighbours, which find whatever is there.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    rows = []
    for index, n in enumerate(observations):
        inputs = {
            "latent_ode": (train_means[index], test_means[index]),
            "one_observation": (first_observed(train, index), first_observed(test, index)),
        }
        for method, (known, unseen) in inputs.items():
            directions = train[0].clockwise.cpu(), test[0].clockwise.cpu()
            neighbours = min(NEIGHBOURS, len(known))
            probes = {
                "direction_accuracy": LogisticRegression(max_iter=1000),
                "direction_accuracy_of_neighbours": KNeighborsClassifier(neighbours),
            }
            for metric, probe in probes.items():
                accuracy = probe.fit(known.cpu(), directions[0]).score(unseen.cpu(), directions[1])
                rows.append(row(metric, accuracy, unit="1", n=len(unseen), dataset="spirals", **at(method, n)))
    return rows


def first_observed(seen: Observed, index: int) -> Float[Tensor, "batch 2"]:
    """Return every series' first observed point."""
    series, indices = seen
    first = indices[index][:, :1, None].expand(-1, -1, 2)
    return series.observed.gather(1, first)[:, 0]


def kl_rows(posterior: Posterior, observations: Sequence[int]) -> Rows:
    """Return the mean divergence of posterior from prior: how much the latent ODE keeps of a series."""
    means = gaussian_kl(posterior).mean(1)
    return [
        row("kl", mean, unit="nats", n=posterior.mean.shape[1], dataset="spirals", **at("latent_ode", n))
        for n, mean in zip(observations, means)
    ]
