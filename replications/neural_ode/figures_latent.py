"""Figures and tables of Section 5, latent ODEs."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from common.measure.figure_data import stacked
from common.measure.figures import BLACK, BLUE, GREEN, GREY, VERMILION, Figure, RunFolder, Runs, Table, marked, mean_and_deviation

NAMES = {
    "latent_ode": "latent ODE",
    "rnn_gaps": "RNN with time gaps",
    "rnn": "RNN",
    "rnn_gaps_by_point": "RNN with time gaps, point by point",
    "rnn_by_point": "RNN, point by point",
    "window_mean": "mean of the observed points",
    "hold_last": "last observed point",
}
RATES = {
    "latent_ode": "latent ODE",
    "constant_rate": "best constant rates",
    "true_rate": "true rates",
    "latent_ode_by_training_solve": "latent ODE, by the coarse solve of its training",
}
PROBES = {
    ("latent_ode", "direction_accuracy"): "latent state, linear",
    ("latent_ode", "direction_accuracy_of_neighbours"): "latent state, nearest neighbours",
    ("one_observation", "direction_accuracy"): "one observation, linear",
    ("one_observation", "direction_accuracy_of_neighbours"): "one observation, nearest neighbours",
}
# rows that are no method, by what the table calls them
TRIVIAL = (NAMES["window_mean"], NAMES["hold_last"], *(said for (who, _), said in PROBES.items() if who == "one_observation"))
KINDS = {**dict.fromkeys(TRIVIAL, "baseline"), RATES["constant_rate"]: "baseline", RATES["true_rate"]: "floor"}
SERIES = ("series", "observations", "curve")  # what tells the curves of a figure's table apart
PAST, WINDOW = 25, 100  # points before and in the observed window, as in the arrays


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for run in runs.find("latent_spirals", seed=0):
        yield partial(forecasts, run)
        yield partial(reconstructions, run)
        yield partial(latent_paths, run)
        yield partial(sweeps, run)
    for run in runs.find("poisson_events", seed=0):
        yield partial(rates, run)


def tables(metrics: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables that the rows present allow."""
    rows = metrics[metrics.experiment == "latent_spirals"]
    if len(rows):
        caption = (
            "Cf. Table 2. RMSE over the 100 points after the window, against the clean series; mean ± s.d. over seeds. Networks "
            "are rolled out at the pace of the observations, or point by point."
        )
        yield marked(Table("spirals", "Forecasts of spirals", caption, by_observations(rows, "future_rmse")), KINDS, "model")
        caption = (
            "By which factor the networks' validation error still fell in the second half of their training (1: not at all); "
            f"mean ± s.d. over seeds. Their training took {training_time(rows)} times as long as the latent ODEs'."
        )
        yield Table("rivals", "Had the recurrent networks stopped improving?", caption, by_observations(rows, "late_gain"))
        caption = "Share of unseen series whose direction of rotation a classifier tells, from what; mean ± s.d. over seeds."
        yield marked(Table("probes", "Who tells the direction?", caption, probes(rows)), KINDS, "probe")
    events = metrics[(metrics.experiment == "poisson_events") & (metrics.metric == "log_likelihood")]
    if len(events):
        caption = "Log-likelihood in nats per held-out sequence; mean ± s.d. over seeds."
        yield marked(Table("events", "Held-out events", caption, likelihoods(events)), KINDS, "rates")


