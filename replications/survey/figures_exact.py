"""Figures of the samplers alone, with exact scores: their errors by evaluations, and ways from noise to data."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from common.dynamics.paths import PATHS, ve
from common.measure.drawing import rows_of
from common.measure.figure_data import measured
from common.measure.figures import BLACK, GREY, PALETTE, Figure, RunFolder, Runs, Tip, frame
from replications.ffjord.drawing import WIDTH, panels, powers_of_ten
from replications.gotta_go_fast.drawing import below, ticks
from replications.score_sde.facts.toy_mixture import SIGMA_MIN
from replications.survey import drawing
from replications.survey.figures_quality import small_panels
from replications.survey.fronts import averaged, cells_of
from replications.survey.names import line_shade, mark, name

STARTS = 4  # whose ways are drawn
EVERY = 5  # times between two frames
HOW = {"ode": "flow (ODE)", "sde": "reverse SDE"}
LOOKS: dict[str, dict[str, Any]] = {"sde": {"linewidth": 0.8, "alpha": 0.75}, "ode": {"linewidth": 2.2}}


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
        "Median distance of a sample from where the flow itself ends from the same start (solved to a tolerance of 1e-9), "
        "against evaluations with the last, denoising one; means over replicates. Dotted: first and second order. A solver is "
        "as good as its order where its line is as steep.",
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
        axis.annotate(f"order {order}", (nfe[1], top * (nfe[1] / nfe[0]) ** -order), fontsize=7, color="#555555", ha="right",
                      va="bottom", path_effects=[withStroke(linewidth=2, foreground="white")])  # fmt: skip
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
        "sampler's own error. Warm colours: samplers that draw noise on the way; cold: solvers of the flow. Wide grey: the "
        "front. The last panel is the straight path's flow as a continuous normalising flow knows it, a velocity and no path.",
        "Small panels, one a path, whose lines fall to the dashed line, the flow's solvers of second order first.",
        figure,
        runs=found,
        data=measured(rows, "mmd"),
        tips=tips,
    )


def scaled(run: RunFolder, how: str, path: str) -> np.ndarray:
    """Return ways [times, starts, 2] over the deviation of data of variance 1 at their times, so that noise is as wide as "
    "data."""
    law: Any = ve(SIGMA_MIN, run.info["settings"]["sigma_max"]) if path == "ve" else PATHS[path]()
    t = torch.from_numpy(run.arrays[f"times_{path}"])
    deviation = (law.alpha(t).square() + law.sigma(t).square()).sqrt().numpy()
    return run.arrays[f"{how}_{path}"].astype(np.float64) / deviation[:, None, None]


def trajectories(run: RunFolder) -> Figure:
    """One coordinate from noise to data on every path, of the flow and of the reverse SDE, from the same starts."""
    paths = list(run.info["settings"]["paths"])
    figure, axes = plt.subplots(1, len(paths), figsize=(WIDTH, 3.3), squeeze=False, sharey=True)
    moving = []
    for axis, path in zip(axes[0], paths):
        times = run.arrays[f"times_{path}"]
        axis.set(title=name(path), xlabel="time t, from noise to data", xlim=(1.02, -0.22), xticks=[1, 0.5, 0])
        axis.hist(run.arrays["data"][:, 0], bins=40, orientation="horizontal", color="#C4C4C4", **below_zero(run))
        for how, look in LOOKS.items():
            moving += [(line, times, way) for line, way in lines(axis, scaled(run, how, path)[:, :, 0], look)]
    axes[0, 0].set_ylabel("first coordinate, scaled")
    wide = 1.05 * max(np.abs(way).max() for _, _, way in moving)
    axes[0, 0].set_ylim(-wide, wide)
    styles = [Line2D([], [], color=BLACK, label=HOW[how], **look) for how, look in LOOKS.items()]
    below(figure, [], more=[*styles, Line2D([], [], color="#C4C4C4", linewidth=5, label="data")])
    count = max(len(times) for _, times, _ in moving)

    def at(last: int) -> np.ndarray:
        for line, times, way in moving:
            line.set_data(times[: last + 1], way[: last + 1])
        return frame(figure)

    return Figure(
        "ways",
        "From noise to data from one start: flow and reverse SDE",
        f"The ways of {STARTS} starts (dots, a colour each, the same in every panel) to samples of a mixture with its exact "
        "score: along the flow, solved closely, and along the reverse SDE by small Euler-Maruyama steps. First of two "
        "coordinates, each state over the deviation at its time, so that noise is as wide in all panels. Grey at the right: "
        "data. Scaled so, the paths' flows are one flow at other times and end almost alike; the ends of the SDE are draws of "
        "their own.",
        "A panel for each path: smooth lines and jagged ones of the same colours leave the same dots at the left and reach the "
        "grey density at the right.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        frames=[at(last) for last in [*range(0, count - 1, EVERY), count - 1]],
    )


def below_zero(run: RunFolder) -> dict[str, Any]:
    """Return how a histogram of the data grows from time 0 to the right, a fifth of the axis long."""
    counts, _ = np.histogram(run.arrays["data"][:, 0], bins=40)
    return {"weights": np.full(len(run.arrays["data"]), -0.2 / counts.max())}


def lines(axis: Axes, ways: np.ndarray, look: dict[str, Any]) -> Iterator[tuple[Line2D, np.ndarray]]:
    """Draw the starts of ways [times, starts]; yield the line of each, still empty, and what it is to show."""
    for start in range(min(STARTS, ways.shape[1])):
        colour = PALETTE[start]
        axis.plot([1], ways[:1, start], "o", color=colour, markersize=5)
        (line,) = axis.plot([], [], color=colour, **look)
        yield line, ways[:, start]
