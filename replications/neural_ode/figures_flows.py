"""Figures and tables of Section 4, continuous normalizing flows."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from common.measure.figure_data import measured
from common.measure.figures import BLUE, VERMILION, Figure, RunFolder, Runs, Table, mean_and_deviation, mean_and_range

NAMES = {"cnf": "CNF", "nf": "planar flow"}
COLOURS = {"cnf": BLUE, "nf": VERMILION}
TITLES = {"two_modes": "two modes", "wave": "wave", "split_wave": "split wave", "circles": "two circles", "moons": "two moons"}


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for run in runs.find("density_matching", seed=0):
        yield partial(matched_densities, run)
    if runs.find("density_matching"):
        yield partial(loss_against_size, runs)
    for run in runs.find("maximum_likelihood", seed=0):
        for name in run.info["settings"]["densities"]:
            yield partial(along_time, run, name)
    if runs.find("change_of_variables"):
        yield partial(cost_of_width, runs)


def tables(metrics: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables that the rows present allow."""
    rows = metrics[metrics.experiment == "maximum_likelihood"]
    if len(rows):
        caption = (
            "Cf. Figure 5. Held-out NLL, evaluations, and seconds of training; mean ± s.d. over replicates. Tight: the same "
            "points at SciPy's default tolerance (Section 6)."
        )
        yield Table("maximum-likelihood", "Two circles and two moons", caption, fitted(rows))


def fitted(rows: pd.DataFrame) -> pd.DataFrame:
    """Return densities x kinds: held-out NLL and evaluations at both tolerances, those to sample, seconds of training."""
    columns = {
        "NLL, nats": rows.metric == "nll",
        "NLL, tight": rows.metric == "nll_at_tight_tolerance",
        "NFE, density": (rows.metric == "nfe") & (rows.variant == "density"),
        "NFE, tight": (rows.metric == "nfe") & (rows.variant == "density, tight tolerance"),
        "NFE, sample": (rows.metric == "nfe") & (rows.variant == "sample"),
    }
    parts = {name: rows[mask].groupby(["dataset", "method"]).value.agg(mean_and_deviation) for name, mask in columns.items()}
    table = pd.DataFrame(parts).fillna("–").reset_index()
    # both densities are fitted in one training
    seconds = rows[rows.metric == "training_seconds"].groupby("method").value.agg(mean_and_deviation)
    table["training, s"] = table.method.map(seconds)
    return table.assign(dataset=table.dataset.map(TITLES), method=table.method.map(NAMES))


