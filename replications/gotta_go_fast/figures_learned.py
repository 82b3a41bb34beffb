"""Figures of the samplers on trained models: what is gained, what it costs, which parts of the solver matter."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from common.measure.drawing import datasets, plain, rows_of
from common.measure.figure_data import measured
from common.measure.figures import Figure, RunFolder, Runs
from common.measure.image_lines import image_lines
from replications.ffjord.drawing import WIDTH, against, panels
from replications.gotta_go_fast import drawing
from replications.gotta_go_fast.names import AT_A_TOLERANCE, IN_FULL, ON_MODELS, SPACES, name, shade

PER_LINE = 8  # pictures of a sampler
COST = ("nfe_max", "nfe_mean")
DISTANCE = "feature Fréchet distance"


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for experiment in ON_MODELS:
        for dataset in datasets(runs, experiment):
            found = runs.find(experiment, dataset=dataset)
            settings = found[0].info["settings"]
            asked = {speed: True, evaluations: True, ablations: settings["ablations"], states: settings["states"]}
            yield from (partial(draw, found, dataset) for draw, wanted in asked.items() if wanted)
            yield partial(pictures, found[0], dataset)


def models_of(run: RunFolder) -> list[str]:
    """Return the models that a run sampled from."""
    return list(run.info["settings"]["models"])


def speed(found: list[RunFolder], dataset: str) -> Figure:
    """Distance against evaluations: the solver by tolerance, rivals with as many evaluations, and what has all."""
    rows, models, settings = rows_of(found), models_of(found[0]), found[0].info["settings"]
    # torchsde's solvers have a figure of their own
    rows = rows[(rows.metric == "feature_frechet") & ~rows.method.str.startswith("torchsde_")]
    rows = rows[rows.axis.isin(["", "tolerance"])]
    figure, axes = panels(len(models), 3.4, per_line=2)
    for axis, model in zip(axes, models):
        mine = rows[rows.variant == model]
        axis.set(xscale="log", yscale="log")
        for method in AT_A_TOLERANCE:
            chosen = mine[(mine.axis == "tolerance") & (mine.method == method)]
            drawing.curve(axis, chosen, method, annotate=method == "ggf")
        drawing.points(axis, mine)
        drawing.floor(axis, mine)
        drawing.ticks(axis)
        axis.set(title=name(model), xlabel="evaluations", ylabel=DISTANCE if axis in axes[::2] else "")
    drawing.below(figure, axes, ncols=3)
    return Figure(
        f"speed-{dataset}",
        f"Distance against evaluations: {dataset}",
        f"Cf. Table 1 and the figure of FID against evaluations. {settings['samples']} samples from a trained model of each SDE: "
        f"their distance to test images {SPACES[settings['space']]}, by the evaluations of the model. "
        "GGF: the adaptive solver, its tolerance beside each dot; its evaluations are the slowest sample's, as published. "
        "Euler-Maruyama and DDIM (VP alone) have as many. Marks without a line have no tolerance. Dots and marks are means over "
        "replicates, which are faint. Dashed: as many training images. All samplers start from the same noise.",
        "A panel for each SDE with a line for each sampler over some tens to hundreds of evaluations, marks at up to a thousand "
        "or two, and a dashed line below them all.",
        figure,
        runs=found,
        data=measured(rows, "feature_frechet"),
    )


def evaluations(found: list[RunFolder], dataset: str) -> Figure:
    """Evaluations and rejected steps against the tolerance, for each model."""
    rows = rows_of(found)
    rows = rows[(rows.axis == "tolerance") & (rows.method == "ggf")]
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.9))
    for model in models_of(found[0]):
        mine = rows[rows.variant == model]
        drawing.cost(left, mine, shade(model), name(model))
        against(right, mine[mine.metric == "rejected_share"], shade(model), name(model))
    for axis in (left, right):
        axis.set(xscale="log", xlabel="relative tolerance")
        plain(axis.xaxis, (1, 2, 5))
    left.set(yscale="log", title="evaluations of a sample")
    plain(left.yaxis, (1, 2, 5))
    right.set(title="share of rejected steps")
    right.set_ylim(bottom=0)
    drawing.below(figure, [left], more=drawing.slowest_and_mean())
    return Figure(
        f"evaluations-{dataset}",
        f"Evaluations by tolerance: {dataset}",
        "Cf. Table 1. What the adaptive solver costs on a trained model of each SDE, by its relative tolerance. Left: "
        "evaluations of the slowest sample, as published (full line), and the mean over samples (dotted); a step takes two, a "
        "rejected one too. Right: share of all steps that are rejected. Bands span the replicates.",
        "Left: falling lines, that of VE steeper than that of VP. Right: a line for each SDE between 0 and one half.",
        figure,
        runs=found,
        data=measured(rows, *COST, "rejected_share"),
    )


def ablations(found: list[RunFolder], dataset: str) -> Figure:
    """Evaluations and distance of the solver's variants over the default's."""
    rows, settings = rows_of(found), found[0].info["settings"]
    rows = rows[rows.axis == "ablation"]
    lines = [method for method in settings["ablations"] if method in set(rows.method)]
    height = 1.3 + (0.2 + 0.07 * len(settings["models"])) * len(lines)
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, height), sharey=True)
    for axis, metric, title in ((left, "nfe_max", "evaluations"), (right, "feature_frechet", DISTANCE)):
        drawing.variants(axis, drawing.over_default(rows[rows.metric == metric], "variant"), "variant", lines)
        axis.set(xscale="log", title=title, xlabel="over the published solver's")
        drawing.at_one(axis)
        drawing.ticks(axis, "x")
    drawing.below(figure, [left])
    return Figure(
        f"ablations-{dataset}",
        f"Variants of the solver: {dataset}",
        f"Cf. the appendix's ablations. {settings['ablation_samples']} samples at a relative tolerance of "
        f"{settings['ablation_tolerance']:g}, all from the same noise: evaluations of the slowest sample, and distance to test "
        "images in features, over those of the solver as published. Largest component's error: in place of the root mean square. "
        "Lamba: the error of the drift alone, with exponent 0.5. A dot is a replicate, a bar their mean.",
        "A line of dots for each variant: left far from 1 for the largest component's error and Lamba, right near 1 for most.",
        figure,
        runs=found,
        data=measured(rows, *COST, "feature_frechet", "rejected_share"),
    )


def states(found: list[RunFolder], dataset: str) -> Figure:
    """Evaluations by the share of the training, beside how good the model is there."""
    rows, settings = rows_of(found), found[0].info["settings"]
    rows = rows[rows.axis == "share of training"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.7), sharex=True)
    for model in models_of(found[0]):
        mine = rows[rows.variant == model]
        drawing.cost(left, mine, shade(model), name(model))
        against(right, mine[mine.metric == "feature_frechet"], shade(model), name(model))
    left.set(title="evaluations of a sample", xlabel="share of the training")
    left.set_ylim(bottom=0)
    right.set(yscale="log", title=DISTANCE, xlabel="share of the training")
    drawing.ticks(right, "y")
    drawing.below(figure, [left], more=drawing.slowest_and_mean())
    return Figure(
        f"states-{dataset}",
        f"Evaluations by how far a model is trained: {dataset}",
        "Cf. Table 1, whose shallow and deep networks need as many evaluations as one another. The adaptive solver at a relative "
        f"tolerance of {settings['state_tolerance']:g} on states of each model's training. Left: evaluations of the slowest "
        "sample (full line) and their mean (dotted). Right: distance of the samples to test images in features. Bands span the "
        "replicates.",
        "Left: level lines. Right: lines that fall as training goes on.",
        figure,
        runs=found,
        data=measured(rows, *COST, "feature_frechet"),
    )


def pictures(run: RunFolder, dataset: str) -> Figure:
    """Samples of every sampler from the same starts: in full, and at a middle and the largest tolerance."""
    arrays, models = run.arrays, models_of(run)
    lines = lines_of_pictures(arrays, models, run.info["settings"]["tolerances"])
    size = (WIDTH, (0.03 + 0.78 / len(models)) * max(1, len(lines)) + 0.3)
    figure, grid = plt.subplots(max(1, len(lines)), len(models), figsize=size, squeeze=False)
    for column, model in zip(grid.T, models):
        for axis, (key, label) in zip(column, lines.items()):
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            if f"{model}_{key}" in arrays:
                images = arrays[f"{model}_{key}"][:PER_LINE]
                image_lines(axis, images, "", PER_LINE, gap=max(1, images.shape[-1] // 8))
            axis.set_ylabel(label if model == models[0] else "", rotation=0, ha="right", va="center")
        column[0].set_title(name(model))
    return Figure(
        f"pictures-{dataset}",
        f"Samples of each sampler: {dataset}",
        "Not curated: the first samples of each sampler, from the same starts, which stand below each other. The number is the "
        "adaptive solver's relative tolerance; Euler-Maruyama and DDIM (VP alone) below it have as many evaluations as it took. "
        f"Replicate {run.info['seed']}.",
        f"A column of lines of {dataset} images for each SDE; the lowest lines, of the largest tolerance, are the most speckled.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def lines_of_pictures(arrays: Mapping[str, np.ndarray], models: list[str], tolerances: list[float]) -> dict[str, str]:
    """Return the samplers that any model has pictures of, each with its label: in full, then by tolerance."""
    ordered = sorted(tolerances)
    chosen = dict.fromkeys([ordered[len(ordered) // 2], ordered[-1]]) if ordered else {}
    every = {method: name(method) for method in IN_FULL}
    every |= {f"{method}_{at:g}": f"{name(method)}, {at:g}" for at in chosen for method in AT_A_TOLERANCE}
    return {key: label for key, label in every.items() if any(f"{model}_{key}" in arrays for model in models)}
