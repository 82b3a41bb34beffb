"""Figures of the samplers on a narrow mixture with its exact score: what is left is their own error."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from common.measure.drawing import plain, rows_of
from common.measure.figure_data import measured
from common.measure.figures import BLACK, GREY, Figure, RunFolder, Runs
from replications.ffjord.drawing import WIDTH, against, panels
from replications.gotta_go_fast import drawing
from replications.gotta_go_fast.names import AT_A_TOLERANCE, SDES, name, shade

ERROR = "|R − R*|"
COST = ("nfe_max", "nfe_mean")
LINES = ("-", "--", ":", "-.")  # of several tolerances
BINS = np.linspace(0.5, 1, 26)  # of a sample's evaluations over the slowest's


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    found = runs.find("exact_toy")
    if found:
        yield from (partial(draw, found) for draw in (errors, evaluations, rejections, sigma_max, ablations, solvers))


def errors(found: list[RunFolder]) -> Figure:
    """Error against evaluations: the solver by tolerance, rivals with as many evaluations, and what has all."""
    rows, settings = rows_of(found), found[0].info["settings"]
    rows = rows[(rows.metric == "residual_error") & (rows.axis.isin(["", "tolerance"]))]
    figure, axes = panels(len(SDES), 3.3, per_line=2)
    for axis, sde in zip(axes, SDES):
        mine = rows[rows.dataset == sde]
        axis.set(
            xscale="log", yscale="log", title=name(sde), xlabel="evaluations", ylabel=f"{ERROR} in s" if sde == SDES[0] else ""
        )
        for method in AT_A_TOLERANCE:
            drawing.curve(axis, mine[(mine.axis == "tolerance") & (mine.method == method)], method, annotate=method == "ggf")
        drawing.points(axis, mine)
        plain_floor(axis, mine[mine.method == "data"])
    drawing.below(figure, axes)
    return Figure(
        "exact-error",
        "Error against evaluations with exact scores",
        f"Cf. Table 1. {settings['samples']} samples of a mixture of narrow modes of standard deviation s in {settings['dim']} "
        "dimensions. R: root mean square distance to the nearest centre over s √d; R*: that of an error-free sampler. GGF: the "
        "adaptive solver, its tolerance beside each dot; Euler-Maruyama and DDIM (VP alone) have as many evaluations as its "
        "slowest sample. Marks without a line have no tolerance. Dots and marks are means over replicates, which are faint. "
        "Dashed: as many exact samples; what lies below it is as good as they are.",
        "A panel for each SDE. VP: the line of the adaptive solver lies well below that of Euler-Maruyama, which rises as "
        "evaluations fall. VE: both lie close together near the dashed line, except at the fewest evaluations.",
        figure,
        runs=found,
        data=measured(rows, "residual_error"),
    )


def plain_floor(axis: plt.Axes, rows: pd.DataFrame) -> None:
    """Mark the floor of a panel's errors, end the panel below it and label its axes."""
    drawing.floor(axis, rows)
    drawing.down_to_the_floor(axis, rows)
    drawing.ticks(axis)


def evaluations(found: list[RunFolder]) -> Figure:
    """Evaluations against the tolerance, and how they are spread over samples."""
    rows = rows_of(found)
    rows = rows[(rows.axis == "tolerance") & (rows.method == "ggf")]
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3), width_ratios=(1.2, 1))
    for sde in SDES:
        drawing.cost(left, rows[rows.dataset == sde], shade(sde), name(sde))
    left.set(xscale="log", yscale="log", title="evaluations of a sample", xlabel="relative tolerance")
    plain(left.xaxis, (1, 2, 5))
    plain(left.yaxis, (1, 2, 5))
    spread(right, found)
    drawing.below(figure, [left], more=drawing.slowest_and_mean())
    return Figure(
        "exact-evaluations",
        "Evaluations by tolerance with exact scores",
        "Cf. Table 1. What the adaptive solver costs on a mixture with its exact score. Left: evaluations of the slowest sample, "
        "as published (full line), and the mean over samples (dotted), by the relative tolerance; bands span the replicates. "
        "Right: each sample's evaluations over those of the slowest one drawn with it, at each tolerance, VP above and VE below "
        "its line; the highest bar of either is as high as that of the others. All replicates together.",
        "Left: falling lines, that of VE steeper than that of VP. Right: heaps that lie near 1 at small tolerances and farther "
        "below it at the largest.",
        figure,
        runs=found,
        data=measured(rows, *COST),
        arrays="arrays.npz",
    )


