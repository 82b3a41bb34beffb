"""Figures of the objectives in training: gradients' noise over time, what a training buys by step and second, likelihood."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from common.measure.drawing import datasets, dots, plain, rows_of
from common.measure.figure_data import measured
from common.measure.figures import GREY, Figure, RunFolder, Runs, Tip
from replications.ffjord.drawing import WIDTH, against
from replications.gotta_go_fast.drawing import below, ticks
from replications.survey import drawing
from replications.survey.names import name, shade

STATES = {"early": "early in training", "trained": "trained"}


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for dataset in datasets(runs, "training_side"):
        found = runs.find("training_side", dataset=dataset)
        yield partial(during_training, found, dataset)
        yield partial(gradients, found, dataset)
        if found[0].info["settings"]["weighted"]:
            yield partial(likelihoods, found, dataset)


def objectives(rows: pd.DataFrame) -> list[str]:
    """Return the trained objectives of rows, in their order."""
    return [each for each in dict.fromkeys(rows.method) if each not in ("data", "uniform")]


def during_training(found: list[RunFolder], dataset: str) -> Figure:
    """Distance of one cheap sampler's samples against the steps and the seconds of the training."""
    rows = rows_of(found)
    curve = rows[(rows.metric == "feature_frechet") & (rows.axis == "step")]
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.5), sharey=True)
    tips = []
    for axis, cost, label in zip(axes, ("at", "seconds"), ("training steps", "seconds of training")):
        axis.set(xscale="log", yscale="log", xlabel=label)
        for method in objectives(curve):
            mean = curve[curve.method == method].groupby("at")[["seconds", "value"]].mean().reset_index()
            axis.plot(mean[cost], mean.value, color=shade(method), marker="o", markersize=3.5, label=name(method))
            tips += [
                Tip(axis, each[cost], each.value,
                    f"{name(method)}: {drawing.DISTANCE} {each.value:.3g} after {each['at']:.0f} steps, {each.seconds:.3g} s")
                for _, each in mean.iterrows()
            ]  # fmt: skip
        drawing.floor(axis, rows[rows.method == "data"])
    axes[0].set_ylabel(drawing.DISTANCE)
    ticks(axes[0])
    ticks(axes[1], "x")
    below(figure, [axes[0]], ncols=5)
    nfe = found[0].info["settings"]["nfe"]
    return Figure(
        f"during-training-{dataset}",
        f"What a training buys: {dataset}",
        f"Distance of samples of DPM-Solver++ with at most {nfe} evaluations, from the averaged weights at states of the "
        "training; means over replicates. All objectives have one network, batches, times and noise. Left: steps; right: "
        "seconds that they took on this machine. Dashed: as many training images.",
        "Two panels of falling lines, one an objective, above a dashed line.",
        figure,
        runs=found,
        data=measured(curve, "feature_frechet"),
        tips=tips,
    )


def gradients(found: list[RunFolder], dataset: str) -> Figure:
    """The noise of gradients over time, and the batch at which it equals the signal."""
    rows = rows_of(found)
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 3.7), width_ratios=(1, 1, 0.85))
    share, tips = rows[rows.metric == "gradient_noise_share"], []
    share = share.assign(value=share.value / share.floor)
    for axis, (variant, title) in zip(axes, STATES.items()):
        mine = share[share.variant == variant]
        axis.set(yscale="log", title=title, xlabel="time t (0: data)")
        for method in objectives(mine):
            against(axis, mine[mine.method == method], shade(method), name(method), band=False)
        axis.axhline(1, color=GREY, linestyle=":", linewidth=1)
        plain(axis.yaxis, (1,))
    axes[0].set_ylabel("gradient noise over an even share")
    scale = rows[rows.metric == "noise_scale"]
    tips += scales(axes[2], scale[scale.variant == "trained"], objectives(share))
    below(figure, axes[:1], ncols=5)
    return Figure(
        f"gradients-{dataset}",
        f"How noisy an objective's gradient is: {dataset}",
        "Left and middle: the share of the gradient's variance that bins of time have, over the share of samples that fall into "
        "them, so that 1 is a noise spread evenly; means over replicates. Right: the batch size at which noise and signal of the "
        "trained network's gradient are equal; a dot is a replicate, a bar the mean. No dot: the signal is lost in the noise of "
        "the gradients that were taken.",
        "Lines over time that rise towards one end for some objectives, and a line of dots for each objective.",
        figure,
        runs=found,
        data=measured(rows, "gradient_noise_share", "noise_scale"),
        tips=tips,
    )


def scales(axis: Axes, scale: pd.DataFrame, methods: list[str]) -> list[Tip]:
    """Draw the noise scales, a line an objective; return what the dots say."""
    dots(axis, {method: scale.value[scale.method == method] for method in methods}, shade, name)
    axis.set(xscale="log", xlabel="noise scale, samples")
    axis.tick_params(axis="y", labelsize=7)
    if len(scale):
        ticks(axis, "x")
    lines = [(methods.index(each.method), each) for each in scale.itertuples() if each.method in methods]
    return [Tip(axis, each.value, line, f"{name(each.method)}: noise scale {each.value:.3g} samples") for line, each in lines]


def likelihoods(found: list[RunFolder], dataset: str) -> Figure:
    """Bits per dimension against the distance of samples, for one path under its weightings."""
    rows, tips = rows_of(found), []
    nll = rows[(rows.metric == "nll") & (rows.method != "uniform")].set_index(["method", "seed"]).value
    curve = rows[(rows.metric == "feature_frechet") & (rows.axis == "step")].sort_values("at")
    last = curve.groupby(["method", "seed"]).value.last()
    figure, axis = plt.subplots(figsize=(0.62 * WIDTH, 3.4))
    for method in dict.fromkeys(nll.index.get_level_values("method")):
        both = pd.concat({"x": last.get(method, pd.Series(dtype=float)), "y": nll[method]}, axis=1, join="inner")
        axis.plot(both.x, both.y, "o", color=shade(method), markersize=5, alpha=0.6, markeredgewidth=0, label=name(method))
        axis.plot([both.x.mean()], [both.y.mean()], "D", color=shade(method), markersize=8, markeredgecolor="white")
        tips += [
            Tip(axis, x, y, f"{name(method)}, replicate {seed}: {y:.3f} bits/dim, distance {x:.3g}")
            for seed, x, y in both.itertuples()
        ]
    axis.set(xlabel=drawing.DISTANCE, ylabel="bits per dimension of test images")
    if axis.get_legend_handles_labels()[0]:
        axis.legend()
    return Figure(
        f"likelihood-{dataset}",
        f"Likelihood and samples by the weighting of the loss: {dataset}",
        "One path, one network, one training under different weightings and outputs. Up: bits per dimension of the same test "
        "images by the flow; across: distance of samples after the last step. Lower and further left is better. A dot is a "
        "replicate, a diamond the mean.",
        "A scatter of a few dots a method; the method lowest in bits need not be the furthest left.",
        figure,
        runs=found,
        data=measured(pd.concat([rows[rows.metric == "nll"], curve]), "nll", "feature_frechet"),
        tips=tips,
    )
