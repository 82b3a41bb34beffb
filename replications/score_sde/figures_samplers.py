"""Figures of samplers on trained models: Table 1 and Figure 9 in dots, the two ways from one start, some samples."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from common.measure.drawing import datasets, plain, rows_of
from common.measure.figure_data import measured, stacked
from common.measure.figures import BLACK, Figure, RunFolder, Runs
from common.measure.image_lines import image_lines
from replications.ffjord.drawing import WIDTH, against, panels
from replications.score_sde.names import PREDICTORS, name, shade

# metric of each kind of sampler: the kind's name, and how its dots are filled
KINDS = {
    "frechet_p": ("P", {}),
    "frechet_p2": ("P2", {}),
    "frechet_p2_rounded": ("P2", {"markerfacecolor": "white", "markeredgewidth": 1.2}),
    "frechet_pc": ("PC", {}),
    "frechet_c2": ("C2", {}),
    "frechet_flow": ("ODE", {}),
}
LINES = (*PREDICTORS, "corrector_only", "rk45")  # of the table, from the top
SHOWN = {"reverse_diffusion_P": "P", "reverse_diffusion_PC": "PC", "corrector_only_C2": "C2", "rk45": "ODE"}
PER_LINE = 8  # samples
WAYS = {"ODE": {"linewidth": 1.8, "zorder": 3}, "SDE": {"linewidth": 0.8}}


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for dataset in datasets(runs, "learned_samplers"):
        found = runs.find("learned_samplers", dataset=dataset)
        yield from (partial(draw, found, dataset) for draw in (table, shares))
        yield from (partial(draw, found[0], dataset) for draw in (ways, pictures))


def models_of(run: RunFolder) -> list[str]:
    """Return the models that a run sampled from."""
    return list(run.info["settings"]["models"])


def table(found: list[RunFolder], dataset: str) -> Figure:
    """Table 1 in dots: a panel for each model, a line for each predictor, a colour for each kind of sampler."""
    rows, models = rows_of(found), models_of(found[0])
    settings = found[0].info["settings"]
    figure, axes = panels(len(models), 3.6, per_line=2, sharex=True)
    for axis, model in zip(axes, models):
        lines_of_dots(axis, rows[rows.method == model])
        axis.set(title=name(model), xscale="log", xlabel="feature Fréchet distance")
        plain(axis.xaxis, (1, 2, 3, 5))
        floor(axis, rows)
    kinds_legend(figure, rows)
    return Figure(
        f"learned-table-{dataset}",
        f"Predictors and correctors on trained models: {dataset}",
        f"Cf. Tables 1 and 4. Distance of {settings['samples']} samples to test images in the features of the data set's own "
        f"classifier; farther left is better. Pₙ: predictor alone at N = {settings['scales']} scales; P₂ₙ: at twice as many, "
        "open where the network rounds to N; PCₙ: with one corrector step at each; C₂ₙ: two corrector steps alone. All but Pₙ "
        "and the flow cost 2N evaluations. A dot is a replicate, a bar their mean. Dashed: as many training images. "
        "All samplers start from the same noise.",
        "A panel for each model with a line for each predictor, dots of four colours on it, far right of the dashed line; lines "
        "for the corrector alone and for the flow beneath.",
        figure,
        runs=found,
        data=measured(rows, *KINDS),
    )


def lines_of_dots(axis: Axes, rows: pd.DataFrame) -> None:
    """Draw one model's distances: on each line the kinds from the top down, a dot a replicate and their mean as a bar."""
    lines = [variant for variant in LINES if len(rows[(rows.variant == variant) & rows.metric.isin(KINDS)])]
    for height, variant in enumerate(lines):
        kinds = [metric for metric in KINDS if len(rows[(rows.variant == variant) & (rows.metric == metric)])]
        for place, metric in enumerate(kinds):
            values = rows[(rows.variant == variant) & (rows.metric == metric)].value
            kind, look = KINDS[metric]
            at = height + 0.18 * (place - (len(kinds) - 1) / 2)
            dots = {"markersize": 4.5, "markeredgewidth": 0, "color": shade(kind), **look}
            axis.plot(values, np.full(len(values), at), "o", alpha=0.75, **dots)
            axis.plot([values.mean()] * 2, [at - 0.08, at + 0.08], color=shade(kind), linewidth=2)
    axis.set_yticks(range(len(lines)), [name(variant) for variant in lines])
    axis.set_ylim(max(1, len(lines)) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)


def kinds_legend(figure: Drawing, rows: pd.DataFrame) -> None:
    """Name the kinds of samplers that there are."""
    handles = []
    for metric, (kind, look) in KINDS.items():
        if metric in set(rows.metric):
            said = f"{name(kind)}{', rounding' if look else ''}"
            handles.append(Line2D([], [], marker="o", linestyle="", color=shade(kind), label=said, **look))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def floor(axis: Axes, rows: pd.DataFrame) -> None:
    """Mark what training images read in the samples' place."""
    if rows.floor.notna().any():
        axis.axvline(rows.floor.mean(), color=BLACK, linestyle="--", linewidth=1)


