"""Figures and tables of the report, drawn from run folders; nothing here trains or samples."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from common.measure.figures import Figure, Runs, colour, mean_and_range
from replications.flow_matching.names import NAMES
from replications.flow_matching.report_tables import tables

__all__ = ["figures", "tables"]


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield what draws the paper's figures that the runs present allow; one that fails leaves the others alone."""
    if runs.find("train", paper="common"):
        yield partial(training_curves, runs)
    for run in runs.find("toy_2d", seed=0):
        yield partial(trajectories, run)
        yield partial(few_evaluations, run)
    if runs.find("exact_paths"):
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
    for axis, dataset in zip(axes[0], datasets):
        for run in found:
            if run.info["dataset"] == dataset:
                objective = run.info["settings"]["objective"]
                axis.plot(run.arrays["loss_step"], run.arrays["loss"], label=NAMES[objective], color=colour(objective))
        axis.set(title=dataset, xlabel="step", ylabel="training loss", yscale="log")
    # outside: the curves fill the panels
    figure.legend(*axes[0][-1].get_legend_handles_labels(), loc="outside lower center", ncols=len(NAMES))
    return Figure(
        "training",
        "Training curves",
        "Training loss, seed 0. Losses do not compare between objectives: each regresses another target.",
        f"Line plots of the training loss against step for {', '.join(datasets)}, one line per objective.",
        figure,
    )


def trajectories(run: object) -> Figure:
    """Samples of every objective along the paper's time (Figure 4, left)."""
    names = [key.removeprefix("trajectory_") for key in run.arrays if key.startswith("trajectory_")]
    times = run.arrays["paper_times"]
    figure, axes = plt.subplots(len(names), len(times), figsize=(2.1 * len(times), 2.15 * len(names)), squeeze=False)
    for line, name in zip(axes, names):
        for axis, points in zip(line, run.arrays[f"trajectory_{name}"]):
            scatter(axis, points, name)
        line[0].set_ylabel(NAMES[name])
    for axis, time in zip(axes[0], times):
        axis.set_title(f"t = {time:g}")
    dataset = run.info["dataset"]
    return Figure(
        f"trajectories-{dataset}",
        f"From noise to data: {dataset}",
        "Cf. Figure 4, left, and Figure 9. Samples along the paper's time (0 noise, 1 data), dopri5, shared noise, seed 0.",
        f"Grid of scatter plots: rows {', '.join(NAMES[n] for n in names)}; columns times from noise to {dataset}.",
        figure,
    )


def few_evaluations(run: object) -> Figure:
    """Midpoint samples at few evaluations (Figure 4, right)."""
    settings = run.info["settings"]
    names, counts = settings["objectives"], settings["nfe"]
    figure, axes = plt.subplots(len(names), len(counts), figsize=(2.1 * len(counts), 2.15 * len(names)), squeeze=False)
    for line, name in zip(axes, names):
        for axis, nfe in zip(line, counts):
            scatter(axis, run.arrays[f"midpoint{nfe}_{name}"], name)
        line[0].set_ylabel(NAMES[name])
    for axis, nfe in zip(axes[0], counts):
        axis.set_title(f"NFE {nfe}")
    dataset = run.info["dataset"]
    return Figure(
        f"few-evaluations-{dataset}",
        f"Few evaluations: {dataset}",
        "Cf. Figure 4, right. Midpoint samples, shared noise, seed 0.",
        f"Grid of scatter plots: rows {', '.join(NAMES[n] for n in names)}; columns numbers of midpoint evaluations.",
        figure,
    )


def scatter(axis: plt.Axes, points: np.ndarray, method: str) -> None:
    """Draw points of [-4, 4]^2 without axes."""
    axis.scatter(*points.astype(np.float32).T, s=1.8, alpha=0.5, linewidths=0, color=colour(method), rasterized=True)
    axis.set(xlim=(-4.6, 4.6), ylim=(-4.6, 4.6), xticks=[], yticks=[], aspect="equal")
    axis.spines[:].set_visible(False)


