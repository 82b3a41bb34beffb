"""Figures of the samplers on a narrow mixture with its exact score: what is left is their own error."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from common.measure.drawing import plain, rows_of
from common.measure.figure_data import measured
from common.measure.figures import GREY, Figure, RunFolder, Runs
from replications.ffjord.drawing import WIDTH, against, panels
from replications.gotta_go_fast import drawing
from replications.gotta_go_fast.names import AT_A_TOLERANCE, SDES, name, shade

ERROR = "|R − R*| in s"
COST = ("nfe_max", "nfe_mean")
BINS = np.linspace(0.5, 1, 26)  # of a sample's evaluations over the slowest's


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    found = runs.find("exact_toy")
    if found:
        yield from (partial(draw, found) for draw in (errors, evaluations, rejections, ablations))


def errors(found: list[RunFolder]) -> Figure:
    """Error against evaluations: the solver by tolerance, rivals with as many evaluations, and what has all."""
    rows, settings = rows_of(found), found[0].info["settings"]
    rows = rows[(rows.metric == "residual_error") & (rows.axis.isin(["", "tolerance"]))]
    figure, axes = panels(len(SDES), 3.3, per_line=2)
    for axis, sde in zip(axes, SDES):
        mine = rows[rows.dataset == sde]
        axis.set(xscale="log", yscale="log", title=name(sde), xlabel="evaluations", ylabel=ERROR if sde == SDES[0] else "")
        for method in AT_A_TOLERANCE:
            drawing.curve(axis, mine[(mine.axis == "tolerance") & (mine.method == method)], method, annotate=method == "ggf")
        drawing.points(axis, mine)
        drawing.floor_below(axis, mine[mine.method == "data"])
        drawing.ticks(axis)
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


def spread(axis: Axes, found: list[RunFolder]) -> None:
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
            drawing.at_values(axis, mine)
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
    for axis, title in ((left, "evaluations over the published solver's"), (right, ERROR)):
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
