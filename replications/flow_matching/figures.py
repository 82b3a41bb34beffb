"""Figures and tables of the report, drawn from run folders; nothing here trains or samples."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from common.measure.figure_data import measured, stacked
from common.measure.figures import Figure, RunFolder, Runs, colour, frame, mean_and_range, plain_ticks
from common.measure.image_lines import image_lines
from replications.flow_matching.names import NAMES
from replications.flow_matching.report_tables import tables

__all__ = ["figures", "tables"]

DRAWN = 1500  # points of a panel: more of them would run together
LISTED = 300  # points of a panel that go into the figure's table; the run's arrays hold all
PANEL = 1.55  # inches of a small square: six beside one another fill the page


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield what draws the paper's figures that the runs present allow; one that fails leaves the others alone."""
    if runs.find("train", paper="common"):
        yield partial(training_curves, runs)
    for run in runs.find("toy_2d", seed=0):
        yield partial(trajectories, run)
        yield partial(few_evaluations, run)
    if runs.find("exact_paths"):
        yield partial(conditional_paths, runs.find("exact_paths")[0])
        yield partial(exact_paths, runs)
    for run in runs.find("table1", seed=0):
        yield partial(samples, run)
    for draw, experiment in ((solver_error, "solver_error"), (during_training, "during_training")):
        for dataset in dict.fromkeys(run.info["dataset"] for run in runs.find(experiment)):
            yield partial(draw, runs, dataset)
    for run in runs.find("upsampling", seed=0):
        yield partial(upsampled, run)


def training_curves(runs: Runs) -> Figure:
    """Loss against step, seed 0. Losses of different objectives do not compare: their targets differ."""
    found = [run for run in runs.find("train", paper="common", seed=0) if run.info["settings"]["objective"] in NAMES]
    datasets = sorted({run.info["dataset"] for run in found})
    figure, axes = plt.subplots(1, len(datasets), figsize=(4.2 * len(datasets), 3), squeeze=False)
    data = {}
    for axis, dataset in zip(axes[0], datasets):
        for run in found:
            if run.info["dataset"] == dataset:
                objective = run.info["settings"]["objective"]
                data[dataset, objective] = curve = (run.arrays["loss_step"], run.arrays["loss"])
                axis.plot(*curve, label=NAMES[objective], color=colour(objective))
        axis.set(title=dataset, xlabel="step", ylabel="training loss", yscale="log")
    # outside: the curves fill the panels
    figure.legend(*axes[0][-1].get_legend_handles_labels(), loc="outside lower center", ncols=len(NAMES))
    return Figure(
        "training",
        "Training curves",
        "Training loss, seed 0. Losses do not compare between objectives: each regresses another target.",
        f"Line plots of the training loss against step for {', '.join(datasets)}, one line per objective.",
        figure,
        runs=found,
        data=stacked(data, ("dataset", "objective"), ("step", "loss")),
    )


def trajectories(run: RunFolder) -> Figure:
    """Samples of every objective along the paper's time (Figure 4, left)."""
    names = [key.removeprefix("trajectory_") for key in run.arrays if key.startswith("trajectory_")]
    times, dataset = run.arrays["paper_times"].tolist(), run.info["dataset"]
    panels = {(name, time): points for name in names for time, points in zip(times, run.arrays[f"trajectory_{name}"])}
    return Figure(
        f"trajectories-{dataset}",
        f"From noise to data: {dataset}",
        "Cf. Figure 4, left, and Figure 9. Samples along the paper's time (0 noise, 1 data), dopri5, shared noise, seed 0.",
        f"Grid of scatter plots: rows {', '.join(NAMES[n] for n in names)}; columns times from noise to {dataset}.",
        scatter_grid(panels, names, {time: f"t = {time:g}" for time in times}),
        runs=[run],
        data=listed(panels, ("objective", "t")),
        arrays="arrays.npz",
    )


def few_evaluations(run: RunFolder) -> Figure:
    """Midpoint samples at few evaluations (Figure 4, right)."""
    names, counts, dataset = run.info["settings"]["objectives"], run.info["settings"]["nfe"], run.info["dataset"]
    panels = {(name, nfe): run.arrays[f"midpoint{nfe}_{name}"] for name in names for nfe in counts}
    return Figure(
        f"few-evaluations-{dataset}",
        f"Few evaluations: {dataset}",
        "Cf. Figure 4, right. Midpoint samples, shared noise, seed 0.",
        f"Grid of scatter plots: rows {', '.join(NAMES[n] for n in names)}; columns numbers of midpoint evaluations.",
        scatter_grid(panels, names, {nfe: f"NFE {nfe}" for nfe in counts}),
        runs=[run],
        data=listed(panels, ("objective", "NFE")),
        arrays="arrays.npz",
    )