def shares(found: list[RunFolder], dataset: str) -> Figure:
    """Distance by the corrector's share of the evaluations (Figure 9)."""
    rows, settings = rows_of(found), found[0].info["settings"]
    rows = rows[rows.metric == "frechet_share"]
    figure, axis = plt.subplots(figsize=(4.8, 3))
    for model in dict.fromkeys(rows.method):
        against(axis, rows[rows.method == model], shade(model), name(model))
    if rows.floor.notna().any():
        axis.axhline(rows.floor.mean(), color=BLACK, linestyle="--", linewidth=1, label="training images")
    axis.set(yscale="log", xlabel="corrector's share of the evaluations", ylabel="feature Fréchet distance")
    plain(axis.yaxis, (1, 2, 3, 5))
    if len(rows):
        axis.set_xticks(sorted(rows["at"].unique()))
        figure.legend(loc="outside lower center", ncols=3)
    return Figure(
        f"learned-share-{dataset}",
        f"Evaluations for the corrector or for the predictor: {dataset}",
        f"Cf. Figure 9. {settings['evaluations']} evaluations for a sample, shared between reverse diffusion (share 0: at as "
        "many scales) and Langevin steps (share 1: two steps at each of half as many scales). Lines are means over replicates, "
        "bands span them.",
        "A plot of the distance against the corrector's share, nearly level between 0 and three quarters.",
        figure,
        runs=found,
        data=measured(rows, "frechet_share"),
    )


def ways(run: RunFolder, dataset: str) -> Figure:
    """The ways of the reverse SDE and of the flow from the same starts (Figure 2)."""
    arrays, models = run.arrays, models_of(run)
    lines = [(model, start, how) for model in models for start in range(starts_of(arrays, model)) for how in WAYS]
    figure = plt.figure(figsize=(WIDTH, 2.3 + 0.4 * len(lines) / max(1, len(models))))
    above, below = figure.subfigures(2, 1, height_ratios=(2.1, 0.4 * len(lines) / max(1, len(models)) + 0.3))
    curves = {}
    for axis, model in zip(above.subplots(1, len(models), squeeze=False)[0], models):
        curves |= pixel_ways(axis, arrays, model)
    if curves:
        above.legend(*above.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(WAYS))
    strips(below, arrays, models)
    return Figure(
        f"learned-ways-{dataset}",
        f"The stochastic and the deterministic way from the same start: {dataset}",
        "Cf. Figure 2. Above: the middle pixel along the reverse SDE (jagged) and along the probability flow (smooth) from the "
        "same starts, by time, which runs from noise on the left to data on the right. Below: the whole image at equally spaced "
        "times. States are shown over sqrt(α² + σ²); replicate 0, starts not chosen.",
        "Above, for each model, two pairs of lines that each start at one point: one jagged, one smooth. Below, strips of "
        "pictures from noise to a digit, alike in pairs at first and of different images at the end.",
        figure,
        runs=[run],
        data=stacked(curves, ("model", "way", "start"), ("t", "pixel")),
        arrays="arrays.npz",
        photographic=True,
    )


def starts_of(arrays: Mapping[str, np.ndarray], model: str) -> int:
    """Return how many starts' ways were kept."""
    return len(arrays[f"{model}_pixel_ODE"])


def pixel_ways(axis: Axes, arrays: Mapping[str, np.ndarray], model: str) -> dict[tuple[Any, ...], tuple[np.ndarray, ...]]:
    """Draw one pixel along both ways; return the curves."""
    times, curves = arrays[f"{model}_way_times"], {}
    for how, look in WAYS.items():
        for start, values in enumerate(arrays[f"{model}_pixel_{how}"].astype(np.float64)):
            axis.plot(times, values, color=shade(how), label=None if start else name(how), **look)
            curves[name(model), how, start] = (times, values)
    axis.plot(np.full(starts_of(arrays, model), times[0]), arrays[f"{model}_pixel_ODE"][:, 0], "o", color=BLACK, markersize=3.5)
    axis.set(xlim=(1.02, -0.02), xlabel="time t", ylabel="middle pixel", title=name(model))
    return curves


def strips(figure: Drawing, arrays: Mapping[str, np.ndarray], models: list[str]) -> None:
    """Draw whole images at some times along both ways, a column for each model, the two ways of a start below each other."""
    most = max(starts_of(arrays, model) for model in models)
    grid = figure.subplots(most * len(WAYS), len(models), squeeze=False)
    for column, model in zip(grid.T, models):
        for place, axis in enumerate(column):
            start, how = place // len(WAYS), list(WAYS)[place % len(WAYS)]
            if start >= starts_of(arrays, model):
                axis.remove()
                continue
            images = arrays[f"{model}_pictures_{how}"][start]
            label = {"ODE": "flow", "SDE": "SDE"}[how] if model == models[0] else ""
            image_lines(axis, images, label, len(images), gap=max(1, images.shape[-1] // 8))


def pictures(run: RunFolder, dataset: str) -> Figure:
    """Samples of each kind of sampler from the same starts."""
    arrays, models = run.arrays, models_of(run)
    figure, grid = plt.subplots(len(SHOWN), len(models), figsize=(WIDTH, 0.95 * len(SHOWN) + 0.3), squeeze=False)
    figure.get_layout_engine().set(wspace=0.06)
    for axes, model in zip(grid.T, models):
        for axis, (key, kind) in zip(axes, SHOWN.items()):
            images = arrays.get(f"{model}_samples_{key}")
            if images is None:
                axis.remove()
                continue
            image_lines(axis, images, name(kind) if model == models[0] else "", PER_LINE, gap=max(1, images.shape[-1] // 8))
        axes[0].set_title(name(model))
    return Figure(
        f"learned-pictures-{dataset}",
        f"Samples by each kind of sampler: {dataset}",
        "Reverse diffusion alone (Pₙ) and with a corrector (PCₙ), the corrector alone (C₂ₙ), and the probability flow, from the "
        "same starts, which stand below each other; not chosen. Replicate 0.",
        "A column of lines of images for each model.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )
