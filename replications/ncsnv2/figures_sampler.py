"""Figures of the sampler's settings: number of noise levels (technique 2) and step size (technique 4)."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from common.measure.drawing import datasets, plain, rows_of
from common.measure.figure_data import measured
from common.measure.figures import BLACK, GREY, Figure, RunFolder, Runs, mean_and_range
from common.measure.image_lines import image_lines
from replications.ffjord.drawing import WIDTH
from replications.ncsnv2.names import shade

SHELLS = 0.5  # mass that technique 2 puts on the shell of the level before
LIMIT = 2  # a Langevin step's drift over the noise's variance, from which on no chain is stable
PER_LINE = 8  # pictures of a setting


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for dataset in datasets(runs, "sampler_settings"):
        found = runs.find("sampler_settings", dataset=dataset)
        yield from (partial(draw, found, dataset) for draw in (levels, sizes))
        yield partial(pictures, found[0], dataset)


def levels(found: list[RunFolder], dataset: str) -> Figure:
    """Distance by the number of levels that share the evaluations, above the mass on the shell of the level before."""
    rows = rows_of(found)
    distance, mass = (rows[rows.metric == metric] for metric in ("frechet_of_levels", "shell_mass"))
    figure, (above, below) = plt.subplots(2, 1, figsize=(5.8, 3.9), sharex=True, height_ratios=(1.6, 1))
    along(above, distance)
    floor(above, distance)
    above.set(yscale="log", ylabel="feature Fréchet distance")
    plain(above.yaxis, (1, 2, 3, 5))
    along(below, mass)
    below.axhline(SHELLS, color=GREY, linestyle=":")
    below.annotate(
        "technique 2", (1, SHELLS), (-2, 2), xycoords=("axes fraction", "data"), textcoords="offset points", ha="right"
    )
    below.set(ylim=(-0.05, 1.05), ylabel="shell mass C", xlabel="number of noise levels L", xscale="log")
    below.set_xticks(sorted(mass["at"].unique()), [f"{count:g}" for count in sorted(mass["at"].unique())])
    below.set_xticks([], minor=True)
    return Figure(
        f"levels-{dataset}",
        f"Few or many noise levels for the same evaluations: {dataset}",
        "Cf. Section 3.2. One network, asked at ladders of L levels between the same ends; steps at each are what leaves the "
        "number of evaluations as near to the same as it can be, and technique 4 sizes them. Above: distance of samples to test "
        "images in features; dashed: training images in the samples' place. Below: the mass that a level has on the shell of the "
        "level before, which technique 2 wants to be about one half. Bands span the replicates.",
        "Two plots against the number of levels. The distance is largest at the fewest levels, least in the middle and larger "
        "again at the most; the mass rises from 0 to 1.",
        figure,
        runs=found,
        data=measured(rows, "frechet_of_levels", "shell_mass"),
    )


def sizes(found: list[RunFolder], dataset: str) -> Figure:
    """Distance by step size over technique 4's, with the limit of stability."""
    rows = rows_of(found)
    distance = rows[rows.metric == "frechet_of_sizes"]
    figure, axis = plt.subplots(figsize=(5.8, 2.8))
    along(axis, distance)
    beyond = distance[distance.variant == "unstable"]
    axis.plot(beyond["at"], beyond.value, "x", color=BLACK, markersize=5, label="unstable")
    floor(axis, distance)
    axis.axvline(1, color=GREY, linestyle=":")
    axis.annotate("technique 4", (1, 1), (3, -2), ("data", "axes fraction"), "offset points", va="top")
    limit = limit_of(rows)
    if len(distance) and np.isfinite(limit):
        axis.axvspan(limit, 1.3 * distance["at"].max(), color=GREY, alpha=0.15, linewidth=0)
        axis.set_xlim(0.8 * distance["at"].min(), 1.3 * distance["at"].max())
    axis.set(xscale="log", yscale="log", xlabel="step size ε over technique 4's", ylabel="feature Fréchet distance")
    plain(axis.yaxis, (1, 2, 3, 5))
    ticks = sorted(distance["at"].unique())
    axis.set_xticks(ticks, [f"{size:.3g}" for size in ticks])
    axis.set_xticks([], minor=True)
    return Figure(
        f"sizes-{dataset}",
        f"Step size: {dataset}",
        "Cf. Section 3.4. Distance of samples to test images in features, of one network with as many steps of other sizes; 1 is "
        "technique 4's. Grey: beyond the limit ε = 2σ² of the least level, where no chain is stable; crosses: replicates there. "
        "Dashed: training images in the samples' place. Bands span the replicates.",
        "A line that is lowest around 1, nearly flat there, and rises steeply to either side; at the right a grey part with "
        "crosses.",
        figure,
        runs=found,
        data=measured(rows, "frechet_of_sizes", "relative_step", "diverged_share"),
    )


def along(axis: Axes, rows: pd.DataFrame) -> None:
    """Draw NCSNv2's rows against what they run along, with a band over the replicates."""
    if len(rows):
        mean_and_range(axis, rows.pivot_table(index="at", columns="seed", values="value"), shade("ncsnv2"), "")


def floor(axis: Axes, rows: pd.DataFrame) -> None:
    """Mark what training images read in the samples' place."""
    if rows.floor.notna().any():
        axis.axhline(rows.floor.mean(), color=BLACK, linestyle="--", linewidth=1)


def limit_of(rows: pd.DataFrame) -> float:
    """Return the step size over technique 4's at which chains cease to be stable."""
    relative = rows[rows.metric == "relative_step"]
    return float((LIMIT * relative["at"] / relative.value).mean())


def pictures(run: RunFolder, dataset: str) -> Figure:
    """Samples with each number of levels and each step size, from the same starts."""
    kinds = {
        kind: sorted((key for key in run.arrays if key.startswith(f"{kind} ")), key=lambda key: float(key.split()[1]))
        for kind in ("levels", "size")
    }
    most = max(1, *map(len, kinds.values()))
    figure, grid = plt.subplots(most, len(kinds), figsize=(WIDTH, 0.46 * most + 0.3), squeeze=False)
    for column, (kind, keys) in zip(grid.T, kinds.items()):
        for axis in column[len(keys) :]:
            axis.remove()
        for axis, key in zip(column, keys):
            value = float(key.split()[1])
            images = run.arrays[key][:PER_LINE]
            label = f"L = {value:g}" if kind == "levels" else f"ε × {value:.3g}"
            image_lines(axis, images, label, len(images), gap=max(1, images.shape[-1] // 8))
    return Figure(
        f"settings-pictures-{dataset}",
        f"Samples with other numbers of levels and step sizes: {dataset}",
        "Cf. Sections 3.2 and 3.4. Not curated: NCSNv2's first samples with ladders of L levels (left) and with steps of other "
        f"sizes, over technique 4's (right); all from the same starts. Replicate {run.info['seed']}.",
        f"Two columns of lines of {dataset} images: speckled at the ends of either column, clearest in the middle.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )
