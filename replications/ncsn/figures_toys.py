"""Figures of Section 3 and of the toys: where scores exist, where they are learned, and what samplers make of them."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import PercentFormatter

from common.measure.drawing import datasets, dots, rows_of
from common.measure.figure_data import measured, stacked
from common.measure.figures import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION, Figure, RunFolder, Runs
from replications.ncsn.names import NAMES

LADDERS = {"appendix": BLUE, "main_text_stable": GREEN, "main_text": GREY, "short": ORANGE}
SHADES = {"data": BLACK, "langevin": VERMILION, **LADDERS}
HALF_WIDTH, HEAVY = 8, 0.8  # as in two_modes, which takes a second to import
ARROWS = 14  # along each axis
LISTED = 300  # points of a panel that go into the figure's table; the run's arrays hold all


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for dataset in datasets(runs, "manifold"):
        yield partial(manifold, runs, dataset)
    for run in runs.find("score_regions", seed=0):
        yield partial(score_regions, run)
    for run in runs.find("mixture", seed=0):
        yield partial(mixture, run)
    if runs.find("mixture"):
        yield partial(mode_shares, runs)


def manifold(runs: Runs, dataset: str) -> Figure:
    """Loss of sliced score matching on data that fill no volume, as they are and with noise (Figure 1)."""
    found = runs.find("manifold", dataset=dataset)
    settings = found[0].info["settings"]
    limit = -(settings["dimensions"] - 1) / (2 * settings["noise"] ** 2)
    figure, axes = plt.subplots(1, 2, figsize=(8.2, 2.6))
    data = {}
    for axis, source in zip(axes, ("circle", dataset)):
        for method, shade in (("clean", VERMILION), ("noised", BLUE)):
            for run in found:
                data[source, method, run.info["seed"]] = curve = [
                    run.arrays[f"{what}_{source}_{method}"] for what in ("step", "loss")
                ]
                first = run is found[0]
                axis.plot(*curve, color=shade, linewidth=1.2 if first else 0.5, alpha=1 if first else 0.5)
        axis.set(title=source, xlabel="step")
        axis.plot([], [], color=VERMILION, label="as they are")
        axis.plot([], [], color=BLUE, label=f"with noise of s.d. {settings['noise']:g}")
    axes[0].set_yscale("symlog", linthresh=100)
    axes[0].set_yticks([0, *(-(10.0**power) for power in range(2, 6))])
    axes[0].axhline(limit, color=BLACK, linestyle="--", linewidth=1, label=f"limit with noise, {limit:g}".replace("-", "−"))
    axes[0].set(title=f"circle in {settings['dimensions']} dimensions", ylabel="sliced score matching loss")
    axes[0].legend(loc="upper left")
    return Figure(
        f"manifold-{dataset}",
        "Score matching on data that fill no volume",
        "Cf. Figure 1. Training losses on data as they are and with a little noise, replicate 0 thick, the others thin. The "
        "limit is -(D - d) / (2 v) for a d-dimensional manifold in D dimensions under noise of variance v.",
        f"Two line plots of the loss against the step, for a circle and for {dataset}: with noise the loss settles; without, it "
        "keeps falling and is restless.",
        figure,
        runs=found,
        data=stacked(data, ("dataset", "method", "seed"), ("step", "loss")),
    )


def score_regions(run: RunFolder) -> Figure:
    """Exact and learned score over the density, and the relative error of the learned one (Figure 2)."""
    arrays, points = run.arrays, run.info["settings"]["points"]
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 2.6))
    for axis, name in zip(axes, ("exact", "learned")):
        _map(axis, arrays["density"].reshape(points, points), cmap="Greys")
        chosen = np.zeros((points, points), dtype=bool)
        every = max(1, points // ARROWS)
        chosen[every // 2 :: every, every // 2 :: every] = True
        x, arrow = arrays["grid"][chosen.ravel()], arrays[name][chosen.ravel()]
        axis.quiver(*x.T, *arrow.T, color=BLUE, angles="xy", scale_units="xy", scale=7, width=0.006)
        axis.set_title(f"{name} score")
    picture = _map(axes[2], arrays["error"].reshape(points, points), norm=LogNorm(0.01, 1))
    figure.colorbar(picture, ax=axes[2], label="relative error", extend="both", shrink=0.9)
    axes[2].set_title("where it is wrong")
    return Figure(
        "score-regions",
        "Scores are learned where data are",
        "Cf. Figure 2. The exact score of the mixture and the learned one, over the density (grey), and the norm of their "
        "difference over that of the exact score, which vanishes at the modes themselves; replicate 0.",
        "Two fields of arrows that point at the two modes and a map of the relative error, which is small around the modes and "
        "large between and beyond them.",
        figure,
        runs=[run],
        data=stacked(
            {"": (*arrays["grid"].T, *arrays["exact"].T, *arrays["learned"].T, arrays["error"])},
            ("replicate",),
            ("x", "y", "exact x", "exact y", "learned x", "learned y", "relative error"),
        ).drop(columns="replicate"),
        photographic=True,
    )


def _map(axis: Axes, values: np.ndarray, **more: object) -> object:
    """Draw values on the square grid, whose first index runs along x."""
    axis.set(xticks=[-5, 0, 5], yticks=[-5, 0, 5])
    axis.grid(False)
    return axis.imshow(values.T, origin="lower", extent=[-HALF_WIDTH, HALF_WIDTH] * 2, interpolation="bilinear", **more)


def mixture(run: RunFolder) -> Figure:
    """Samples of the mixture by every method that came to an end (Figure 3)."""
    ladders, rows = run.info["settings"]["ladders"], run.metrics
    shares = rows[(rows.metric == "heavy_share") & (rows.axis == "")].set_index("method").value
    panels = {name: run.arrays[name] for name in SHADES if name in run.arrays and name != "main_text"}
    figure, axes = plt.subplots(1, len(panels), figsize=(1.72 * len(panels), 2.25), squeeze=False)
    for axis, (name, points) in zip(axes[0], panels.items()):
        axis.scatter(*points.T, s=1.6, alpha=0.5, linewidths=0, color=SHADES[name], rasterized=True)
        axis.set(xlim=(-HALF_WIDTH, HALF_WIDTH), ylim=(-HALF_WIDTH, HALF_WIDTH), xticks=[], yticks=[], aspect="equal")
        axis.set_title(f"{NAMES[name]}\n{shares[name]:.0%} up right", fontsize=8.5)
        if name in ladders:
            axis.set_xlabel(f"σ {ladders[name]['sigma_max']:g} to {ladders[name]['sigma_min']:g}, ε = {ladders[name]['eps']:g}")
    return Figure(
        "mixture",
        "Annealing finds the weights of the modes",
        "Cf. Figure 3. Samples by the exact score of a mixture with weights 20 % and 80 %, all from the same uniform starts "
        "with the same noise; replicate 0. The main text's ladder is drawn with a step that does not diverge.",
        f"Scatter plots of two clusters of points for {', '.join(NAMES[name] for name in panels)}.",
        figure,
        runs=[run],
        data=stacked({name: points[:LISTED].T for name, points in panels.items()}, ("method",), ("x", "y"), digits=3),
        arrays="arrays.npz",
    )


def mode_shares(runs: Runs) -> Figure:
    """Share of the heavy mode by method, and by its weight for Langevin dynamics alone (Figure 3, Section 3.2.2)."""
    found = runs.find("mixture")
    rows = rows_of(found)
    rows = rows[rows.metric == "heavy_share"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 2.3), gridspec_kw={"width_ratios": [1.5, 1]})
    whole = rows[rows.axis == ""]
    shares = {name: whole[whole.method == name].value for name in SHADES}
    dots(left, shares, SHADES.get, NAMES.get)
    for height, share in enumerate(shares.values()):
        if not len(share):
            left.text(HEAVY, height, "diverges ", ha="right", va="center", color=GREY)
    left.axvline(HEAVY, color=BLACK, linestyle="--", linewidth=1)
    left.set(xlim=(0.4, 0.9), xlabel="samples in the heavy mode")
    left.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    by_weight = rows[rows.axis == "weight"]
    right.plot([0, 1], [0, 1], color=BLACK, linestyle="--", linewidth=1, label="its weight")
    right.plot(by_weight["at"], by_weight.value, "o", color=SHADES["langevin"], alpha=0.6, markeredgewidth=0)
    right.plot([HEAVY] * len(shares["langevin"]), shares["langevin"], "o", color=SHADES["langevin"], alpha=0.6, markeredgewidth=0)
    right.set(xlim=(0, 1), ylim=(0, 1), xlabel="weight of the heavy mode", ylabel="samples in it")
    for axis in (right.xaxis, right.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.set_title("Langevin, not annealed")
    right.legend(loc="upper left")
    return Figure(
        "mode-shares",
        "What share of samples falls into the heavy mode",
        "Cf. Figure 3 and Section 3.2.2. Left: exact scores, a dot for each replicate and a bar at their mean; the dashed line "
        "is the true weight. Right: without annealing the share does not depend on the weight.",
        "Left: dots by method; data and annealing from wide noise lie at 80 %, Langevin dynamics and annealing from narrow noise "
        "between 50 and 60 %. Right: share against weight; all dots lie at 50 %, far from the diagonal.",
        figure,
        runs=found,
        data=measured(rows, "heavy_share"),
    )
