"""Figures of what the paper says of noise levels and steps, measured without a network."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from common.measure.drawing import dots, plain, rows_of
from common.measure.figure_data import measured, stacked
from common.measure.figures import BLACK, GREY, Figure, RunFolder, Runs
from replications.ffjord.drawing import WIDTH, legend, powers_of_ten
from replications.ncsnv2.facts.ladder_facts import RANGE
from replications.ncsnv2.names import name, shade
from replications.ncsnv2.noise_levels import levels_needed
from replications.ncsnv2.published import NCSN, PUBLISHED, Published

MODELS = {f"{model.paper}_{model.data}": model for model in (NCSN, *PUBLISHED)}
LIMIT = 2  # a relative step size from which on no chain is stable
NORMS = {"formula": "the technique's formula", "exact": "exact", "drawn": "drawn"}


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    found = runs.find("ladders")
    if found:
        yield from (partial(draw, found) for draw in (norms, ladders, step_sizes))


def norms(found: list[RunFolder]) -> Figure:
    """Distance of the norm of noise from its normal limit by dimension, and the mass on the shell of the level before."""
    rows = rows_of(found)
    distance, mass = (rows[rows.metric == metric] for metric in ("norm_ks", "shell_mass"))
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.7))
    for axis, part in ((left, distance), (right, mass)):
        for method, label in NORMS.items():
            by_dimension(axis, part[part.method == method], method, label)
        axis.set(xscale="log", xlabel="dimensions D")
    exact = distance[distance.method == "exact"].groupby("at").value.mean()
    root_of_dimension(left, exact, -0.5, "slope −1/2")
    floor = distance.groupby("at").floor.mean().dropna()
    left.plot(floor.index, floor, color=BLACK, linestyle="--", linewidth=1, label="floor of the drawn")
    left.set(yscale="log", title="Kolmogorov–Smirnov distance from N(√D σ, σ²/2)")
    right.set(title="mass on the shell of the level before")
    plain(left.yaxis, (1, 3))
    powers_of_ten(left.xaxis, right.xaxis)
    legend(left, "upper right")
    legend(right, "lower right")
    return Figure(
        "norms",
        "The norm of noise in many dimensions",
        "Cf. Proposition 2 and Section 3.2. Noise of width σ in D dimensions. Left: Kolmogorov–Smirnov distance of its norm from "
        "the normal distribution that the proposition has as its limit: exact, and of drawn noise; below the "
        "dashed line are 95% of draws of that normal distribution itself. Right: mass of a level within three standard "
        "deviations of the sphere of the level before, at the ratio of levels that technique 2 gives: by its formula, exact, and "
        "of drawn noise. A dot is a replicate.",
        "Left: exact distances fall along a line of slope −1/2; dots follow them down to a dashed line and scatter below it. "
        "Right: exact masses and dots rise from below towards the level of the formula.",
        figure,
        runs=found,
        data=measured(rows, "norm_ks", "shell_mass"),
    )


def by_dimension(axis: Axes, rows: pd.DataFrame, method: str, label: str) -> None:
    """Draw what is drawn at random as a dot for each replicate, and what is known as a line."""
    if not len(rows):
        return
    if method == "drawn":
        axis.plot(rows["at"], rows.value, "o", color=shade(method), markersize=4, alpha=0.7, markeredgewidth=0, label=label)
    else:
        known = rows.groupby("at").value.mean()
        axis.plot(known.index, known, color=shade(method), marker=".", label=label)


def root_of_dimension(axis: Axes, values: pd.Series, slope: float, label: str) -> None:
    """Draw a power of the dimension through the last of some values."""
    if len(values):
        line = values.iloc[-1] * (values.index / values.index[-1]) ** slope
        axis.plot(values.index, line, color=GREY, linestyle=":", label=label)


def ladders(found: list[RunFolder]) -> Figure:
    """Noise levels that technique 2 needs by dimension, and published ladders, scaled to the same range."""
    rows = rows_of(found)
    needed = rows[rows.metric == "levels_needed"].groupby("at").value.mean()
    figure, axis = plt.subplots(figsize=(5.8, 3.1))
    axis.plot(needed.index, needed, color=shade("exact"), marker=".", label="technique 2")
    root_of_dimension(axis, needed, 0.5, "slope 1/2")
    points = scaled_ladders(rows)
    for key, point in points.iterrows():
        axis.plot(point.dimension, point.levels, "D", color=shade(str(key)), markersize=6)
        axis.annotate(name(str(key)), (point.dimension, point.levels), (8, -3), textcoords="offset points", va="top", fontsize=8)
    axis.set(xscale="log", yscale="log", xlabel="dimensions D", ylabel=f"levels, for σ₁ = {RANGE:g} σ_L", xlim=(40, 2e6))
    axis.margins(y=0.12)
    plain(axis.yaxis, (1, 3))
    powers_of_ten(axis.xaxis)
    legend(axis, "upper left")
    return Figure(
        "ladders",
        "Noise levels needed by the number of dimensions",
        "Cf. Section 3.2 and Table 4. Noise levels of ladders that have a mass of 0.567 on the shell of the level before, from "
        f"σ₁ = {RANGE:g} σ_L. Diamonds: published ladders, whose numbers of levels are scaled to that range at their own ratio.",
        "A line that rises with a slope of one half; all diamonds of NCSNv2 lie on it, that of NCSN far below.",
        figure,
        runs=found,
        data=stacked(
            {
                "technique 2": (needed.index.to_numpy(float), needed.to_numpy(float)),
                **{name(str(key)): point.to_numpy()[:, None] for key, point in points.iterrows()},
            },
            ("ladder",),
            ("dimension", "levels"),
        ),
    )


def scaled_ladders(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the dimension of each published model and its levels over the figure's range, by `paper_data`."""
    mine = rows[(rows.metric == "levels") & (rows.method == "published")]
    counts = mine.groupby(mine.variant + "_" + mine.dataset, sort=False).value.mean()
    points = {key: (MODELS[key].dim, over_range(MODELS[key], count)) for key, count in counts.items() if key in MODELS}
    return pd.DataFrame.from_dict(points, orient="index", columns=["dimension", "levels"], dtype=float)


