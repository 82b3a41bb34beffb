"""Figures of FFJORD itself: estimates of the trace, their cost, dimension, solver error, inversion (Sections 3, 5, App. C)."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from common.measure.drawing import datasets, plain, rows_of
from common.measure.figure_data import measured
from common.measure.figures import BLACK, BLUE, GREY, ORANGE, Figure, Runs
from replications.ffjord.drawing import WIDTH, against, legend, panels, powers_of_ten
from replications.ffjord.names import name, shade

NOISES = {"gaussian": (ORANGE, 0.97), "rademacher": (BLUE, 1.03)}  # colours, and where dots lie beside their width
STATES = {"untrained": (GREY, "before training"), "trained": (BLUE, "after training")}
# float64 below as a wide pale line: where both agree, both are seen
PRECISIONS = {
    "float64": {"color": ORANGE, "linewidth": 3, "alpha": 0.45},
    "float32": {"color": BLUE, "linewidth": 1, "alpha": 0.8},
}
ERRORS = {"round_trip_error": ("round trip", "-"), "log_density_gap": ("log-density, nats", "--")}


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for experiment, drawings in {
        "estimators": (bottleneck, cost),
        "dimension": (dimension,),
        "solver_error": (solver_error,),
        "densities_2d": (inversion,),
    }.items():
        if runs.find(experiment):
            yield from (partial(draw, runs) for draw in drawings)


def bottleneck(runs: Runs) -> Figure:
    """Variance of the estimate through a bottleneck over that of the plain one, by width (Section 3.1.1)."""
    found = runs.find("estimators")
    rows = rows_of(found)
    rows = rows[rows.metric == "variance_ratio"]
    dimensions = found[0].info["settings"]["dimensions"]
    figure, axis = plt.subplots(figsize=(4.8, 3))
    for noise, (colour, beside) in NOISES.items():
        if (mine := rows[rows.method == noise]).empty:
            continue
        exact, dots = (mine[mine.variant == variant] for variant in ("closed form", "measured"))
        means = exact.groupby("at").value.mean()
        axis.plot(means.index, means, color=colour, label=f"{noise.capitalize()}, closed form")
        axis.plot(beside * dots["at"], dots.value, "o", color=colour, alpha=0.6, markeredgewidth=0, label="measured")
    if len(widths := np.array(sorted(rows["at"].unique()))):
        axis.plot(widths, widths / dimensions, color=BLACK, linestyle="--", linewidth=1, label="H / D")
    axis.set(xscale="log", yscale="log", xlabel="width H of the bottleneck", ylabel="variance with it over without")
    ticked(axis, widths)
    plain(axis.yaxis, (1, 2, 5))
    legend(axis, "upper left")
    return Figure(
        "bottleneck",
        "What a bottleneck spares an estimate of the trace",
        f"Cf. Section 3.1.1, Equation 9. Random matrices of D = {dimensions} dimensions and rank H: the variance of the trace's "
        "estimate with noise of H dimensions over that with noise of D. Lines are means of the closed form, dots means measured "
        "over many probes, one for each replicate.",
        "Log-log plot against the width: for Gaussian noise and for Rademacher noise a line with dots on it rises to 1 where the "
        "bottleneck is as wide as the space, close to the dashed line.",
        figure,
        runs=found,
        data=measured(rows, "variance_ratio"),
    )


def cost(runs: Runs) -> Figure:
    """Operations of the exact trace over those of the estimate, by dimension (Section 3.2)."""
    found = runs.find("estimators")
    rows = rows_of(found)
    rows = rows[rows.metric == "operations_exact_over_estimate"]
    figure, axis = plt.subplots(figsize=(4.8, 3))
    if len(along := np.array(sorted(rows["at"].unique()))):
        axis.plot(along, (1 + along) / 2, color=BLACK, linestyle="--", linewidth=1, label="(1 + D) / 2")
        axis.plot(rows["at"], rows.value, "o", color=BLUE, alpha=0.6, markeredgewidth=0, label="counted")
    axis.set(xscale="log", yscale="log", xlabel="dimension D", ylabel="operations, exact over estimate")
    ticked(axis, along)
    plain(axis.yaxis, (1, 2, 5))
    legend(axis, "upper left")
    return Figure(
        "cost",
        "What the exact trace costs more than its estimate",
        "Cf. Section 3.2. Operations of one evaluation of field and trace, exact over estimated with one probe; a dot for each "
        "replicate. Dashed: one evaluation of the field and D vector-Jacobian products, over one and one, all of equal cost.",
        "Log-log plot of a ratio of operations against the dimension; the dots rise along the dashed line.",
        figure,
        runs=found,
        data=measured(rows, "operations_exact_over_estimate"),
    )


def dimension(runs: Runs) -> Figure:
    """Evaluations before and after training by dimension, and how far each flow got (Section 5.2, Figure 5)."""
    found = runs.find("dimension")
    rows = rows_of(found)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(WIDTH, 2.7))
    for axis, metric, title in (
        (left, "nfe_forward", "evaluations, forward"),
        (middle, "nfe_backward", "evaluations, backward"),
        (right, "kl_per_column", "divergence per column, nats"),
    ):
        mine = rows[rows.metric == metric]
        for state, (colour, label) in STATES.items():
            against(axis, mine[mine.variant == state], colour, label)
        axis.set(xscale="log", xlabel="dimension D", title=title)
        ticked(axis, np.array(sorted(mine["at"].unique())))
    for axis in (left, middle):
        axis.set_ylim(0, 1.1 * rows[rows.metric.isin(["nfe_forward", "nfe_backward"])].value.max())
    right.set_yscale("log")
    plain(right.yaxis, (1, 3))
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return Figure(
        "dimension",
        "Evaluations by dimension, on columns that are independent and alike",
        "Cf. Figure 5. Flows of one width, trained alike, on columns that are all the same mixture. Evaluations of field and "
        "trace for a log-density, and vector-Jacobian products for its gradient, before and after training. Right: the "
        "Kullback-Leibler divergence from the data to the flow, per column, which says how far each flow got: evaluations "
        "compare only where it is alike. Bands span the replicates.",
        "Three plots against the dimension, with a line before and one after training: evaluations forward and backward, "
        "both of which training raises, and the divergence, which it lowers.",
        figure,
        runs=found,
        data=measured(rows, "nfe_forward", "nfe_backward", "kl_per_column"),
    )


def solver_error(runs: Runs) -> Figure:
    """Distance of a density's mass from one by tolerance, and that density (Appendix C, Figure 8)."""
    found = runs.find("solver_error")
    rows = rows_of(found)
    rows = rows[rows.metric == "mass_error"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3))
    for precision, look in PRECISIONS.items():
        for place, (_, mine) in enumerate(rows[rows.method == precision].sort_values("at").groupby("seed")):
            left.plot(mine["at"], mine.value, **look, label=precision if place == 0 else None)
    tolerances = sorted(rows["at"].unique())
    left.plot(tolerances, tolerances, color=BLACK, linestyle="--", linewidth=1, label="error = tolerance")
    left.set(xscale="log", yscale="log", xlabel="tolerance", ylabel="|1 − mass|")
    powers_of_ten(left.xaxis, left.yaxis)
    left.legend(loc="upper left")
    arrays = found[0].arrays
    right.plot(arrays["grid"], arrays["data"], color=BLACK, linestyle="--", label="data", zorder=3)
    for place, run in enumerate(found):
        look = {"linewidth": 1.2 if place == 0 else 0.6, "alpha": 1 if place == 0 else 0.6}
        right.plot(run.arrays["grid"], run.arrays["density_float64"], color=BLUE, label=None if place else "FFJORD", **look)
    inside = arrays["grid"][arrays["data"] > 1e-4 * arrays["data"].max()]
    right.set(xlim=(inside.min() - 1, inside.max() + 1), ylim=(0, None), xlabel="x", ylabel="density")
    right.legend()
    return Figure(
        "solver-error",
        "How far a density is from integrating to one",
        "Cf. Figure 8. Left: the mass of a learned density in one dimension, summed over a fine grid, by the solver's tolerance "
        "(absolute and relative alike) in either precision; a line for each replicate. Right: that density at the tightest "
        "tolerance, replicate 0 thick, the others thin, over the data's.",
        "Left: log-log plot of the error of the mass against the tolerance, two families of lines that nearly coincide, and the "
        "line where both are equal. Right: densities of three humps over the dashed one of the data.",
        figure,
        runs=found,
        data=measured(rows, "mass_error"),
        arrays="arrays.npz",
    )


