"""Figures of the largest noise and of off-the-shelf solvers, on a narrow mixture with its exact score."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from common.measure.drawing import rows_of
from common.measure.figure_data import measured
from common.measure.figures import BLACK, Figure, RunFolder, Runs
from replications.ffjord.drawing import WIDTH, against, panels
from replications.gotta_go_fast import drawing
from replications.gotta_go_fast.names import AT_A_TOLERANCE, SDES, name, shade

ERROR = "|R − R*| in s"
LINES = ("-", "--", ":", "-.")  # of several tolerances


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    found = runs.find("exact_toy")
    if found:
        yield from (partial(draw, found) for draw in (sigma_max, solvers))


def sigma_max(found: list[RunFolder]) -> Figure:
    """Errors of the solver and of Euler-Maruyama by the largest noise, and their ratio."""
    rows = rows_of(found)
    rows = rows[(rows.axis == "sigma_max") & (rows.metric == "residual_error")]
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3))
    tolerances, styles = sorted(set(rows.variant) - {""}), {}
    for tolerance, line in zip(tolerances, LINES * len(tolerances)):
        mine = rows[rows.variant == tolerance]
        for method in ("ggf", "euler_maruyama"):
            against(left, mine[mine.method == method], shade(method), "", line, band=False)
        ratio(right, mine, line)
        styles[tolerance] = Line2D([], [], color=BLACK, linestyle=line, label=tolerance)
    full = rows[rows.method == "euler_maruyama_full"].groupby("at").value.mean()
    left.plot(full.index, full, "s", color=shade("euler_maruyama_full"), label=name("euler_maruyama_full"))
    for axis, title in ((left, ERROR), (right, "Euler-Maruyama's over GGF's")):
        axis.set(xscale="log", yscale="log", title=title, xlabel=r"largest noise $\sigma_{max}$")
        axis.margins(x=0.1)
        drawing.at_values(axis, rows)
        drawing.ticks(axis, "y")
    drawing.floor(left, rows)
    drawing.at_one(right, "y")
    methods = [Line2D([], [], color=shade(method), label=name(method)) for method in ("ggf", "euler_maruyama")]
    drawing.below(figure, [left], ncols=5, more=[*methods, *styles.values()])
    return Figure(
        "sigma-max",
        "Errors by the largest noise",
        "Cf. Table 2, whose images of 256 × 256 pixels have a largest noise of 348 or 380. The VE path on a mixture with its "
        "exact score; the adaptive solver at some relative tolerances (kinds of lines), Euler-Maruyama at as many evaluations. "
        "Left: error, means over replicates; thin dashed: as many exact samples. Right: Euler-Maruyama's mean error over the "
        "adaptive solver's; a dot is a replicate. Where both errors are near that of exact samples, their ratio is chance.",
        "Left: lines of both samplers near the dashed line. Right: a line for each tolerance around or above 1.",
        figure,
        runs=found,
        data=measured(rows, "residual_error"),
    )


def ratio(axis: Axes, rows: pd.DataFrame, line: str) -> None:
    """Draw Euler-Maruyama's error over the adaptive solver's: of the means over replicates, and a faint dot for each of them."""
    both = rows.pivot_table(index=["at", "seed"], columns="method", values="value").reindex(columns=["euler_maruyama", "ggf"])
    both = both.dropna()
    each, mean = both.euler_maruyama / both.ggf, both.groupby("at").mean()
    axis.plot(each.index.get_level_values("at"), each, "o", color=BLACK, alpha=0.3, markersize=4, markeredgewidth=0)
    axis.plot(mean.index, mean.euler_maruyama / mean.ggf, color=BLACK, linestyle=line, marker="o", markersize=3)


def solvers(found: list[RunFolder]) -> Figure:
    """Off-the-shelf adaptive solvers against Euler-Maruyama and the paper's: error against evaluations."""
    every = pd.concat([run.metrics for run in found], ignore_index=True)
    every = every[(every.metric == "residual_error") & every.axis.isin(["", "tolerance"])]
    shelf = every[every.method.str.startswith("torchsde_")]
    shown = [sde for sde in SDES if sde in set(shelf.dataset)]
    figure, axes = panels(len(shown), 3.4, per_line=2)
    for axis, sde in zip(axes, shown):
        mine = every[(every.dataset == sde) & (every.status == "ok")]
        axis.set(xscale="log", yscale="log", title=name(sde), xlabel="evaluations", ylabel=ERROR if sde == shown[0] else "")
        for method in ("ggf", "euler_maruyama", *dict.fromkeys(shelf.method)):
            chosen = mine[(mine.axis == "tolerance") & (mine.method == method)]
            drawing.curve(axis, chosen, method, annotate=method not in AT_A_TOLERANCE)
        drawing.points(axis, mine, ["euler_maruyama_full"])
        drawing.floor_below(axis, mine[mine.method.isin(shelf.method)])
    lost = refused(shelf)
    drawing.below(figure, axes, ncols=4)
    settings = found[0].info["settings"]
    return Figure(
        "solvers",
        "Off-the-shelf adaptive solvers",
        "Cf. the appendix's table of solvers. torchsde's adaptive solvers, each at some tolerances (beside its dots), which are "
        "relative and absolute, against the adaptive solver and Euler-Maruyama with as many evaluations, on a mixture with its "
        f"exact score. A solver is given up after {settings['shelf_evaluations']} evaluations, or when values are not finite. "
        f"{'Given up in some replicate: ' + ', '.join(lost) + '. ' if lost else ''}"
        "Dots are means over replicates, which are faint. Dashed: as many exact samples as torchsde's.",
        "Lines of error against evaluations; those of torchsde's solvers fall steeply with their tolerance.",
        figure,
        runs=found,
        data=measured(every, "residual_error"),
    )


def refused(shelf: pd.DataFrame) -> list[str]:
    """Return each solver and tolerance that was given up in any replicate."""
    lost = shelf[shelf.status == "refused"]
    return [
        f"{name(method)} at {at:g} ({name(sde)})" for sde, method, at in dict.fromkeys(zip(lost.dataset, lost.method, lost["at"]))
    ]
