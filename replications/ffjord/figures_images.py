"""Figures of flows on images: samples, bits/dim against evaluations, memory (Figures 3, 6 and 7, Section 4.2)."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from common.measure.drawing import datasets, rows_of
from common.measure.figure_data import measured
from common.measure.figures import Figure, RunFolder, Runs
from replications.ffjord.drawing import against, unit_images
from replications.ffjord.names import name, shade

# what Figure 6 compares; models beside them are of other figures
SCALES = ("multiscale", "single_scale")
PER_LINE, SHOWN = 16, 32  # images


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for run in runs.find("images", seed=0):
        yield partial(image_samples, run)
    for dataset in datasets(runs, "images"):
        yield partial(bits, runs, dataset)
        yield partial(memory, runs, dataset)


def image_samples(run: RunFolder) -> Figure:
    """Images of the test set and samples of every model (Figures 3 and 7)."""
    models = [key.removeprefix("samples_") for key in run.arrays if key.startswith("samples_")]
    lines = {"data": run.arrays["data"], **{model: run.arrays[f"samples_{model}"] for model in models}}
    lines = {key: images[:SHOWN] for key, images in lines.items()}
    heights = [-(-len(images) // PER_LINE) for images in lines.values()]
    size = (8.1, 0.44 * sum(heights) + 0.1 * len(lines))
    figure, axes = plt.subplots(len(lines), 1, figsize=size, height_ratios=heights, squeeze=False)
    for axis, (key, images) in zip(axes[:, 0], lines.items()):
        unit_images(axis, images, name(key), PER_LINE)
    dataset = run.info["dataset"]
    return Figure(
        f"image-samples-{dataset}",
        f"Samples of flows on images: {dataset}",
        "Cf. Figures 3 and 7. Not curated: the first test images, with the noise that their grey values are dequantised by, and "
        "the first samples of each model; replicate 0.",
        f"Rows of small {dataset} images: data, and samples of {', '.join(name(model) for model in models)}.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def bits(runs: Runs, dataset: str) -> Figure:
    """Bits/dim against the evaluations of a training step at the kept states, of several scales and of one (Figure 6)."""
    found = runs.find("images", dataset=dataset)
    rows = rows_of(found)
    gaussian = rows[(rows.metric == "bits_per_dim") & (rows.method == "gaussian")]
    states = rows[(rows.metric == "validation_bits_per_dim") & (rows.variant == "test") & rows.method.isin(SCALES)]
    figure, axis = plt.subplots(figsize=(6.2, 2.9))
    for model in SCALES:
        _on_the_way(axis, states[states.method == model], model)
    if len(gaussian):
        axis.axhline(gaussian.value.mean(), color=shade("gaussian"), linestyle="--", label="Gaussian on logits")
    axis.set(xlabel="evaluations of a training step, forward + backward", ylabel="bits/dim")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return Figure(
        f"bits-{dataset}",
        f"Several scales or one: {dataset}",
        "Cf. Figure 6. Bits/dim of validation images against the evaluations of a training step, summed over the flows, by the "
        "tight solver that models are measured with. A dot is a state that the training kept, larger the later, and a line joins "
        "those of a replicate. Dashed: one Gaussian fitted to the logits of the training images, on test images.",
        "Scatter plot of bits/dim against evaluations, each model's states joined from the first to the last.",
        figure,
        runs=found,
        data=measured(pd.concat([states, gaussian]), "validation_bits_per_dim", "bits_per_dim"),
    )


def _on_the_way(axis: Axes, states: pd.DataFrame, model: str) -> None:
    """Draw a model's states by evaluations and bits/dim, a line for each replicate."""
    colour, first = shade(model), True
    for _, mine in states.sort_values("at").groupby("seed"):
        axis.plot(mine.nfe, mine.value, color=colour, linewidth=0.8, alpha=0.4)
        sizes = 12 + 36 * mine["at"] / mine["at"].max()
        axis.scatter(mine.nfe, mine.value, sizes, color=colour, alpha=0.7, linewidths=0, label=name(model) if first else None)
        first = False


def memory(runs: Runs, dataset: str) -> Figure:
    """Bytes kept for the backward pass against the solver's steps, by backpropagation and by the adjoint (Section 4.2)."""
    found = runs.find("images", dataset=dataset)
    rows = rows_of(found)
    rows = rows[(rows.metric == "kept_bytes") & rows.method.isin(SCALES)]
    figure, axis = plt.subplots(figsize=(6.2, 2.6))
    for model in SCALES:
        for variant, line in (("direct", "-"), ("adjoint", "--")):
            mine = rows[(rows.method == model) & (rows.variant == variant)]
            against(axis, mine.assign(value=mine.value / 1e6), shade(model), f"{name(model)}, {variant}", line)
    axis.set(xlabel="steps of the solver", ylabel="kept for the backward pass, MB", ylim=(0, None))
    axis.set_xticks(sorted(rows["at"].unique()))
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return Figure(
        f"memory-{dataset}",
        f"Memory by backpropagation and by the adjoint: {dataset}",
        "Cf. Section 4.2. The most bytes that are kept at once for the gradient of a few images' likelihood, by steps of a "
        "Runge-Kutta solver for each flow: backpropagation through the steps keeps every step, the adjoint solves the equation "
        "backwards. Bands span the replicates.",
        "Lines of kept memory against the steps of the solver, for either model: rising for backpropagation, flat for the "
        "adjoint.",
        figure,
        runs=found,
        data=measured(rows, "kept_bytes"),
    )
