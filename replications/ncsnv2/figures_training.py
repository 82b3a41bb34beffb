"""Figures of trainings: what averaging and each group of techniques bring, samples of the states, losses by noise level."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from common.measure.drawing import datasets, dots, plain, rows_of
from common.measure.figure_data import measured, stacked
from common.measure.figures import BLACK, Figure, RunFolder, Runs, plain_ticks
from common.measure.image_lines import image_lines
from replications.ffjord.drawing import WIDTH, legend
from replications.ncsn.drawing import against_sigma
from replications.ncsnv2.names import ARMS, NETWORKS, TRAININGS, name, shade

COLOURS = ("red", "green", "blue")
PICTURED = ("ncsn", "ncsn_1234", "ncsnv2")  # arms whose samples are shown
PER_LINE = 8  # samples of a state
COPIES = {"copied": "samples", "nearest_pixels": "nearest in pixels", "nearest_features": "nearest in features"}


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for dataset in datasets(runs, "ablation"):
        found = runs.find("ablation", dataset=dataset)
        yield from (partial(draw, found, dataset) for draw in (stability, ablation))
        yield from (partial(draw, found[0], dataset) for draw in (samples, copies))
    for dataset in datasets(runs, "losses"):
        found = runs.find("losses", dataset=dataset)
        yield from (partial(draw, found, dataset) for draw in (curves, generalisation))


def gap(images: np.ndarray) -> int:
    """Return the pixels between images: without, small digits would run together."""
    return max(1, images.shape[-1] // 16)


def stability(found: list[RunFolder], dataset: str) -> Figure:
    """Distance and mean colour of samples through each training, with raw and with averaged weights (Figure 4)."""
    rows = rows_of(found)
    colours = sorted(rows[rows.metric == "mean_colour"].variant.unique())
    lines = {"feature Fréchet distance": rows[rows.metric == "frechet_of_state"]}
    for place, channel in enumerate(colours):
        said = "mean brightness" if len(colours) == 1 else f"mean of {COLOURS[place]}"
        lines[said] = rows[(rows.metric == "mean_colour") & (rows.variant == channel)]
    figure, grid = plt.subplots(
        len(lines), len(TRAININGS), figsize=(WIDTH, 1.8 * len(lines) + 0.7), sharex=True, sharey="row", squeeze=False
    )
    for line, (said, mine) in zip(grid, lines.items()):
        for axis, arms in zip(line, TRAININGS.values()):
            for arm in arms:
                through_training(axis, mine[mine.method == arm], shade(arm))
            level_of_data(axis, mine)
        line[0].set_ylabel(said)
    for axis, training in zip(grid[0], TRAININGS):
        axis.set(title=training, yscale="log")
    plain(grid[0, 0].yaxis, (1, 2, 3, 5))
    for axis in grid[-1]:
        axis.set_xlabel("share of the training")
    # a column of the legend below each training, raw weights above averaged ones
    handles = [Line2D([], [], color=shade(arm), marker="o", markersize=3, label=name(arm)) for arm in ARMS]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(TRAININGS), columnspacing=6)
    shared = found[0].info["settings"]["network"] == "shared"
    return Figure(
        f"stability-{dataset}",
        f"Samples through three trainings, with raw and with averaged weights: {dataset}",
        "Cf. Figure 4. Distance of samples to test images in features, and the samples' mean colour (pixels in [0, 1]), by the "
        "state of the training that they are drawn with; all states share starts and noise. Faint: each replicate; dots: their "
        "mean. Dashed: training images in the samples' place, and test images' own colour."
        + (" The learning rate falls from 80% on." if shared else ""),
        "Three columns, one for each training. In each, lines of single replicates with raw weights go up and down from state to "
        "state, those with averaged weights go smoothly; above for the distance, below for the colour.",
        figure,
        runs=found,
        data=measured(rows, "frechet_of_state", "mean_colour"),
    )


def through_training(axis: Axes, rows: pd.DataFrame, colour: str) -> None:
    """Draw each replicate faintly against the state of the training, and their mean."""
    if len(rows):
        values = rows.pivot_table(index="at", columns="seed", values="value")
        axis.plot(values.index, values, color=colour, linewidth=0.8, alpha=0.45)
        axis.plot(values.index, values.mean(axis=1), color=colour, marker="o", markersize=3)


def level_of_data(axis: Axes, rows: pd.DataFrame) -> None:
    """Mark what data read: the floor of a distance, or the value that data have themselves."""
    of_data = rows[rows.method == "data"].value
    level = of_data if len(of_data) else rows.floor
    if level.notna().any():
        axis.axhline(level.mean(), color=BLACK, linestyle="--", linewidth=1)


def ablation(found: list[RunFolder], dataset: str) -> Figure:
    """Distance of every arm's samples at the end of training and as a mean over its states (Figure 5)."""
    rows = rows_of(found)
    mine = rows[rows.metric == "frechet_of_state"]
    parts = {"at the end of training": mine[mine["at"] == 1], "mean over states": mine}
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 2.3), sharey=True)
    for axis, (title, part) in zip(axes, parts.items()):
        means = part.groupby(["method", "seed"]).value.mean()
        dots(axis, {arm: means[means.index.get_level_values("method") == arm] for arm in ARMS}, shade, name)
        axis.axvline(mine.floor.mean(), color=BLACK, linestyle="--", linewidth=1)
        axis.set(title=title, xlabel="feature Fréchet distance", xlim=(0, None))
    return Figure(
        f"ablation-{dataset}",
        f"What each group of techniques brings: {dataset}",
        "Cf. Figure 5. Distance of samples to test images in features; farther left is better. Technique 1: largest noise; 2: "
        "noise levels; 3: a network that is told no level; 4: step size; 5: averaged weights. All arms share backbone, budget "
        f"and about as many evaluations; the mean is over {states_of(mine)}. A dot is a replicate, a bar their mean. Dashed: "
        "training images in the samples' place.",
        "Two plots with a line of dots for each of six combinations of techniques, and a dashed line for data left of all.",
        figure,
        runs=found,
        data=measured(rows, "frechet_of_state"),
    )


