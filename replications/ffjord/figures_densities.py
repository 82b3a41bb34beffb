"""Figures of two-dimensional densities: what each flow makes of them, at what likelihood, and with how much work (Figure 2)."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from scipy.interpolate import CubicSpline

from common.learning.data.densities import LOG_DENSITIES
from common.measure.drawing import datasets, dots, rows_of
from common.measure.figure_data import measured, stacked
from common.measure.figures import BLACK, GREY, Figure, RunFolder, Runs, frame
from common.measure.grid import square_grid
from replications.ffjord.drawing import WIDTH, against, panels
from replications.ffjord.names import BASELINES, name, shade

SHOWN = 1500  # samples in a panel
LISTED = 300  # of them in the figure's table; the run's arrays hold all
BRIGHTEST = 99.5  # percentile of all densities that is the end of the colour scale where the data's own is not known
FRAMES = 15  # of the motion, and its start


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for run in runs.find("densities_2d", seed=0):
        yield partial(densities, run)
        yield partial(paths, run)
    if runs.find("densities_2d"):
        yield partial(likelihoods, runs)
        yield partial(solver_work, runs)


def densities(run: RunFolder) -> Figure:
    """Density and samples of the data and of every flow (Figure 2)."""
    settings, dataset, arrays = run.info["settings"], run.info["dataset"], run.arrays
    half = settings["half_width"]
    methods = [key for key in (*settings["couplings"], "ffjord") if f"density_{key}" in arrays]
    samples = {key: arrays[f"samples_{key}"][:SHOWN].astype(np.float32) for key in ("data", *methods)}
    maps = {key: arrays[f"density_{key}"].astype(np.float32) for key in methods}
    brightest = np.percentile(list(maps.values()), BRIGHTEST) if maps else None
    if (exact := exact_density(dataset, settings)) is not None:
        brightest = exact.max()
    of_data = exact if exact is not None else histogram(arrays["samples_data"], settings["grid"], half)
    figure, axes = plt.subplots(2, len(samples), figsize=(WIDTH, WIDTH / len(samples) * 2 + 0.3), squeeze=False)
    for column, key, picture in zip(axes.T, samples, (of_data, *maps.values())):
        upper, lower = column
        upper.imshow(picture.T, origin="lower", extent=[-half, half] * 2, interpolation="bilinear", vmin=0, vmax=brightest)
        upper.set_title("\n".join(said(run.metrics, key)), fontsize=8.5)
        lower.scatter(*samples[key].T, s=1.6, alpha=0.6, linewidths=0, color=shade(key), rasterized=True)
        for axis in column:
            bare(axis, half)
    axes[0][0].set_ylabel("density")
    axes[1][0].set_ylabel("samples")
    others = ", ".join(name(key) for key in methods)
    upper = "the exact one" if exact is not None else "a histogram of its samples, as it has no closed form"
    settings = run.info["settings"]
    steps = f"FFJORD was trained for {settings['train']['steps']} steps, coupling flows for {settings['coupling_train']['steps']}"
    gaps = " Gaps are where the data's density is less than exp(-9/2) of its largest." if exact is not None else ""
    return Figure(
        f"densities-{dataset}",
        f"Densities and samples: {name(dataset)}",
        f"Cf. Figure 2. Densities, on one colour scale, and {len(samples['data'])} samples each, not curated; replicate 0. The "
        f"data's density is {upper}. NLLs are of held-out points, in nats{'; no flow can be below the entropy' if gaps else ''}."
        f"{gaps} {steps}, which takes about as long.",
        f"Two rows of square panels, densities above and samples below, with a column for each of data, {others}.",
        figure,
        runs=[run],
        data=stacked({name(key): points[:LISTED].T for key, points in samples.items()}, ("method",), ("x", "y")),
        arrays="arrays.npz",
        photographic=True,
    )


def exact_density(dataset: str, settings: Mapping) -> np.ndarray | None:
    """Return the data's density on the grid of the pictures, where it is known."""
    if dataset not in LOG_DENSITIES:
        return None
    cells = square_grid(settings["grid"], settings["half_width"], cells=True)
    return LOG_DENSITIES[dataset](cells).exp().reshape(settings["grid"], -1).numpy()


