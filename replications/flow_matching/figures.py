"""Figures and tables of the report, drawn from run folders; nothing here trains or samples."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from common.measure.figures import Figure, Runs, Table, colour, mean_and_deviation, mean_and_range

# as the paper writes them, in the order of the tables
NAMES = {
    "fm_ot": "FM-OT",
    "fm_vp": "FM-diffusion",
    "score_vp": "score matching",
    "ddpm_vp": "DDPM",
    "scoreflow_vp": "ScoreFlow",
    "data": "data",
    "noise": "noise",
    "regression": "regression",
    "given": "enlarged small image",
    "truth": "original",
}
BOARD = "checkerboard"


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


def tables(metrics: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables that stand beside the paper's, mean over seeds with the standard deviation."""
    table1 = metrics[metrics.experiment == "table1"]
    if len(table1):
        yield Table("table1", "Same network, several objectives", "Cf. Table 1. Mean ± s.d. over seeds.", table_1(table1))
    toys = metrics[metrics.experiment == "toy_2d"]
    if len(toys):
        caption = (
            "Cf. Figure 4. NLL with exact divergence; Wasserstein-2 distance to as many data points; mean ± s.d. over seeds."
        )
        yield Table("toy-2d", "Two-dimensional densities", caption, table_2d(toys))
    large = metrics[metrics.experiment == "upsampling"]
    if len(large):
        columns = {"feature Fréchet distance": large.metric == "feature_frechet", "PSNR, dB": large.metric == "psnr"}
        caption = "Cf. Table 2. The same network and data for both methods; mean ± s.d. over seeds."
        yield Table("upsampling", "Up-sampling", caption, _pivot(large, columns))


def table_1(rows: pd.DataFrame) -> pd.DataFrame:
    """Return objectives x (bits/dim, Fréchet distance, NFE) for each data set."""
    draws = sorted(rows[rows.metric == "nll"]["at"].unique())
    columns = {f"NLL, bits/dim, K = {k:g}": (rows.metric == "nll") & (rows["at"] == k) for k in draws}
    columns |= {"feature Fréchet distance": rows.metric == "feature_frechet", "NFE": rows.metric == "nfe"}
    if (rows.metric == "fid").any():
        columns["FID"] = rows.metric == "fid"
    return _pivot(rows, columns)


def table_2d(rows: pd.DataFrame) -> pd.DataFrame:
    """Return objectives x (NLL, NFE, distances at several numbers of evaluations) for each density."""
    columns = {"NLL, nats": rows.metric == "nll", "NFE": rows.metric == "nfe"}
    midpoint = (rows.metric == "wasserstein2") & (rows.variant == "midpoint")
    columns |= {f"W2, midpoint {nfe:g}": midpoint & (rows["at"] == nfe) for nfe in sorted(rows[midpoint]["at"].unique())}
    columns |= {"W2, dopri5": (rows.metric == "wasserstein2") & rows.variant.isin(["dopri5", "floor"])}
    return _pivot(rows, columns)


def _pivot(rows: pd.DataFrame, columns: dict[str, pd.Series]) -> pd.DataFrame:
    parts = {}
    for name, mask in columns.items():
        parts[name] = rows[mask].groupby(["dataset", "method"]).value.agg(mean_and_deviation)
    order = [*NAMES]
    table = pd.DataFrame(parts).fillna("–").reset_index()
    table = table.sort_values(["dataset", "method"], key=lambda c: c.map(lambda v: order.index(v) if v in order else 0))
    return table.assign(method=table.method.map(lambda name: NAMES.get(name, name))).reset_index(drop=True)


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
    figure, axes = plt.subplots(len(names), len(times), figsize=(1.7 * len(times), 1.8 * len(names)), squeeze=False)
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
        "Cf. Figure 4, left. Samples along the paper's time (0 noise, 1 data), dopri5, shared noise, seed 0.",
        f"Grid of scatter plots: rows {', '.join(NAMES[n] for n in names)}; columns times from noise to {dataset}.",
        figure,
    )


def few_evaluations(run: object) -> Figure:
    """Midpoint samples at few evaluations (Figure 4, right)."""
    settings = run.info["settings"]
    names, counts = settings["objectives"], settings["nfe"]
    figure, axes = plt.subplots(len(names), len(counts), figsize=(1.7 * len(counts), 1.8 * len(names)), squeeze=False)
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
    axis.scatter(*points[:2000].T, s=2, alpha=0.6, linewidths=0, color=colour(method), rasterized=True)
    axis.set(xlim=(-4.6, 4.6), ylim=(-4.6, 4.6), xticks=[], yticks=[], aspect="equal")
    axis.spines[:].set_visible(False)


def exact_paths(runs: Runs) -> Figure:
    """Noise left along time, and midpoint error against NFE, on the checkerboard's exact fields."""
    found = runs.find("exact_paths")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.2))
    for method in ("fm_ot", "fm_vp"):
        remaining = np.stack([run.arrays[f"noise_left_{method}"] for run in found])
        left.plot(found[0].arrays["paper_time"], remaining.mean(0), color=colour(method), label=NAMES[method])
    left.plot([0, 1], [1, 0], color="0.6", linestyle=":", label="linear")
    left.set(xlabel="paper's time t (0 noise, 1 data)", ylabel="distance left to the end point")
    left.legend()
    rows = pd.concat([run.metrics for run in found])
    curves(right, rows[rows.variant == "midpoint"], "solver_mse", ("fm_ot", "fm_vp"))
    right.set(xscale="log", yscale="log", xlabel="NFE (midpoint)", ylabel="MSE to a tight solve")
    return Figure(
        "exact-paths",
        "The paths themselves: exact fields of the checkerboard",
        "Cf. Figures 6 and 7, without a network. Left: mean distance to the end point. Right: midpoint error; bands: all seeds.",
        "Left: line plot of the distance left against time for both paths, with the linear reference. Right: log-log plot of the "
        "midpoint error against NFE for both paths.",
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
        curves(axis, rows, metric, found[0].info["settings"]["objectives"])
        axis.set(yscale="log", xlabel="training step", ylabel=label)
    axes[0].legend()
    return Figure(
        f"during-training-{dataset}",
        f"During training, {dataset}",
        "Cf. Figures 5 and 10. States of the averaged weights, sampled by dopri5 from the same noise. Bands span the seeds.",
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
