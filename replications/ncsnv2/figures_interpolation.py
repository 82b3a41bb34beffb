"""Figures of interpolations between samples, by the noise of every step and by blending."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from common.measure.drawing import datasets, rows_of
from common.measure.figure_data import measured
from common.measure.figures import BLACK, Figure, RunFolder, Runs
from common.measure.image_lines import image_lines
from replications.ffjord.drawing import WIDTH, against
from replications.ncsnv2.names import INTERPOLATIONS, name, shade

PAIRS, PER_LINE = 6, 2  # pairs of samples shown, in all and side by side
STEPS = {"step_over_independent": "-", "largest_step_over_independent": ":"}


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for dataset in datasets(runs, "interpolation"):
        found = runs.find("interpolation", dataset=dataset)
        yield partial(paths, found[0], dataset)
        yield partial(steps, found, dataset)


def paths(run: RunFolder, dataset: str) -> Figure:
    """Paths between pairs of samples, each with the blend of its ends below."""
    kept = {method: run.arrays[method][:PAIRS] for method in INTERPOLATIONS if method in run.arrays}
    lines = -(-max(map(len, kept.values()), default=1) // PER_LINE)
    figure, grid = plt.subplots(lines, PER_LINE, figsize=(WIDTH, 1.0 * lines), squeeze=False)
    figure.get_layout_engine().set(wspace=0.04)
    for axis in grid.flat:
        axis.set_axis_off()
    for place, (axis, *pair) in enumerate(zip(grid.flat, *kept.values())):
        axis.set_axis_on()
        label = "" if place % PER_LINE else "\n".join(kept)
        image_lines(axis, np.concatenate(pair), label, len(pair[0]), gap=max(1, pair[0].shape[-1] // 8))
        axis.yaxis.label.set_linespacing(3)
    return Figure(
        f"interpolated-{dataset}",
        f"Interpolations between samples: {dataset}",
        "Cf. the appendix. Not curated: the first paths between two samples from one start. Above: chains whose noise at every "
        "step turns from that of the one to that of the other by equal angles; below: blends of the two images at the ends. "
        f"Replicate {run.info['seed']}.",
        f"Pairs of lines of {dataset} images with the same ends. In between, those of the upper line look like samples; those of "
        "the lower are two images that lie over one another.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def steps(found: list[RunFolder], dataset: str) -> Figure:
    """How far neighbours on a path are apart by their angle, and how far points along it are from test images."""
    rows = rows_of(found)
    figure, (pixels, features, along) = plt.subplots(1, 3, figsize=(WIDTH, 2.9))
    for axis, space in ((pixels, "pixels"), (features, "features")):
        distances(axis, rows[rows.variant == space])
        axis.set(title=f"distance of neighbours in {space}", ylim=(0, None), xlabel="angle between them")
    quality = rows[rows.metric == "feature_frechet"]
    for method in INTERPOLATIONS:
        against(along, quality[quality.method == method], shade(method), name(method))
    if quality.floor.notna().any():
        along.axhline(quality.floor.mean(), color=BLACK, linestyle="--", linewidth=1, label="data")
    along.set(title="feature Fréchet distance", ylim=(0, None), xlabel="place on the path")
    handles, labels = along.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=len(handles))
    return Figure(
        f"interpolation-steps-{dataset}",
        f"How smooth interpolations are, and what lies between: {dataset}",
        "Cf. the appendix. Left and middle: distance of two points on a path by the angle between their noise, over the mean "
        "distance of samples that have nothing in common; dotted: the farthest such neighbours of each path. For blends the "
        "angle is that of as many steps. Right: distance to test images in features, by the place on the paths; dashed: "
        "training images in the samples' place. Bands span the replicates.",
        "Left and middle: lines that rise with the angle to 1, slightly lower for blends. Right: a level line for the noise of "
        "every step and an arch several times as high for blends.",
        figure,
        runs=found,
        data=measured(rows, *STEPS, "feature_frechet"),
    )


def distances(axis: Axes, rows: pd.DataFrame) -> None:
    """Draw the mean distance of neighbours and that of the farthest by angle, for either interpolation."""
    for metric, linestyle in STEPS.items():
        part = rows[rows.metric == metric]
        for method in INTERPOLATIONS:
            against(axis, part[part.method == method], shade(method), name(method), linestyle, band=linestyle == "-")
    axis.axhline(1, color=BLACK, linewidth=0.8)
    axis.set_xscale("log")
    ticks = sorted(rows["at"].dropna().unique())
    axis.set_xticks(ticks, [f"{angle:.3g}°" for angle in ticks])
    axis.set_xticks([], minor=True)