def spread(axis: plt.Axes, found: list[RunFolder]) -> None:
    """Draw how samples' evaluations are spread at each tolerance: VP above its line, VE below."""
    tolerances = sorted({float(at) for run in found for at in run.arrays["tolerances"]})
    for height, tolerance in enumerate(tolerances):
        axis.axhline(height, color=GREY, linewidth=0.6)
        for sde, up in zip(SDES, (-1, 1)):
            shares = shares_of(found, sde, tolerance)
            if len(shares):
                counts = np.histogram(shares, BINS)[0]
                axis.stairs(height + up * 0.42 * counts / counts.max(), BINS, baseline=height, fill=True, color=shade(sde))
    axis.set_yticks(range(len(tolerances)), [f"{tolerance:g}" for tolerance in tolerances])
    axis.set(ylim=(max(1, len(tolerances)) - 0.5, -0.5), xlim=(BINS[0], 1), ylabel="relative tolerance")
    axis.set(title="a sample's evaluations over the slowest's")
    axis.grid(axis="y", visible=False)


def shares_of(found: list[RunFolder], sde: str, tolerance: float) -> np.ndarray:
    """Return samples' evaluations over their run's slowest one's at a tolerance, those below half as one half."""
    parts = [run.arrays[f"{sde}_nfe"][run.arrays["tolerances"] == tolerance] for run in found if f"{sde}_nfe" in run.arrays]
    counts = [counts for part in parts for counts in part]
    return np.concatenate([np.maximum(each / each.max(), BINS[0]) for each in counts]) if counts else np.zeros(0)


def rejections(found: list[RunFolder]) -> Figure:
    """Share of rejected steps against the tolerance and against the dimension."""
    rows = rows_of(found)
    rows = rows[(rows.metric == "rejected_share") & (rows.method == "ggf") & rows.axis.isin(["tolerance", "dimension"])]
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 2.7), sharey=True)
    for axis, along, label, subs in zip(
        axes, ("tolerance", "dimension"), ("relative tolerance", "dimensions d"), ((1, 2, 5), ())
    ):
        mine = rows[rows.axis == along]
        for sde in SDES:
            against(axis, mine[mine.dataset == sde], shade(sde), name(sde))
        axis.set(xscale="log", xlabel=label)
        if subs:
            plain(axis.xaxis, subs)
        else:
            at_values(axis, mine)
    axes[0].set(ylabel="share of rejected steps")
    axes[0].set_ylim(bottom=0)
    drawing.below(figure, axes)
    settings = found[0].info["settings"]
    return Figure(
        "rejections",
        "Rejected steps",
        "Cf. Section 3. Share of all steps that the adaptive solver rejects on a mixture with its exact score. Left: by the "
        f"relative tolerance, in {settings['dim']} dimensions. Right: by the number of dimensions, at a relative tolerance of "
        f"{settings['dimension_tolerance']:g}. Bands span the replicates.",
        "Left: lines that rise at large tolerances. Right: lines that fall as dimensions grow.",
        figure,
        runs=found,
        data=measured(rows, "rejected_share"),
    )


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
    for axis, title in ((left, f"{ERROR} in s"), (right, "Euler-Maruyama's over GGF's")):
        axis.set(xscale="log", yscale="log", title=title, xlabel=r"largest noise $\sigma_{max}$")
        axis.margins(x=0.1)
        at_values(axis, rows)
        drawing.ticks(axis, "y")
    drawing.floor(left, rows)
    drawing.at_one(right, "y")
    methods = [Line2D([], [], color=shade(method), label=name(method)) for method in ("ggf", "euler_maruyama")]
    drawing.below(figure, [left], ncols=5, more=[*methods, *styles.values()])
    return Figure(
        "sigma-max",
        "Errors by the largest noise",
        "Cf. Table 2, whose images of 256 × 256 pixels have a largest noise of 348 or 380. The VE path on a mixture with its "
        "exact score; the adaptive solver at some relative tolerances (kinds of lines) and Euler-Maruyama at as many evaluations. "
        "Left: error, means over replicates; thin dashed: as many exact samples. Right: Euler-Maruyama's mean error over the "
        "adaptive solver's; a dot is a replicate. Where both errors are near that of exact samples, their ratio is chance.",
        "Left: lines of both samplers near the dashed line. Right: a line for each tolerance around or above 1.",
        figure,
        runs=found,
        data=measured(rows, "residual_error"),
    )


def ratio(axis: plt.Axes, rows: pd.DataFrame, line: str) -> None:
    """Draw Euler-Maruyama's error over the adaptive solver's: of the means over replicates, and a faint dot for each of them."""
    both = rows.pivot_table(index=["at", "seed"], columns="method", values="value").reindex(columns=["euler_maruyama", "ggf"])
    both = both.dropna()
    each, mean = both.euler_maruyama / both.ggf, both.groupby("at").mean()
    axis.plot(each.index.get_level_values("at"), each, "o", color=BLACK, alpha=0.3, markersize=4, markeredgewidth=0)
    axis.plot(mean.index, mean.euler_maruyama / mean.ggf, color=BLACK, linestyle=line, marker="o", markersize=3)