def listed(panels: dict, keys: tuple[str, str]) -> pd.DataFrame:
    """Return the first points of every panel as a table."""
    return stacked({names: points[:LISTED].T for names, points in panels.items()}, keys, ("x", "y"), digits=3)


def scatter_grid(panels: dict, names: list[str], columns: dict[float, str]) -> plt.Figure:
    """Draw points by (method, column) in [-4.6, 4.6]^2, a row for each method, the columns under their titles."""
    size = (PANEL * len(columns), PANEL * len(names))
    figure, axes = plt.subplots(len(names), len(columns), figsize=size, squeeze=False)
    for line, name in zip(axes, names):
        for axis, column in zip(line, columns):
            points = panels[name, column][:DRAWN].astype(np.float32).T
            axis.scatter(*points, s=1.8, alpha=0.6, linewidths=0, color=colour(name), rasterized=True)
            axis.set(xlim=(-4.6, 4.6), ylim=(-4.6, 4.6), xticks=[], yticks=[], aspect="equal")
            axis.spines[:].set_visible(False)
        line[0].set_ylabel(NAMES[name])
    for axis, title in zip(axes[0], columns.values()):
        axis.set_title(title)
    return figure


def conditional_paths(run: RunFolder) -> Figure:
    """Points on their way from noise to data on either conditional path, in motion (Figure 3)."""
    paths = {method: run.arrays[f"conditional_{method}"] for method in ("fm_ot", "fm_vp")}
    times = np.linspace(0, 1, len(paths["fm_ot"]))
    figure, axes = plt.subplots(1, len(paths), figsize=(4.6, 2.6), sharex=True, sharey=True)
    moving = []
    for axis, (method, path) in zip(axes, paths.items()):
        axis.scatter(*path[0].T, color="0.6", s=12, zorder=3)
        axis.scatter(*path[-1].T, color="black", s=8, zorder=4)
        axis.set(xticks=[], yticks=[], aspect="equal", title=NAMES[method], xlabel="t")
        trails = axis.plot(*path.transpose(2, 0, 1), color=colour(method), linewidth=1.2)
        moving.append((path, trails, axis.plot(*path[-1].T, "o", color=colour(method), markersize=5, zorder=3)[0]))

    def at(index: int) -> np.ndarray:
        for axis, (path, trails, dots) in zip(axes, moving):
            axis.set_xlabel(f"t = {times[index]:.2f}")
            dots.set_data(*path[index].T)
            for trail, points in zip(trails, path[: index + 1].transpose(1, 2, 0)):
                trail.set_data(*points)
        return frame(figure)

    return Figure(
        "conditional-paths",
        "Conditional paths in motion",
        "Cf. Figure 3. The same pairs of noise (grey) and data (black) on both conditional paths, along the paper's time.",
        "Twelve points move from noise to data: on straight lines at constant speed for OT; for diffusion on curves that hardly "
        "start at first, pass their ends and come back.",
        figure,
        runs=[run],
        data=stacked(
            {(method, pair): (times, *path[:, pair].T) for method, path in paths.items() for pair in range(path.shape[1])},
            ("path", "pair"),
            ("t", "x", "y"),
        ),
        frames=[at(index) for index in range(0, len(times), 3)],
    )


def exact_paths(runs: Runs) -> Figure:
    """How early the marginals show the board, and midpoint error against NFE: exact, without a network."""
    found = runs.find("exact_paths")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.2))
    arrays = found[0].arrays
    shares = {method: (arrays["paper_time"], arrays[f"off_board_{method}"]) for method in ("fm_ot", "fm_vp")}
    for method, share in shares.items():
        left.plot(*share, color=colour(method), label=NAMES[method])
    left.set(xlabel="paper's time t (0 noise, 1 data)", ylabel="mass off the board at its own scale")
    left.legend()
    rows = pd.concat([run.metrics for run in found])
    rows = rows[rows.variant == "midpoint"]
    curves(right, rows, "solver_mse", ("fm_ot", "fm_vp"))
    right.set(xscale="log", yscale="log", xlabel="NFE (midpoint)", ylabel="MSE to a tight solve")
    plain_ticks(right.xaxis)
    off_board = stacked(shares, ("method",), ("at", "value")).assign(metric="off_board", axis="paper's time")
    return Figure(
        "exact-paths",
        "The paths themselves: exact fields of the checkerboard",
        "Cf. Figures 4 and 7, without a network. Left: how early the marginals show the pattern. Right: midpoint error; bands "
        "span the seeds.",
        "Left: line plot of the share of mass off the board against time for both paths. Right: log-log plot of the midpoint "
        "error against NFE for both paths.",
        figure,
        runs=found,
        data=pd.concat([off_board, measured(rows, "solver_mse")], ignore_index=True),
    )