def exact_paths(runs: Runs) -> Figure:
    """Conditional paths, how early the marginals show the board, and midpoint error against NFE: exact, without a network."""
    found = runs.find("exact_paths")
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12.6, 3.6))
    arrays = found[0].arrays
    for method in ("fm_ot", "fm_vp"):
        paths = arrays[f"conditional_{method}"]
        left.plot(*paths.transpose(2, 0, 1), color=colour(method), linewidth=1)
        middle.plot(arrays["paper_time"], arrays[f"off_board_{method}"], color=colour(method), label=NAMES[method])
    left.scatter(*paths[0].T, color="0.6", s=12, zorder=3)
    left.scatter(*paths[-1].T, color="black", s=12, zorder=3)
    left.set(xticks=[], yticks=[], aspect="equal", title="noise (grey) to data (black)")
    middle.set(xlabel="paper's time t (0 noise, 1 data)", ylabel="mass off the board at its own scale")
    middle.legend()
    rows = pd.concat([run.metrics for run in found])
    curves(right, rows[rows.variant == "midpoint"], "solver_mse", ("fm_ot", "fm_vp"))
    right.set(xscale="log", yscale="log", xlabel="NFE (midpoint)", ylabel="MSE to a tight solve")
    return Figure(
        "exact-paths",
        "The paths themselves: exact fields of the checkerboard",
        "Cf. Figures 3, 4 and 7, without a network. Left: conditional paths between the same pairs. Middle: how early the "
        "marginals show the pattern. Right: midpoint error; bands: all seeds.",
        "Left: straight conditional OT paths and curved diffusion paths that pass their ends. Middle: line plot of the share of "
        "mass off the board against time for both paths. Right: log-log plot of the midpoint error against NFE for both paths.",
        figure,
    )


def curves(axis: plt.Axes, rows: pd.DataFrame, metric: str, methods: Iterable[str]) -> None:
    """Draw a metric along its axis, with a band over seeds."""
    for method in methods:
        mine = rows[(rows.metric == metric) & (rows.method == method)]
        if len(mine):
            mean_and_range(axis, mine.pivot_table(index="at", columns="seed", values="value"), colour(method), NAMES[method])


def image_lines(axis: plt.Axes, images: np.ndarray, label: str, per_line: int = 15) -> None:
    """Draw images [n, c, h, w] in [-1, 1] side by side, a label on the left."""
    shown = (images.astype(np.float32).clip(-1, 1) / 2 + 0.5).transpose(0, 2, 3, 1)
    lines = np.concatenate([np.concatenate(list(shown[i : i + per_line]), 1) for i in range(0, len(shown), per_line)])
    axis.imshow(lines.squeeze(-1) if lines.shape[-1] == 1 else lines, cmap="gray", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    axis.set_ylabel(label, rotation=0, ha="right", va="center")


def samples(run: object) -> Figure:
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
    )


def solver_error(runs: Runs, dataset: str) -> Figure:
    """Error of midpoint and Fréchet distance of three solvers against NFE (Figure 7)."""
    found = runs.find("solver_error", data=dataset)
    rows = pd.concat([run.metrics for run in found])
    methods = tuple(found[0].info["settings"]["objectives"])
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.2))
    curves(axes[0], rows[rows.variant == "midpoint"], "solver_mse", methods)
    axes[0].set(xscale="log", yscale="log", xlabel="NFE", ylabel="MSE to a tight solve", title="midpoint")
    for axis, solver in zip(axes[1:], ("euler", "midpoint", "rk4")):
        curves(axis, rows[rows.variant == solver], "feature_frechet", methods)
        axis.set(xscale="log", yscale="log", xlabel="NFE", ylabel="feature Fréchet distance", title=solver)
    axes[0].legend()
    return Figure(
        f"solver-error-{dataset}",
        f"Error and sample quality against evaluations, {dataset}",
        "Cf. Figure 7. Trained networks; the error is against a tight solve from the same noise. Bands span the seeds.",
        "Log-log plots against NFE, a line per objective: midpoint error, then Fréchet distance for Euler, midpoint, RK4.",
        figure,
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
    axes[0].legend()
    return Figure(
        f"during-training-{dataset}",
        f"During training, {dataset}",
        "Cf. Figures 5 and 10. States of the weights at a constant learning rate, sampled by dopri5 from the same noise. Bands "
        "span the seeds.",
        "Two line plots against the training step, a line per objective: feature Fréchet distance, and evaluations of dopri5.",
        figure,
    )


def upsampled(run: object) -> Figure:
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
    )