def over_range(model: Published, count: float) -> float:
    """Return the levels from sigma_1 = 1000 sigma_L, at the ratio that so many have over the model's own range."""
    ratio = (model.sigma_max / model.sigma_min) ** (1 / (count - 1))
    return levels_needed(RANGE, 1.0, ratio)


def step_sizes(found: list[RunFolder]) -> Figure:
    """The variance that the steps at a level leave by their size, and that of chains, for the published settings."""
    rows, arrays = rows_of(found), found[0].arrays
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3), width_ratios=(1.35, 1))
    drawn = {}
    for key in MODELS:
        if f"{key}_variance" not in arrays:
            continue
        drawn[key, "curve"] = arrays["rho"], arrays[f"{key}_variance"]
        left.plot(arrays["rho"], arrays[f"{key}_variance"] - 1, color=shade(key), zorder=1)
        for kind, look in (("best", {"markerfacecolor": "white", "markersize": 8}), ("published", {"markersize": 4})):
            size, variance = arrays[f"{key}_{kind}"]
            drawn[key, kind] = np.array([size]), np.array([variance])
            left.plot(size, variance - 1, "o", color=shade(key), **look)
    left.axvspan(LIMIT, 4, color=GREY, alpha=0.2, linewidth=0)
    left.annotate("unstable", (LIMIT, 0.5), (4, 0), ("data", "axes fraction"), "offset points", rotation=90, va="center")
    left.set(xscale="log", yscale="log", xlim=(1e-3, 4), title="noise left, above the level's")
    left.set(xlabel=r"$\epsilon\,/\,\sigma_L^2$", ylabel=r"$s_T^2\,/\,\sigma_i^2 - 1$")
    powers_of_ten(left.xaxis, left.yaxis)
    mark = partial(Line2D, [], [], color=BLACK, marker="o", linestyle="")
    handles = [mark(markersize=4, label="published"), mark(markersize=8, markerfacecolor="white", label="technique 4")]
    left.legend(handles=handles, loc="upper left")
    off = rows[rows.metric == "level_variance_off"]
    names = off.variant + "_" + off.dataset
    right.axvspan(-2, 2, color=GREY, alpha=0.15, linewidth=0)
    right.axvline(0, color=BLACK, linestyle="--", linewidth=1)
    dots(right, {key: off.value[names == key] for key in MODELS}, shade, name)
    right.set(title="chains less closed form", xlabel="standard errors")
    return Figure(
        "step-sizes",
        "The variance that the steps at a level leave",
        "Cf. Proposition 3 and Section 3.4. Left: variance of the published models' noise after the T steps at a level, over the "
        "level's own, less 1, by the step size; colours as on the right. Full: the published step size; open: technique 4's, "
        "which is to be the lowest; grey: from 2 on no chain is stable. Right: variance of chains with the published settings "
        "on data of one point, less the closed form; a dot is a replicate at the first, a middle or the last level, a bar "
        "their mean, and about 95% belong into the grey.",
        "Left: six curves, each with a flat minimum, which rise steeply towards the limit; full dots of most models lie in open "
        "ones at their minima. Right: dots around 0 for each of six models.",
        figure,
        runs=found,
        data=stacked(drawn, ("model", "what"), ("relative step size", "variance ratio"), 6) if drawn else None,
    )