def at_values(axis: plt.Axes, rows: pd.DataFrame) -> None:
    """Label an axis where there are rows."""
    at = sorted(rows["at"].unique())
    axis.set_xticks(at, [f"{each:g}" for each in at])
    axis.set_xticks([], minor=True)


def ablations(found: list[RunFolder]) -> Figure:
    """Evaluations of the solver's variants over the default's, and their error."""
    rows, settings = rows_of(found), found[0].info["settings"]
    rows = rows[rows.axis == "ablation"]
    lines = [method for method in settings["ablations"] if method in set(rows.method)]
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 1.3 + 0.34 * len(lines)), sharey=True)
    drawing.variants(left, drawing.over_default(rows[rows.metric == "nfe_max"], "dataset"), "dataset", lines)
    drawing.at_one(left)
    error = rows[rows.metric == "residual_error"]
    # what is far below the floor is as exact samples, however far
    drawing.variants(right, error.assign(value=error.value.clip(lower=error.floor / 4)), "dataset", lines)
    drawing.floor(right, error, along="x")
    for axis, title in ((left, "evaluations over the published solver's"), (right, f"{ERROR} in s")):
        axis.set(xscale="log", title=title)
        drawing.ticks(axis, "x")
    drawing.below(figure, [left])
    return Figure(
        "exact-ablations",
        "Variants of the solver with exact scores",
        f"Cf. the appendix's ablations. {settings['few']} samples of a mixture with its exact score at a relative tolerance of "
        f"{settings['ablation_tolerance']:g}, all from the same noise. Left: evaluations of the slowest sample over those of the "
        "solver as published. Right: error; dashed: as many exact samples; a dot below a quarter of that stands there. Largest "
        "component's error: in place of the root mean square. Lamba: the error of the drift alone, with exponent 0.5. A dot is a "
        "replicate, a bar their mean.",
        "A line of dots for each variant. The largest component's error takes several times the evaluations, Lamba under half "
        "with larger errors; without extrapolation errors are larger at as many evaluations.",
        figure,
        runs=found,
        data=measured(rows, *COST, "residual_error", "rejected_share"),
    )


def solvers(found: list[RunFolder]) -> Figure:
    """Off-the-shelf adaptive solvers against Euler-Maruyama and the paper's: error against evaluations."""
    every = pd.concat([run.metrics for run in found], ignore_index=True)
    every = every[(every.metric == "residual_error") & every.axis.isin(["", "tolerance"])]
    shelf = every[every.method.str.startswith("torchsde_")]
    shown = [sde for sde in SDES if sde in set(shelf.dataset)]
    figure, axes = panels(len(shown), 3.4, per_line=2)
    for axis, sde in zip(axes, shown):
        mine = every[(every.dataset == sde) & (every.status == "ok")]
        axis.set(
            xscale="log", yscale="log", title=name(sde), xlabel="evaluations", ylabel=f"{ERROR} in s" if sde == shown[0] else ""
        )
        for method in ("ggf", "euler_maruyama", *dict.fromkeys(shelf.method)):
            chosen = mine[(mine.axis == "tolerance") & (mine.method == method)]
            drawing.curve(axis, chosen, method, annotate=method not in AT_A_TOLERANCE)
        drawing.points(axis, mine, ["euler_maruyama_full"])
        plain_floor(axis, mine[mine.method.isin(shelf.method)])
    drawing.below(figure, axes, ncols=4, more=[Line2D([], [], linestyle="", label=text) for text in refused(shelf)])
    settings = found[0].info["settings"]
    return Figure(
        "solvers",
        "Off-the-shelf adaptive solvers",
        "Cf. the appendix's table of solvers. torchsde's adaptive solvers, each at some tolerances (beside its dots), which are "
        "relative and absolute, against the adaptive solver and Euler-Maruyama with as many evaluations, on a mixture with its "
        f"exact score. A solver is given up after {settings['shelf_evaluations']} evaluations, or when values are not finite. "
        "Dots are means over replicates, which are faint. Dashed: as many exact samples as torchsde's.",
        "Lines of error against evaluations; those of torchsde's solvers fall steeply with their tolerance.",
        figure,
        runs=found,
        data=measured(every, "residual_error"),
    )


def refused(shelf: pd.DataFrame) -> list[str]:
    """Return a line for each solver and tolerance that was given up in any replicate."""
    lost = shelf[shelf.status == "refused"]
    return [
        f"given up: {name(method)} at {at:g} ({name(sde)})"
        for sde, method, at in dict.fromkeys(zip(lost.dataset, lost.method, lost["at"]))
    ]
