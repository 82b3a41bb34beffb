"""Figures of the largest noise level: chains with exact scores, by largest level, start and resolution (technique 1)."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from common.measure.drawing import datasets, plain, rows_of
from common.measure.figure_data import measured
from common.measure.figures import BLACK, Figure, RunFolder, Runs
from replications.ffjord.drawing import WIDTH, against, unit_images
from replications.ncsnv2.names import LADDERS, STARTS, name, shade

PICTURED = {"median / 18": "from σ₁ = median distance / 18", "largest distance": "from σ₁ = largest distance"}
PER_LINE, COLUMNS = 8, 4  # samples of a start, and exact draws side by side
MEASURES = {"distinct_centres": "images reached", "distance_over_data": "distance of samples, over data's"}
LEVELS = {"1": "NCSN's 1", "largest distance": "largest\ndistance", "median / 18": "1/18"}
ARMS = "sigma_over_median"
CLOSE = 1.2  # ratio of levels whose marks would run into one another


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for dataset in datasets(runs, "exact_scores"):
        yield partial(pictures, runs.find("exact_scores", dataset=dataset)[0], dataset)
    if found := runs.find("exact_scores"):
        yield partial(coverage, found)
    for dataset in datasets(runs, "resolution"):
        yield partial(resolution, runs.find("resolution", dataset=dataset), dataset)


def pictures(run: RunFolder, dataset: str) -> Figure:
    """Samples with exact scores from a small and from the largest level, by start, beside exact draws (Figure 2)."""
    figure = plt.figure(figsize=(WIDTH, 1.5))
    grid = figure.add_gridspec(len(STARTS), 3, width_ratios=(PER_LINE, PER_LINE, COLUMNS))
    for line, start in enumerate(STARTS):
        for place, (arm, title) in enumerate(PICTURED.items()):
            axis = figure.add_subplot(grid[line, place])
            show(axis, run.arrays.get(f"{arm}, {start}", ())[:PER_LINE], "" if place else name(start), PER_LINE)
            if not line:
                axis.set_title(title)
    last = figure.add_subplot(grid[:, 2])
    last.set(title="exact draws", anchor="N")
    show(last, run.arrays.get("exact draws", ())[: COLUMNS * len(STARTS)], "", COLUMNS)
    return Figure(
        f"largest-level-{dataset}",
        f"Samples with exact scores, by largest noise level and start: {dataset}",
        "Cf. Figure 2. Not curated: the first chains of annealed Langevin dynamics with the exact score of a mixture of "
        "Gaussians around images. All chains of a line start alike: from uniform noise, from one grey, or from one of the "
        f"images; pictures of a column share their noise. Right: draws of the mixture. Replicate {run.info['seed']}.",
        f"Lines of {dataset} images by start. From the small level many are alike, and from one image nearly all; from the "
        "largest distance all differ as exact draws do, whatever the start.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def show(axis: Axes, images: Sequence[np.ndarray], label: str, per_line: int) -> None:
    """Draw images in [0, 1], if there are any."""
    if len(images):
        unit_images(axis, np.asarray(images), label, per_line)
    else:
        axis.set_axis_off()


def coverage(found: list[RunFolder]) -> Figure:
    """Images reached and distance of samples by the largest level, a line for each start (Figure 2)."""
    every = rows_of(found)
    rows = every[every.metric.isin(MEASURES) & ((every.axis == ARMS) | (every.method == "data"))]
    names = list(dict.fromkeys(rows.dataset))
    figure, grid = grid_of(len(names), len(MEASURES), 2.3)
    for line, dataset in zip(grid, names):
        mine = levelled(rows[rows.dataset == dataset])
        for axis, (metric, title) in zip(line, MEASURES.items()):
            part = mine[mine.metric == metric]
            for start in STARTS:
                against(axis, part[part.method == start], shade(start), name(start))
            floor(axis, part)
            axis.set(xscale="log", ylim=(0, None), title=f"{title}: {dataset}")
            ticks_of_levels(axis, part)
    for axis in grid[-1]:
        axis.set_xlabel("largest noise level σ₁, over the median distance of images")
    legend_below(figure, grid[0][0])
    return Figure(
        "coverage",
        "What chains with exact scores cover, by largest noise level and start",
        "Cf. Proposition 1 and Figure 2. Annealed Langevin dynamics with the exact score of a mixture of Gaussians centred on "
        "images, from levels σ₁ in units of the images' median distance (1/18: NCSN's 1 among images of CIFAR-10). Images "
        "reached: centres that are the nearest to any sample, over what as many independent draws reach in expectation. "
        "Distance: mean of two samples, over that of two images. Dashed: exact draws. Bands span the replicates.",
        "Plots against the largest level, with a line for each of three starts. All lines come to the dashed line at the largest "
        "distance, and lie below it at smaller levels, the farther the smaller they are.",
        figure,
        runs=found,
        data=measured(rows, *MEASURES),
    )


def grid_of(lines: int, columns: int, height: float) -> tuple[Drawing, list[list[Axes]]]:
    """Return a figure with lines of panels of this height in inches; there is at least one line."""
    figure, grid = plt.subplots(max(lines, 1), columns, figsize=(WIDTH, height * max(lines, 1) + 0.4), squeeze=False)
    return figure, grid.tolist()


def levelled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows at their arm's mean level: the largest and the median distance differ a little from replicate to replicate."""
    mean = rows.groupby("variant")["at"].transform("mean")
    return rows.assign(at=mean)