def states_of(rows: pd.DataFrame) -> str:
    """Return the states of a training in words."""
    return f"states at {', '.join(f'{share:.0%}' for share in sorted(rows['at'].dropna().unique()))} of the training"


def samples(run: RunFolder, dataset: str) -> Figure:
    """Samples of three arms at the last two states, from shared starts (Figure 4 and appendix)."""
    shares = [*sorted(run.info["settings"]["states"])[-1:], 1.0]
    figure, grid = plt.subplots(len(PICTURED), len(shares), figsize=(WIDTH, 3.2))
    figure.get_layout_engine().set(wspace=0.05)
    for line, arm in zip(grid, PICTURED):
        for axis, share in zip(line, shares):
            images = run.arrays.get(f"{arm} at {share:g}")
            if images is None:
                axis.set_axis_off()
                continue
            label = name(arm).replace(" (", "\n(") if axis is line[0] else ""
            image_lines(axis, images, label, PER_LINE, gap(images))
    for axis, share in zip(grid[0], shares):
        axis.set_title(f"after {share:.0%} of the training")
    return Figure(
        f"samples-{dataset}",
        f"Samples of two states of a training: {dataset}",
        "Cf. Figure 4 and the appendix. Not curated: the first chains of NCSN and of NCSNv2 with raw and with averaged weights, "
        "all from the same starts with the same noise, so that pictures in the same place can be compared; replicate "
        f"{run.info['seed']}.",
        f"Grids of {dataset} images: a line for NCSN, for NCSNv2's techniques without averaging and for NCSNv2, a column for "
        "either state.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def copies(run: RunFolder, dataset: str) -> Figure:
    """Samples of NCSNv2 with the training images nearest to them."""
    lines = {key: label for key, label in COPIES.items() if key in run.arrays}
    figure, axes = plt.subplots(len(lines) or 1, 1, figsize=(WIDTH, 2), squeeze=False)
    for axis, (key, label) in zip(axes[:, 0], lines.items()):
        image_lines(axis, run.arrays[key], label, len(run.arrays[key]), gap(run.arrays[key]))
    return Figure(
        f"copies-{dataset}",
        f"Samples beside their nearest training images: {dataset}",
        "Cf. the appendix. Not curated: NCSNv2's first samples, and below each the training image nearest to it; replicate "
        f"{run.info['seed']}.",
        f"Three rows of {dataset} images: samples, training images nearest to them in pixels, and nearest in features.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def curves(found: list[RunFolder], dataset: str) -> Figure:
    """Training curves of a network that is told no level and of one that is told it (Figure 3)."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.6))
    drawn = {}
    for place, run in enumerate(found):
        kept = {label: curve_of(run, method) for method, label in NETWORKS.items() if f"loss_{method}" in run.arrays}
        for (label, curve), method in zip(kept.items(), NETWORKS):
            left.plot(*curve, color=shade(method), linewidth=0.9, alpha=0.6, label=None if place else label)
            drawn[label, run.info["seed"]] = curve
        if len(kept) == len(NETWORKS):
            (steps, untold), (_, told) = kept.values()
            right.plot(steps, untold / told, color=shade("ncsnv2"), linewidth=0.9, alpha=0.6)
    left.set(yscale="log", xlabel="training step", title="training loss, smoothed")
    plain_ticks(left.yaxis, subs=(1, 2, 3, 5, 7))
    legend(left, "upper right")
    right.axhline(1, color=BLACK, linestyle="--", linewidth=1)
    right.set(xlabel="training step", title="told no level, over told the level")
    return Figure(
        f"curves-{dataset}",
        f"Training curves with and without a noise level told: {dataset}",
        "Cf. Figure 3. Two networks on one ladder, from the same seed: NCSNv2's, which is told no level and whose output is "
        "divided by it, and one that is told it. The losses of the training, smoothed with a momentum of 0.9 over the points "
        "that were kept, and their ratio; a line for each replicate.",
        "Left: lines of two colours that fall steeply and then slowly, and nearly coincide. Right: their ratio, near 1.",
        figure,
        runs=found,
        data=stacked(drawn, ("network", "seed"), ("step", "loss")) if drawn else None,
    )


def curve_of(run: RunFolder, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps and the smoothed losses of a network's training."""
    return run.arrays[f"step_{method}"], run.arrays[f"loss_{method}"]


def generalisation(found: list[RunFolder], dataset: str) -> Figure:
    """Losses on training and on unseen images by noise level, and the size of the score, of both networks (Section 3.3)."""
    rows = rows_of(found)
    loss, norm = (rows[rows.metric == metric] for metric in ("weighted_loss", "score_norm"))
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(WIDTH, 2.6))
    for method, label in NETWORKS.items():
        test, train = (loss[(loss.method == method) & (loss.variant == split)] for split in ("test", "train"))
        if len(test):
            against_sigma(left, test, shade(method), label)
        if len(test) and len(train):
            against_sigma(middle, over(test, train), shade(method), label)
        own = norm[(norm.method == method) & (norm.variant == "test")]
        if len(own):
            against_sigma(right, own.assign(value=own.value * own["at"]), shade(method), label)
    left.set(yscale="log", title="loss on unseen images")
    plain(left.yaxis, (1, 3))
    middle.set(title="and over that on training images")
    right.set(title="norm of the score, times σ", ylim=(0, None))
    middle.axhline(1, color=BLACK, linestyle="--", linewidth=1)
    handles, labels = left.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=len(handles))
    return Figure(
        f"generalisation-{dataset}",
        f"Unseen images, and noise levels that are not told: {dataset}",
        "Cf. Section 3.3 and the appendix. By noise level of pixels in [0, 1]: the denoising loss times σ² on unseen images; "
        "that over the loss on as many training images; and the mean norm of the score on unseen images, times σ. Bands span the "
        "replicates.",
        "Three plots against the noise level with a line for either network; the losses of both nearly coincide, and the middle "
        "ones stay near 1.",
        figure,
        runs=found,
        data=measured(rows, "weighted_loss", "score_norm"),
    )


def over(top: pd.DataFrame, bottom: pd.DataFrame) -> pd.DataFrame:
    """Return the ratio of two sets of rows at each point and replicate."""
    ratio = top.set_index(["at", "seed"]).value / bottom.set_index(["at", "seed"]).value
    return ratio.rename("value").dropna().reset_index()
