"""Samples side by side, all from the same noise: pictures, and points in the plane."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from common.measure.drawing import datasets
from common.measure.figures import Figure, RunFolder, Runs
from common.measure.image_lines import image_lines
from replications.ffjord.drawing import WIDTH
from replications.survey import drawing
from replications.survey.names import name, shade
from replications.survey.own_rows import MARK, is_own

# one of each way: the reverse SDE by steps of first and of second order, Langevin dynamics, the flow
CHOSEN = ("euler_maruyama", "annealed_langevin", "edm_heun_churn", "dpm_solver_pp_2m")
PER_LINE, COLUMNS = 6, 5  # pictures of a cell, and cells side by side
POINTS, DATA = 200, 300  # that are drawn in the plane
Key = tuple[str, str]  # sampler, and evaluations or tolerance as they stand in the arrays' names


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for dataset in datasets(runs, "learned"):
        yield partial(pictures, drawing.with_own(runs, "learned", dataset=dataset), dataset)
    for dataset in datasets(runs, "learned_2d"):
        yield partial(points, runs.find("learned_2d", dataset=dataset)[0], dataset)


def keys_of(names: Sequence[str], models: Sequence[str], shown: Sequence[int]) -> list[Key]:
    """Return the samplers and budgets of which some model has an array, in the order of CHOSEN."""
    asked = [(sampler, f"{at:g}") for sampler in CHOSEN for at in shown]
    return [key for key in asked if any("_".join([model, *key]) in names for model in models)]


def pictures(found: list[RunFolder], dataset: str) -> Figure:
    """Rows of samplers at their budgets, columns of objectives; the first pictures of the first replicate."""
    run = found[0]
    arrays, shown = {**own_arrays(found[1:], run), **run.arrays}, run.info["settings"]["shown"]
    theirs = [each for each in drawing.variants(drawing.all_rows(found)) if is_own(each)]
    models = [*run.info["settings"]["objectives"], *theirs]
    keys = [*keys_of(list(arrays), models, shown), *own_keys(arrays, models)]
    blocks = [models[start : start + COLUMNS] for start in range(0, len(models), COLUMNS)]
    lines = [(block, key) for block in blocks for key in keys]
    figure, grid = plt.subplots(max(1, len(lines)), COLUMNS, figsize=(WIDTH, 0.3 + 0.24 * len(lines)), squeeze=False)
    figure.get_layout_engine().set(h_pad=0.012, hspace=0, w_pad=0.02, wspace=0)
    for axis in grid.flat:
        axis.set_axis_off()
    for line, (block, key) in zip(grid, lines):
        cells(line, arrays, block, key)
        for axis, model in zip(line, block):
            axis.set_title(name(model) if key == keys[0] else "", fontsize=8.5)
    return Figure(
        f"samples-{dataset}",
        f"Samples from the same noise: {dataset}",
        f"The first samples of the first replicate, by sampler and evaluations ({' and '.join(map(str, shown))}); a column's "
        "place is the same noise in every cell. Networks of noise levels answer at these alone, so some of their cells are "
        "empty.",
        "Lines of small pictures; more of them are recognisable with more evaluations.",
        figure,
        runs=found[:1],
        arrays="arrays.npz",
        photographic=True,
    )


def cells(line: Sequence[Axes], arrays: Mapping[str, np.ndarray], models: Sequence[str], key: Key) -> None:
    """Draw the pictures of a sampler on each model, and its name on the left."""
    sampler, at = key
    line[0].text(-0.02, 0.5, f"{name(sampler)}, {at}", ha="right", va="center", transform=line[0].transAxes, fontsize=8)
    for axis, model in zip(line, models):
        if (images := arrays.get(f"{model}_{sampler}_{at}")) is not None:
            image_lines(axis, images[:PER_LINE].astype(np.float32), "", PER_LINE, gap=1)


def own_arrays(found: Sequence[RunFolder], beside: RunFolder) -> dict[str, np.ndarray]:
    """Return the pictures that a user's files drew in the same replicate, under the names that the rows have."""
    arrays = {}
    for run in found:
        if run.info["experiment"] == "bring_your_own" and run.info["seed"] == beside.info["seed"]:
            cells = run.metrics[run.metrics.metric == "feature_frechet"]
            for variant, method in dict.fromkeys(zip(cells.variant, cells.method)):
                plain = "_".join(MARK.sub("", each) for each in (variant, method))
                held = {key.removeprefix(f"{plain}_"): each for key, each in run.arrays.items() if key.startswith(f"{plain}_")}
                arrays |= {f"{variant}_{method}_{at}": images for at, images in held.items()}
    return arrays


def own_keys(arrays: Iterable[str], models: Sequence[str]) -> list[Key]:
    """Return a user's samplers with their budgets, from the arrays' names."""
    found = [key.removeprefix(f"{model}_").rpartition("_") for key in arrays for model in models if key.startswith(f"{model}_")]
    return list(dict.fromkeys((sampler, at) for sampler, _, at in found if is_own(sampler)))


def points(run: RunFolder, dataset: str) -> Figure:
    """Rows of samplers at their budgets, columns of objectives; points of the first replicate."""
    models, shown = list(run.info["settings"]["objectives"]), run.info["settings"]["shown"]
    keys = [key for key in keys_of(list(run.arrays), models, shown) if key[0] in ("euler_maruyama", "dpm_solver_pp_2m")]
    figure = grid_of_points(run, models, keys)
    return Figure(
        f"points-{dataset}",
        f"Samples in the plane from the same noise: {dataset}",
        "Samples of the first replicate by objective (across), and by sampler with its evaluations (down). Grey: data.",
        "A grid of clouds of points on a grey density; those with more evaluations lie on it more closely.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def grid_of_points(run: RunFolder, models: Sequence[str], keys: Sequence[Key]) -> Drawing:
    """Return a panel for each model (across) and cell (down), data behind its points."""
    size = (WIDTH, max(1, len(keys)) * WIDTH / max(6, len(models) + 0.6) + 0.3)
    figure, grid = plt.subplots(max(1, len(keys)), len(models), figsize=size, squeeze=False, sharex=True, sharey=True)
    data = run.arrays["data"]
    low, high = data.min(0), data.max(0)
    for line, (sampler, at) in zip(grid, keys):
        for axis, model in zip(line, models):
            axis.plot(*data[:DATA].T, ".", color="#D0D0D0", markersize=5, markeredgewidth=0, rasterized=True)
            if (cloud := run.arrays.get(f"{model}_{sampler}_{at}")) is not None:
                axis.plot(
                    *cloud[:POINTS].T, ".", color=shade(model), markersize=3, markeredgewidth=0, alpha=0.75, rasterized=True
                )
            axis.set(xticks=[], yticks=[], aspect="equal")
            axis.set(xlim=(1.15 * low[0], 1.15 * high[0]), ylim=(1.15 * low[1], 1.15 * high[1]))
        line[0].set_ylabel(f"{name(sampler)}\n{at} evaluations", fontsize=8)
    for axis, model in zip(grid[0], models):
        axis.set_title(name(model))
    return figure