def ticks_of_levels(axis: Axes, rows: pd.DataFrame) -> None:
    """Mark each arm's level on the axis, with its name if it is not a share of the median; levels close by share a mark."""
    labels: dict[float, str] = {}
    for arm, level in rows.dropna(subset="at").groupby("variant")["at"].mean().sort_values().items():
        place = next((known for known in labels if level < CLOSE * known), level)
        said = labels.get(place, f"{level:.2g}")
        labels[place] = f"{said}\n{LEVELS.get(str(arm), '')}"
    axis.set_xticks(list(labels), list(labels.values()))
    axis.set_xticks([], minor=True)


def floor(axis: Axes, rows: pd.DataFrame) -> None:
    """Mark what exact draws read, which may change along the axis."""
    values = rows.dropna(subset=["at", "floor"]).groupby("at").floor.mean()
    if len(values):
        axis.plot(values.index, values, color=BLACK, linestyle="--", linewidth=1, label="exact draws")


def legend_below(figure: Drawing, axis: Axes) -> None:
    """Name what a panel has below all panels."""
    handles, labels = axis.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=len(handles))


def resolution(found: list[RunFolder], dataset: str) -> Figure:
    """Coverage by the number of dimensions, with NCSN's ladder and with one that follows the images."""
    rows = rows_of(found)
    panels = MEASURES | {ARMS: "σ₁ over the median distance"}
    figure, ((*measures, last),) = grid_of(1, len(panels), 2.3)
    for axis, (metric, title) in zip((*measures, last), panels.items()):
        part = rows[rows.metric == metric]
        for method, label in LADDERS.items():
            against(axis, part[part.method == method], shade(method), label)
        floor(axis, part)
        axis.set(xscale="log", title=title, xlabel="dimensions D")
        ticks = sorted(part["at"].unique())
        axis.set_xticks(ticks, [f"{dim:g}" for dim in ticks])
        axis.set_xticks([], minor=True)
    for axis in measures:
        axis.set_ylim(0, None)
    last.set_yscale("log")
    plain(last.yaxis, (1, 2, 5))
    legend_below(figure, measures[0])
    return Figure(
        f"resolution-{dataset}",
        f"Coverage by resolution, of a fixed ladder and of one that follows the images: {dataset}",
        "Cf. Section 3.1 and Figure 1. The same images, averaged over boxes of ever fewer pixels; chains with exact scores from "
        "uniform noise, with about as many steps for both ladders. Images reached and distance as above; dashed: exact draws. "
        "Right: the largest level in units of the images' distances, which grow with the number of pixels. Bands span the "
        "replicates.",
        "Three plots against the number of dimensions. The ladder that follows the images stays near the dashed line; NCSN's "
        "falls away from it, as its largest level does in units of the images' distances.",
        figure,
        runs=found,
        data=measured(rows, *panels),
    )
