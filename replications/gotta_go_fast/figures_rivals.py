"""Figures of the largest noise, and of off-the-shelf solvers in the paper's place."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from common.measure.drawing import datasets, rows_of
from common.measure.figure_data import measured
from common.measure.figures import BLACK, Figure, RunFolder, Runs
from replications.ffjord.drawing import WIDTH, against, panels
from replications.gotta_go_fast import drawing
from replications.gotta_go_fast.names import AT_A_TOLERANCE, ON_MODELS, SDES, name, shade

ERROR = "|R − R*| in s"
SHELF = (
    "Cf. the appendix's table of solvers. torchsde's adaptive solvers, each at some tolerances (beside its dots), which are "
    "relative and absolute, against the adaptive solver and Euler-Maruyama with as many evaluations."
)
Floor = Callable[[Axes, pd.DataFrame], None]  # draws it into a panel of errors
LINES = ("-", "--", ":", "-.")  # of several tolerances


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    found = runs.find("exact_toy")
    if found:
        yield from (partial(draw, found) for draw in (sigma_max, exact_solvers))
    for experiment in ON_MODELS:
        for dataset in datasets(runs, experiment):
            found = runs.find(experiment, dataset=dataset)
            if found[0].info["settings"]["shelf"]:
                yield partial(learned_solvers, found, dataset)


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


def exact_solvers(found: list[RunFolder]) -> Figure:
    """Off-the-shelf adaptive solvers against Euler-Maruyama and the paper's, with exact scores."""
    every = comparable(found, "residual_error")
    figure, lost = solvers(every, "dataset", SDES, ERROR, drawing.floor_below)
    return Figure(
        "exact-solvers",
        "Off-the-shelf adaptive solvers with exact scores",
        f"{SHELF} Error against evaluations on a mixture with its exact score. A solver is given up after "
        f"{found[0].info['settings']['shelf_evaluations']} evaluations, or when values are not finite. {lost}"
        "Dots are means over replicates, which are faint. Dashed: as many exact samples as torchsde's.",
        "Lines of error against evaluations; those of torchsde's solvers fall steeply with their tolerance.",
        figure,
        runs=found,
        data=measured(every, "residual_error"),
    )


def learned_solvers(found: list[RunFolder], dataset: str) -> Figure:
    """Off-the-shelf adaptive solvers against Euler-Maruyama and the paper's, on trained models."""
    every = comparable(found, "feature_frechet")
    figure, lost = solvers(every, "variant", found[0].info["settings"]["models"], "feature Fréchet distance", drawing.floor)
    return Figure(
        f"solvers-{dataset}",
        f"Off-the-shelf adaptive solvers: {dataset}",
        f"{SHELF} Distance of samples to test images in features against evaluations, on trained models. A solver is given up "
        f"when it takes too many evaluations or its values are not finite. {lost}Dots are means over replicates, which are "
        "faint. Dashed: as many training images.",
        "Lines of distance against evaluations, with a few dots of torchsde's solvers.",
        figure,
        runs=found,
        data=measured(every, "feature_frechet"),
    )


def comparable(found: list[RunFolder], metric: str) -> pd.DataFrame:
    """Return a metric's rows in full and by tolerance, with those of solvers that were given up."""
    every = pd.concat([run.metrics for run in found], ignore_index=True)
    return every[(every.metric == metric) & every.axis.isin(["", "tolerance"])]


def solvers(
    every: pd.DataFrame, group: str, groups: Iterable[str], label: str, floor: Callable[[Axes, pd.DataFrame], None]
) -> tuple[Drawing, str]:
    """Draw a panel for each group in which torchsde's solvers ran; return the figure and what says which were given up."""
    shelf = every[every.method.str.startswith("torchsde_")]
    shown = [key for key in groups if key in set(shelf[group])]
    figure, axes = panels(len(shown), 3.4, per_line=2)
    for axis, key in zip(axes, shown):
        mine = every[(every[group] == key) & (every.status == "ok")]
        axis.set(xscale="log", yscale="log", title=name(key), xlabel="evaluations", ylabel=label if axis in axes[::2] else "")
        for method in ("ggf", "euler_maruyama", *dict.fromkeys(shelf.method)):
            chosen = mine[(mine.axis == "tolerance") & (mine.method == method)]
            drawing.curve(axis, chosen, method, annotate=method not in AT_A_TOLERANCE)
        drawing.points(axis, mine, ["euler_maruyama_full"])
        floor(axis, mine[mine.method.isin(shelf.method)])
        drawing.ticks(axis)
    drawing.below(figure, axes, ncols=4)
    lost = shelf[shelf.status == "refused"]
    names = [
        f"{name(method)} at {at:g} ({name(key)})" for key, method, at in dict.fromkeys(zip(lost[group], lost.method, lost["at"]))
    ]
    return figure, f"Given up in some replicate: {', '.join(names)}. " if names else ""