def histogram(points: np.ndarray, cells: int, half: float) -> np.ndarray:
    """Return a density by counting points, in squares that on average hold one."""
    bins = min(cells, int(len(points) ** 0.5))
    counts, *_ = np.histogram2d(*points.astype(np.float64).T, bins=bins, range=[[-half, half]] * 2, density=True)
    return counts


def said(rows: pd.DataFrame, key: str) -> list[str]:
    """Return a method's name, likelihood and share of samples in the gaps; for data, the floors of both that are known."""
    rows = rows[rows.status == "ok"]
    lines = [name(key)]
    for metric, of_data, of_flow in (
        ("nll", "entropy {:.2f} nats", "NLL {:.2f} nats"),
        ("gap_share", "{:.1%} in gaps", "{:.1%} in gaps"),
    ):
        found = rows[rows.metric == metric]
        values = found.floor if key == "data" else found[found.method == key].value
        if values.notna().any():
            lines.append((of_data if key == "data" else of_flow).format(values.dropna().iloc[0]))
    return lines


def bare(axis: Axes, half: float) -> None:
    """Leave of an axis nothing but the square, with a light border."""
    axis.spines[:].set(visible=True, color="#D0D0D0", linewidth=0.6)
    axis.set(xlim=(-half, half), ylim=(-half, half), xticks=[], yticks=[], aspect="equal")
    axis.grid(False)