def inversion(runs: Runs) -> Figure:
    """Error of the way to the base and back, and of a sample's two log-densities, by tolerance (Table 1)."""
    found = runs.find("densities_2d")
    rows = rows_of(found)
    rows = rows[(rows.method == "ffjord") & (rows.axis == "tolerance") & rows.metric.isin(ERRORS)]
    sets = datasets(runs, "densities_2d")
    figure, axes = panels(len(sets), 2.7, sharey=True)
    for place, (axis, dataset) in enumerate(zip(axes, sets)):
        mine = rows[rows.dataset == dataset]
        for metric, (label, linestyle) in ERRORS.items():
            against(axis, mine[mine.metric == metric], shade("ffjord") if linestyle == "-" else ORANGE, label, linestyle)
        if tolerances := sorted(rows["at"].unique()):
            axis.plot(tolerances, tolerances, color=BLACK, linestyle=":", linewidth=1, label="error = tolerance")
        axis.set(xscale="log", yscale="log", title=name(dataset), xlabel="tolerance")
        powers_of_ten(axis.xaxis, axis.yaxis)
        if place % 3 == 0:
            axis.set_ylabel("root mean square error")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return Figure(
        "inversion",
        "How exactly FFJORD inverts",
        "Cf. Table 1. By the solver's tolerance, in float64: how far held-out points are off after the way to the base and "
        "back, and the difference between a sample's log-density integrated on its way from the base and the one "
        "integrated on its way back. Lines are means over replicates, bands span them.",
        "A log-log panel for each data set: both errors fall with the tolerance, mostly above the line where they are equal.",
        figure,
        runs=found,
        data=measured(rows, *ERRORS),
    )


def ticked(axis: Axes, values: np.ndarray) -> None:
    """Mark on a logarithmic x axis the values that there are."""
    axis.xaxis.set_major_locator(FixedLocator(list(values)))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter("{x:g}")
