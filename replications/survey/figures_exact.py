"""Figures of the samplers alone, with exact scores: their errors by evaluations, and ways from noise to data."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes

from common.dynamics.paths import PATHS, ve
from common.measure.drawing import rows_of
from common.measure.figure_data import measured
from common.measure.figures import GREY, PALETTE, Figure, RunFolder, Runs, Tip, frame
from replications.ffjord.drawing import WIDTH, panels, powers_of_ten
from replications.gotta_go_fast.drawing import below, ticks
from replications.score_sde.facts.toy_mixture import SIGMA_MIN
from replications.survey import drawing
from replications.survey.figures_quality import small_panels
from replications.survey.fronts import averaged, cells_of
from replications.survey.names import line_shade, mark, name

STARTS = 6  # whose ways are drawn
EVERY = 3  # times between two frames
HOW = {"ode": "flow (ODE)", "sde": "reverse SDE"}


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    if found := runs.find("exact"):
        yield partial(trajectories, found[0])
        for dataset in dict.fromkeys(rows_of(found).dataset):
            yield partial(flow_errors, found, dataset)
            yield partial(discrepancies, found, dataset)


def flow_errors(found: list[RunFolder], dataset: str) -> Figure:
    """How far the samples of the flow's solvers are from the flow's own, by evaluations."""
    rows = rows_of(found)
    rows = rows[rows.dataset == dataset]
    cells, paths, tips = averaged(cells_of(rows, "flow_error")), list(found[0].info["settings"]["paths"]), []
    figure, axes = panels(len(paths), 3.1, sharey=True)
    for axis, path in zip(axes, paths):
        axis.set(xscale="log", yscale="log", title=name(path), xlabel="evaluations")
        for method, mine in cells[cells.variant == path].groupby("method", sort=False):
            mine = mine.sort_values("nfe")
            axis.plot(mine.nfe, mine.value, color=line_shade(method), marker=mark(method), markersize=4, linewidth=1,
                      markeredgewidth=0, label=name(method))  # fmt: skip
            tips += [Tip(axis, cell.nfe, cell.value, drawing.words(cell, "median error")) for _, cell in mine.iterrows()]
        slopes(axis, cells)
        ticks(axis, "x")
        powers_of_ten(axis.yaxis)
    axes[0].set_ylabel("median distance from the flow's end")
    below(figure, axes)
    return Figure(
        f"flow-error-{dataset}",
        f"Errors of the flow's solvers with exact scores: {dataset}",
        "Median distance of a sample from where the flow itself ends from the same start (solved to a tolerance of 1e-9), against "
        "evaluations with the last, denoising one; means over replicates. Dotted: first and second order. A solver is as good as "
        "its order where its line is as steep.",
        "Lines that fall by one or by two powers of ten for each power of ten of evaluations, a panel for each path.",
        figure,
        runs=found,
        data=measured(rows, "flow_error"),
        tips=tips,
    )


def slopes(axis: Axes, cells: pd.DataFrame) -> None:
    """Draw what first and second order look like, from the upper left."""
    if not len(cells):
        return
    nfe, top = np.array([cells.nfe.min(), cells.nfe.max()]), cells.value.quantile(0.9)
    bottom, upper = axis.get_ylim()
    for order in (1, 2):
        axis.plot(nfe, top * (nfe / nfe[0]) ** -order, ":", color=GREY, linewidth=1, zorder=0)
        axis.annotate(f"order {order}", (nfe[1], top * (nfe[1] / nfe[0]) ** -order), fontsize=7, color="#666666", ha="right", va="bottom")
    axis.set_ylim(bottom, upper)


def discrepancies(found: list[RunFolder], dataset: str) -> Figure:
    """The discrepancy of samples from the mixture for every sampler on every path, by evaluations."""
    rows = rows_of(found)
    rows = rows[rows.dataset == dataset]
    cells = averaged(cells_of(rows, "mmd"))
    models = list(dict.fromkeys(cells.variant))
    figure, tips = small_panels(cells, models, drawing.MMD)
    return Figure(
        f"exact-{dataset}",
        f"Every sampler with exact scores: {dataset}",
        "Maximum mean discrepancy of samples from a mixture, by the closed form of its characteristic function, against "
        "evaluations; means over replicates. No network: what is missing to the dashed line, which exact samples read, is the "
        "sampler's own error. Warm colours: samplers that draw noise on the way; cold: solvers of the flow. Wide grey: the front. "
        "The last panel is the straight path's flow as a continuous normalising flow knows it, a velocity and no path.",
        "Small panels, one a path, whose lines fall to the dashed line, the flow's solvers of second order first.",
        figure,
        runs=found,
        data=measured(rows, "mmd"),
        tips=tips,
    )


def scaled(run: RunFolder, how: str, path: str) -> np.ndarray:
    """Return ways [times, starts, 2] over the deviation of data of variance 1 at their times, so that noise is as wide as data."""
    law: Any = ve(SIGMA_MIN, run.info["settings"]["sigma_max"]) if path == "ve" else PATHS[path]()
    t = torch.from_numpy(run.arrays[f"times_{path}"])
    deviation = (law.alpha(t).square() + law.sigma(t).square()).sqrt().numpy()
    return run.arrays[f"{how}_{path}"].astype(np.float64) / deviation[:, None, None]


def trajectories(run: RunFolder) -> Figure:
    """Ways from noise to data, of the flow above and of the reverse SDE below, from the same starts."""
    paths = list(run.info["settings"]["paths"])
    figure, grid = plt.subplots(2, len(paths), figsize=(WIDTH, WIDTH * 2 / 3 / max(1, len(paths) / 3)), squeeze=False, sharex=True, sharey=True)
    moving = []
    for line, how in zip(grid, HOW):
        for axis, path in zip(line, paths):
            moving.append((axis, scaled(run, how, path)))
            axis.plot(*run.arrays["data"].T, ".", color="#D8D8D8", markersize=3, markeredgewidth=0, rasterized=True)
            axis.set(xticks=[], yticks=[], aspect="equal", title=name(path) if how == "ode" else "")
        line[0].set_ylabel(HOW[how])
    wide = 1.05 * max(np.abs(found[:, :STARTS]).max() for _, found in moving)
    grid[0, 0].set(xlim=(-wide, wide), ylim=(-wide, wide))
    count = max(len(found) for _, found in moving)
    drawn = [axis_lines(axis, found) for axis, found in moving]

    def at(last: int) -> np.ndarray:
        for lines, (_, found) in zip(drawn, moving):
            for start, (way, end) in enumerate(lines):
                way.set_data(*found[: last + 1, start].T)
                end.set_data(*found[last : last + 1, start].T)
        return frame(figure)

    frames = [at(last) for last in [*range(0, count - 1, EVERY), count - 1]]
    return Figure(
        "ways",
        "From noise to data from one start",
        f"The ways of {STARTS} starts (open circles, a colour each, the same in every panel) to samples (dots) of a mixture (grey) "
        "with its exact score. Above the flow, solved closely; below the reverse SDE, Euler-Maruyama with small steps. Each state "
        "is shown over the deviation at its time, so that noise is as wide in all panels. Between paths the flow's ends "
        "nearly agree, for scaled so it is one flow at other times; those of the SDE are draws of their own.",
        "Smooth lines in the upper panels and jagged ones in the lower, from the same six circles to dots on the grey data.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        frames=frames,
    )


def axis_lines(axis: Axes, found: np.ndarray) -> list[tuple[Any, Any]]:
    """Draw the starts of ways [times, starts, 2]; return for each the line of its way and the dot at its end."""
    lines = []
    for start in range(min(STARTS, found.shape[1])):
        look = {"color": PALETTE[start % len(PALETTE)]}
        axis.plot(*found[0, start], "o", fillstyle="none", markersize=5, **look)
        (way,) = axis.plot([], [], linewidth=0.9, alpha=0.85, **look)
        (end,) = axis.plot([], [], "o", markersize=4.5, markeredgecolor="white", markeredgewidth=0.5, **look)
        lines.append((way, end))
    return lines