def paths(run: RunFolder) -> Figure:
    """FFJORD's samples on their way from the base to the data, at rest and in motion."""
    dataset, half = run.info["dataset"], run.info["settings"]["half_width"]
    points = run.arrays["trajectory_ffjord"].astype(np.float64)
    shares = np.linspace(0, 1, len(points))
    figure = plt.figure(figsize=(WIDTH, 3.35))
    columns = -(-len(points) // 2)
    grid = figure.add_gridspec(2, columns + 1, width_ratios=[1] * columns + [2.05])
    for place, (share, now) in enumerate(zip(shares, points)):
        axis = figure.add_subplot(grid[place // columns, place % columns])
        scattered(axis, now, half, 2.5)
        axis.set_title(f"{share:.0%}")
    moving = figure.add_subplot(grid[:, -1])
    way = CubicSpline(shares, points)
    fine = np.linspace(0, 1, FRAMES + 1)
    positions = way(fine)
    trails = LineCollection(positions.swapaxes(0, 1), colors=GREY, linewidths=0.5, alpha=0.5, rasterized=True)
    moving.add_collection(trails)
    places = scattered(moving, points[-1], half, 7)

    def at(moment: int) -> np.ndarray:
        places.set_offsets(positions[moment])
        trails.set_segments(list(positions[: moment + 1].swapaxes(0, 1)))
        moving.set_title(f"{fine[moment]:.0%}")
        return frame(figure)

    return Figure(
        f"paths-{dataset}",
        f"From the base to the data: {name(dataset)}",
        f"FFJORD's samples at shares of the time from base to data: at {len(points)} equally spaced ones (left), and with the "
        "ways they have come, drawn smoothly through these (right); replicate 0.",
        f"Panels of points that start as one round cloud and move to where the data ({name(dataset)}) are; beside them the same "
        "in motion, with a line behind each point.",
        figure,
        runs=[run],
        data=stacked({f"{share:.0%}": now.T for share, now in zip(shares, points)}, ("share of the time",), ("x", "y")),
        arrays="arrays.npz",
        photographic=True,
        frames=[at(moment) for moment in range(FRAMES + 1)],
    )


def scattered(axis: Axes, points: np.ndarray, half: float, size: float) -> object:
    """Draw FFJORD's samples on the bare square."""
    bare(axis, half)
    return axis.scatter(*points.T, s=size, alpha=0.8, linewidths=0, color=shade("ffjord"), rasterized=True, zorder=3)


def likelihoods(runs: Runs) -> Figure:
    """Likelihood beyond that of one Gaussian, by data set and method, at the end and before (Section 4.1)."""
    found = runs.find("densities_2d")
    rows = rows_of(found)
    sets = datasets(runs, "densities_2d")
    most = max(rows[rows.dataset == dataset].method.nunique() for dataset in sets)
    figure, axes = panels(len(sets), 0.6 + 0.45 * most)
    for axis, dataset in zip(axes, sets):
        gains(axis, rows[rows.dataset == dataset])
        axis.set_title(name(dataset))
    figure.supxlabel("log-likelihood beyond that of one Gaussian, nats per point", fontsize=9)
    return Figure(
        "likelihoods",
        "How much more likely held-out points are than under one Gaussian",
        "Cf. Figure 2. Mean log-likelihood of held-out points less that of the best-fitting Gaussian; farther right is better. A "
        "dot is a replicate, a bar their mean, an open circle the mean at two thirds of the training: where it lies far to the "
        "left, the flow had not stopped improving. Dashed: the data's own, which no flow can expect to pass, where it is known. "
        "Beneath each name the mean seconds of its training.",
        "A panel for each data set with a line of dots for each flow, an open circle to the left of most, and a dashed line "
        "on the right where the entropy is known.",
        figure,
        runs=found,
        data=measured(rows, "nll", "nll_at_two_thirds", "training_seconds"),
    )


def gains(axis: Axes, rows: pd.DataFrame) -> None:
    """Draw one data set's replicates, their mean, and the mean at two thirds of the training."""
    by = {metric: rows[rows.metric == metric] for metric in ("nll", "nll_at_two_thirds", "training_seconds")}
    baseline = by["nll"][by["nll"].method == "gaussian"].set_index("seed").value
    methods = [method for method in dict.fromkeys(by["nll"].method) if method not in BASELINES]

    def gain(metric: str, method: str) -> pd.Series:
        of_method = by[metric][by[metric].method == method].set_index("seed").value
        return (baseline - of_method).dropna()

    def label(method: str) -> str:
        seconds = by["training_seconds"].query("method == @method").value
        lines = name(method).replace(", ", ",\n")
        return lines + (f"\n{seconds.mean():{'.1f' if seconds.mean() < 100 else '.0f'}} s" if len(seconds) else "")

    if not methods:
        return
    ends = {method: gain("nll", method) for method in methods}
    dots(axis, ends, shade, label)
    for height, (method, end) in enumerate(ends.items()):
        before = gain("nll_at_two_thirds", method)
        if len(before) and len(end):
            axis.plot([before.mean(), end.mean()], [height] * 2, color=shade(method), linewidth=0.8, zorder=1)
            axis.plot(before.mean(), height, "o", markersize=5, color=shade(method), markerfacecolor="white")
    if len(baseline) and by["nll"].floor.notna().any():
        axis.axvline(baseline.mean() - by["nll"].floor.mean(), color=BLACK, linestyle="--", linewidth=1)


def solver_work(runs: Runs) -> Figure:
    """Evaluations of the field by step of the training, forward and backward, with and without weight decay (Section 6)."""
    found = runs.find("densities_2d")
    rows = rows_of(found)
    rows = rows[rows.metric.isin(["nfe_forward", "nfe_backward"])]
    sets = datasets(runs, "densities_2d")
    figure, axes = panels(len(sets), 2.5, sharey=True)
    methods = list(dict.fromkeys(rows.method))
    for place, (axis, dataset) in enumerate(zip(axes, sets)):
        for method in methods:
            for way, linestyle in (("forward", "-"), ("backward", "--")):
                mine = rows[(rows.dataset == dataset) & (rows.method == method) & (rows.metric == f"nfe_{way}")]
                against(axis, mine, shade(method), f"{name(method)}, {way}", linestyle, band=way == "forward")
        axis.set(title=name(dataset), xlabel="step of the training")
        if place % 3 == 0:
            axis.set_ylabel("evaluations of the field")
    axes[0].set_ylim(0, None)  # of all, once all is drawn
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4 if len(sets) > 2 else 2)
    return Figure(
        "solver-work",
        "Evaluations as training goes on",
        "Cf. Section 6. Evaluations of field and trace for one log-density of a batch of held-out points (forward), and "
        "vector-Jacobian products for its gradient through the accepted steps (backward), at the tolerance of the measurements. "
        "Means over replicates, with a band from the smallest to the largest for forward ones. Step 0 is before training.",
        "A panel for each data set with lines of evaluations against the step of the training: solid forward, dashed backward, "
        "in another colour with weight decay where there is such a training.",
        figure,
        runs=found,
        data=measured(rows, "nfe_forward", "nfe_backward"),
    )