def by_observations(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return models x numbers of observations."""
    rows = rows[rows.metric == metric]
    table = rows.groupby(["method", "at"]).value.agg(mean_and_deviation).unstack("at").reindex([*NAMES]).dropna(how="all")
    table.columns = [f"{n:g} of {WINDOW}" for n in table.columns]
    return table.rename(index=NAMES).rename_axis("model").reset_index()


def training_time(rows: pd.DataFrame) -> str:
    """Return the ratio of the trainings' wall times, mean over seeds."""
    return f"{rows[rows.metric == 'training_time_ratio'].value.mean():.2g}"


def probes(rows: pd.DataFrame) -> pd.DataFrame:
    """Return probes x numbers of observations."""
    rows = rows[rows.metric.str.startswith("direction_accuracy")]
    table = rows.groupby(["method", "metric", "at"]).value.agg(mean_and_deviation).unstack("at").reindex([*PROBES])
    table.columns = [f"{n:g} of {WINDOW}" for n in table.columns]
    return table.set_axis([*PROBES.values()]).rename_axis("probe").reset_index()


def likelihoods(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the log-likelihood of learned, constant and true rates."""
    table = rows.groupby("method").value.agg(mean_and_deviation).reindex([*RATES]).rename(index=RATES)
    return table.rename_axis("rates").rename("log-likelihood").reset_index()


def forecasts(run: RunFolder) -> Figure:
    """Reconstruction and forecast from the fewest observations: recurrent network, and a posterior draw (Figure 8a, b)."""
    arrays, observations = run.arrays, run.info["settings"]["observations"]
    shown = min(4, len(arrays["clean"]))
    figure, axes = plt.subplots(2, shown, figsize=(2.4 * shown, 5), squeeze=False)
    data = {}
    for k in range(shown):
        for axis in axes[:, k]:
            data |= _series(axis, arrays, k, observations[0])
        forecast, draw = arrays["forecasts"][:, 0, k], arrays["draws"][PAST:, 0, k]
        axes[0, k].plot(*forecast.T, color=VERMILION, label="forecast")
        axes[1, k].plot(*draw[:WINDOW].T, color=BLUE, label="reconstruction")
        axes[1, k].plot(*draw[WINDOW - 1 :].T, color=VERMILION, label="forecast")
        data |= {(k, observations[0], "RNN with time gaps"): forecast.T, (k, observations[0], "latent ODE"): draw.T}
    axes[0, 0].set_ylabel("RNN with time gaps")
    axes[1, 0].set_ylabel("latent ODE")
    figure.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return Figure(
        "forecasts",
        "Reconstruction and forecast of spirals",
        f"Cf. Figure 8a, b. {observations[0]} of {WINDOW} points observed; the network is rolled out at their pace, the latent "
        "ODE decodes a posterior draw. Seed 0.",
        f"Spirals in the plane, {shown} columns: clean curve, observed points and forecast, above by a recurrent network, "
        "below by the latent ODE with its reconstruction.",
        figure,
        runs=[run],
        data=stacked(data, SERIES, ("x", "y")),
    )


def reconstructions(run: RunFolder) -> Figure:
    """Reconstructions of the same series from different numbers of observations (Figure 10)."""
    arrays, observations = run.arrays, run.info["settings"]["observations"]
    shown = min(4, len(arrays["clean"]))
    figure, axes = plt.subplots(len(observations), shown, figsize=(2.2 * shown, 2.2 * len(observations)), squeeze=False)
    data = {}
    for line, (index, n) in zip(axes, enumerate(observations)):
        for k, axis in enumerate(line):
            decoded = arrays["means"][PAST : PAST + WINDOW, index, k].T
            axis.plot(*decoded, color=BLUE)
            data |= {**_series(axis, arrays, k, n), (k, n, "latent ODE"): decoded}
        line[0].set_ylabel(f"{n} of {WINDOW} observed")
    return Figure(
        "reconstructions",
        "Reconstructions from different numbers of observations",
        "Cf. Figure 10. Decoded posterior means inside the window (blue), the clean curve (black), observed points; seed 0.",
        f"Grid of spirals: rows {', '.join(map(str, observations))} observed points, columns the series.",
        figure,
        runs=[run],
        data=stacked(data, SERIES, ("x", "y")),
    )


def latent_paths(run: RunFolder) -> Figure:
    """Latent paths projected on the plane in which they differ most, coloured by direction (Figure 8c)."""
    paths = run.arrays["latent_paths"][:, 0]
    clockwise = run.arrays["clockwise"][: paths.shape[1]]
    centred = paths - paths.mean((0, 1))
    _, _, axes_of = np.linalg.svd(centred[0], full_matrices=False)
    plane = centred @ axes_of[:2].T
    figure, axis = plt.subplots(figsize=(4.4, 3.8))
    for turns, colour, label in ((True, BLUE, "clockwise"), (False, VERMILION, "counter-clockwise")):
        mine = plane[:, clockwise == turns]
        axis.plot(*mine.transpose(2, 0, 1), color=colour, alpha=0.35, linewidth=0.8)
        axis.scatter(*mine[0].T, s=10, color=colour, label=f"start, {label}")
    axis.set(xlabel="first principal axis of the starts", ylabel="second principal axis")
    figure.legend(loc="outside lower center", ncols=2)
    return Figure(
        "latent-paths",
        "Latent paths",
        "Cf. Figure 8c. Four-dimensional latent paths of unseen series on the two axes in which their starts vary most; "
        "dots: posterior means; seed 0, fewest observations.",
        "Latent paths in a plane, coloured by direction of rotation, with a dot at the start of each.",
        figure,
        runs=[run],
        data=stacked(
            {(k, "clockwise" if turns else "counter-clockwise"): plane[:, k].T for k, turns in enumerate(clockwise)},
            ("series", "direction"),
            ("first axis", "second axis"),
        ),
    )


def sweeps(run: RunFolder) -> Figure:
    """Decoded windows while one coordinate of the latent start moves (Figure 9)."""
    swept = run.arrays["sweep"]
    figure, axes = plt.subplots(1, len(swept), figsize=(2.4 * len(swept), 2.6), squeeze=False)
    shades = plt.get_cmap("cividis")(np.linspace(0, 0.95, swept.shape[1]))
    for k, (axis, curves) in enumerate(zip(axes[0], swept)):
        for curve, shade in zip(curves, shades):
            axis.plot(*curve.T, color=shade)
            axis.scatter(*curve[0], color=[shade], s=12)
        axis.set(title=f"coordinate {k + 1}", aspect="equal", xticks=[], yticks=[])
    return Figure(
        "sweeps",
        "Moving one latent coordinate",
        "Cf. Figure 9. Decoded windows while one coordinate of the latent start moves across the posterior means' range, dark to "
        "light; dots mark the starts; seed 0.",
        "One panel for each latent coordinate with decoded curves, shaded by the coordinate's value.",
        figure,
        runs=[run],
        data=stacked(
            {(k + 1, step): curve.T for k, curves in enumerate(swept) for step, curve in enumerate(curves)},
            ("coordinate", "step from low to high"),
            ("x", "y"),
        ),
    )


def rates(run: RunFolder) -> Figure:
    """Learned and true rates, with the events that were learned from (Figure 7)."""
    arrays = run.arrays
    names = [key.removeprefix("events_") for key in arrays if key.startswith("events_")]
    figure, axes = plt.subplots(1, len(names), figsize=(4.2 * len(names), 2.8), squeeze=False)
    data = {}
    for axis, name, true, learned in zip(axes[0], names, arrays["true"], arrays["learned"]):
        data |= {(name, "true"): (arrays["times"], true), (name, "learned"): (arrays["times"], learned)}
        axis.plot(arrays["times"], true, color=BLACK, label="true rate")
        axis.plot(arrays["times"], learned, color=BLUE, label="learned rate")
        events = arrays[f"events_{name}"]
        # they are in order of time: every k-th one shows where they crowd
        shown = events[:: max(1, len(events) // 200)]
        axis.plot(shown, np.full(len(shown), -0.6), "|", color=GREY, markersize=6, label="events, thinned")
        axis.set(title=name, xlabel="time", ylabel="events per unit of time")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return Figure(
        "rates",
        "Rates of two Poisson processes",
        "Cf. Figure 7. Simulated events of two kinds, the rates that made them, and the rates learned; seed 0. Ticks: one event "
        "in several.",
        "Line plots of true and learned rate against time for both processes, with tick marks at events.",
        figure,
        runs=[run],
        data=stacked(data, ("process", "rate"), ("time", "events per unit of time")),
        arrays="arrays.npz",
    )


def _series(axis: Axes, arrays: dict[str, np.ndarray], k: int, n: int) -> dict[tuple[int, int, str], np.ndarray]:
    """Draw one clean series from the window's start on, and its observed points; return both by the names in `SERIES`."""
    seen = arrays["observed"][k][arrays[f"indices_{n}"][k]].T
    clean = arrays["clean"][k, PAST:].T
    axis.plot(*clean, color=BLACK, linewidth=0.9, label="clean")
    axis.scatter(*seen, s=8, color=GREEN, zorder=3, label="observed")
    axis.set(aspect="equal", xticks=[], yticks=[])
    return {(k, n, "clean"): clean, (k, n, "observed"): seen}