def matched_densities(run: RunFolder) -> Figure:
    """Targets, and samples of every model as histograms (Figure 4a-c)."""
    settings = run.info["settings"]
    targets, sizes = settings["targets"], settings["sizes"]
    columns = ["target", *(f"nf_{size}" for size in sizes), *(f"cnf_{size}" for size in sizes)]
    figure, axes = plt.subplots(len(targets), len(columns), figsize=(1.3 * len(columns), 1.4 * len(targets)), squeeze=False)
    for line, name in zip(axes, targets):
        _image(line[0], run.arrays[f"target_{name}"], 5)
        for axis, column in zip(line[1:], columns[1:]):
            kind, size = column.split("_")
            points = run.arrays[f"{kind}_{name}_{size}"]
            histogram, *_ = np.histogram2d(*points.T, bins=64, range=[[-5, 5], [-5, 5]])
            _image(axis, histogram, 5)
        line[0].set_ylabel(TITLES[name])
    for axis, column in zip(axes[0], columns):
        kind, _, size = column.partition("_")
        axis.set_title(f"{NAMES[kind]}\n{'K' if kind == 'nf' else 'M'} = {size}" if size else "target")
    return Figure(
        "matched-densities",
        "Density matching",
        "Cf. Figure 4. The targets, and histograms of samples: planar flows with K layers, CNFs with M hidden units; seed 0.",
        f"Grid of density pictures: a row for each of {', '.join(TITLES[name] for name in targets)}; columns the target, then "
        f"the planar flow and the CNF with {', '.join(map(str, sizes))} layers or hidden units.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def loss_against_size(runs: Runs) -> Figure:
    """KL(q || p) against layers or hidden units, a panel for each target (Figure 4d)."""
    found = runs.find("density_matching")
    rows = pd.concat([run.metrics for run in found])
    rows = rows[rows.metric == "reverse_kl"]
    targets = found[0].info["settings"]["targets"]
    figure, axes = plt.subplots(1, len(targets), figsize=(3 * len(targets), 2.8), squeeze=False, sharey=True)
    for axis, name in zip(axes[0], targets):
        for kind, label in NAMES.items():
            mine = rows[(rows.dataset == name) & (rows.method == kind)]
            values = mine.pivot_table(index="at", columns="seed", values="value")
            mean_and_range(axis, values, COLOURS[kind], label)
        axis.set(title=TITLES[name], xlabel="layers K, hidden units M", xscale="log")
        sizes = sorted(rows["at"].astype(int).unique())
        axis.set_xticks(sizes, labels=sizes, minor=False)
        axis.minorticks_off()
    axes[0][0].set_ylabel("KL(q || p), nats")
    axes[0][-1].legend()
    return Figure(
        "loss-against-size",
        "Divergence against size",
        "Cf. Figure 4d. Kullback-Leibler divergence from the model to the target; bands span the replicates. Both kinds were "
        "trained for about the same time, on an energy whose weight climbs to 1 over the first half.",
        "Line plots of the divergence against layers or hidden units for each target, a line for CNFs and one for planar flows.",
        figure,
        runs=found,
        data=measured(rows, "reverse_kl"),
    )


def along_time(run: RunFolder, name: str) -> Figure:
    """Density and particles of the CNF along time, and the planar flow's density along its layers (Figure 5)."""
    arrays, half = run.arrays, float(run.arrays["half_width"])
    fractions = arrays["fractions"]
    figure, axes = plt.subplots(3, len(fractions) + 1, figsize=(1.3 * (len(fractions) + 1), 4.2))
    lines = {"CNF density": f"density_{name}", "CNF particles": f"particles_{name}", "planar flow": f"nf_density_{name}"}
    for line, (label, key) in zip(axes, lines.items()):
        for axis, content in zip(line, arrays[key]):
            _scatter(axis, content, half) if "particles" in key else _image(axis, content, half)
        line[0].set_ylabel(label)
        _scatter(line[-1], arrays[f"data_{name}"][:1500], half)
    for axis, fraction in zip(axes[0], fractions):
        axis.set_title(f"{100 * fraction:g} %")
    axes[0][-1].set_title("data")
    return Figure(
        f"along-time-{name}",
        f"From base to data: {TITLES[name]}",
        "Cf. Figure 5. Density and particles of the CNF at shares of the integration time, and density of the planar flow "
        "after as many shares of its layers, counted from the base; seed 0.",
        f"Grid of pictures for {TITLES[name]}: rows density and particles of the CNF and density of the planar flow; columns "
        "shares of the way from base to data, and the data.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def cost_of_width(runs: Runs) -> Figure:
    """Seconds of one evaluation against width (Equation 10)."""
    found = runs.find("change_of_variables")
    rows = pd.concat([run.metrics for run in found])
    rows = rows[rows.metric == "evaluation_seconds"]
    figure, axis = plt.subplots(figsize=(4.4, 3))
    labels = {"cnf": ("CNF: field and trace", BLUE), "wide_layer": ("discrete layer and its determinant", VERMILION)}
    for method, (label, colour) in labels.items():
        values = rows[rows.method == method].pivot_table(index="at", columns="seed", values="value")
        mean_and_range(axis, 1e3 * values, colour, label)
    axis.set(xscale="log", yscale="log", xlabel="hidden units M", ylabel="time of one evaluation, ms")
    axis.legend()
    return Figure(
        "cost-of-width",
        "Cost against width",
        "Cf. Equation 10. A batch of points through the CNF's field and trace; one point through a discrete layer with an M x "
        "M determinant. Compare the slopes, not the times; the last step of each line is judged. Bands span the replicates.",
        "Log-log plot of the time of one evaluation against the number of hidden units for a CNF and for a wide discrete layer.",
        figure,
        runs=found,
        data=measured(rows, "evaluation_seconds"),
    )


def _image(axis: Axes, density: np.ndarray, half_width: float) -> None:
    """Draw a density whose first index runs along x."""
    axis.imshow(density.T, origin="lower", extent=[-half_width, half_width] * 2, interpolation="bilinear")
    _bare(axis, half_width)


def _scatter(axis: Axes, points: np.ndarray, half_width: float) -> None:
    axis.scatter(*points.T, s=1.5, alpha=0.6, linewidths=0, color=BLUE, rasterized=True)
    _bare(axis, half_width)


def _bare(axis: Axes, half_width: float) -> None:
    axis.set(xlim=(-half_width, half_width), ylim=(-half_width, half_width), xticks=[], yticks=[], aspect="equal")
    axis.grid(False)