def curves(axis: plt.Axes, rows: pd.DataFrame, metric: str, methods: Iterable[str]) -> None:
    """Draw a metric along its axis, with a band over seeds."""
    for method in methods:
        mine = rows[(rows.metric == metric) & (rows.method == method)]
        if len(mine):
            mean_and_range(axis, mine.pivot_table(index="at", columns="seed", values="value"), colour(method), NAMES[method])


def samples(run: RunFolder) -> Figure:
    """First samples of every objective, from the same noise."""
    arrays = run.samples
    names = list(arrays)
    figure, axes = plt.subplots(len(names), 1, figsize=(8, 1.15 * len(names)), squeeze=False)
    for (axis,), name in zip(axes, names):
        image_lines(axis, arrays[name][:30], NAMES[name])
    dataset = run.info["dataset"]
    return Figure(
        f"samples-{dataset}",
        f"Samples: {dataset}",
        "Not curated: the first 30 samples of dopri5 from the same noise, seed 0.",
        f"Rows of generated {dataset} images, two rows for each of {', '.join(NAMES[n] for n in names)}.",
        figure,
        runs=[run],
        arrays="samples.npz",
        photographic=True,
    )


def solver_error(runs: Runs, dataset: str) -> Figure:
    """Error of midpoint and Fréchet distance of three solvers against NFE (Figure 7)."""
    found = runs.find("solver_error", data=dataset)
    rows = pd.concat([run.metrics for run in found])
    methods = tuple(found[0].info["settings"]["objectives"])
    figure, axes = plt.subplots(1, 4, figsize=(9.4, 2.8))
    curves(axes[0], rows[rows.variant == "midpoint"], "solver_mse", methods)
    axes[0].set(xscale="log", yscale="log", xlabel="NFE", ylabel="MSE to a tight solve", title="midpoint")
    for axis in axes[2:]:
        axis.sharey(axes[1])
        axis.tick_params(labelleft=False)
    for axis, solver in zip(axes[1:], ("euler", "midpoint", "rk4")):
        curves(axis, rows[rows.variant == solver], "feature_frechet", methods)
        axis.set(xscale="log", yscale="log", xlabel="NFE", title=solver)
        plain_ticks(axis.xaxis)
    plain_ticks(axes[0].xaxis)
    plain_ticks(axes[1].yaxis)
    axes[1].set_ylabel("feature Fréchet distance")
    axes[0].legend()
    return Figure(
        f"solver-error-{dataset}",
        f"Error and sample quality against evaluations, {dataset}",
        "Cf. Figure 7. Trained networks; the error is against a tight solve from the same noise. Bands span the seeds.",
        "Log-log plots against NFE, a line per objective: midpoint error, then Fréchet distance for Euler, midpoint, RK4.",
        figure,
        runs=found,
        data=measured(rows, "solver_mse", "feature_frechet"),
    )


def during_training(runs: Runs, dataset: str) -> Figure:
    """Fréchet distance and sampling cost of each objective while it is trained (Figures 5 and 10)."""
    found = runs.find("during_training", data=dataset)
    rows = pd.concat([run.metrics for run in found])
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.2))
    for axis, metric, label in zip(
        axes, ("feature_frechet_in_training", "nfe_in_training"), ("feature Fréchet distance", "NFE of dopri5")
    ):
        curves(axis, rows, metric, found[0].info["settings"]["objectives"])  # evaluations are counted for some of them
        axis.set(yscale="log", xlabel="training step", ylabel=label)
        plain_ticks(axis.yaxis)
    axes[0].legend()
    return Figure(
        f"during-training-{dataset}",
        f"During training, {dataset}",
        "Cf. Figures 5 and 10. States of the weights at a constant learning rate, sampled by dopri5 from the same noise. Bands "
        "span the seeds.",
        "Two line plots against the training step, a line per objective: feature Fréchet distance, and evaluations of dopri5.",
        figure,
        runs=found,
        data=measured(rows, "feature_frechet_in_training", "nfe_in_training"),
    )


def upsampled(run: RunFolder) -> Figure:
    """Small images, up-sampled by each method, beside the originals (Section 6.3)."""
    names = ("given", "regression", "fm_ot", "truth")
    figure, axes = plt.subplots(len(names), 1, figsize=(8, 0.75 * len(names)), squeeze=False)
    for (axis,), name in zip(axes, names):
        image_lines(axis, run.arrays[name], NAMES[name])
    dataset = run.info["dataset"]
    return Figure(
        f"upsampled-{dataset}",
        f"Up-sampling: {dataset}",
        "Not curated: the first 15 test images, shrunk and up-sampled again, seed 0.",
        f"Four rows of {dataset} images: enlarged small images, the regressor's answers, FM-OT's samples, the originals.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )
