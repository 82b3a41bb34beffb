"""Figures of Section 5: classes, holes and colours from models that were trained for none of them."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from common.measure.drawing import datasets, dots, plain, rows_of
from common.measure.figure_data import measured
from common.measure.figures import BLACK, GREY, Figure, RunFolder, Runs, mean_and_range
from common.measure.image_lines import image_lines
from replications.ncsn.names import NAMES as MASKS
from replications.score_sde.names import NAMES, name, shade

IMAGES, ROWS = 5, 6  # images that are completed; samples of a class
HOLE = np.array([0.5, 0.72, 0.9]).reshape(3, 1, 1)  # colour of pixels that are not known
RIVALS = ("unconditional", "data", "grey")
CALLED = {"data": "training images"}


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for dataset in datasets(runs, "controllable"):
        found = runs.find("controllable", dataset=dataset)
        yield partial(guidance, found, dataset)
        for run in (run for run in found if run.info["seed"] == 0):
            yield partial(class_pictures, run)
            yield partial(holes, run)
        yield partial(hidden, found, dataset)
    for dataset in datasets(runs, "colourisation"):
        found = runs.find("colourisation", dataset=dataset)
        yield from (partial(colours, run) for run in found if run.info["seed"] == 0)
        yield partial(hidden, found, dataset)
        yield partial(colour_distances, found, dataset)


def guidance(found: list[RunFolder], dataset: str) -> Figure:
    """The classifier's accuracy by noise level, and the share of samples that are of the class asked for."""
    rows = rows_of(found)
    accuracy, agreement = (rows[rows.metric == metric] for metric in ("classifier_accuracy", "agreement"))
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 2.6))
    by_level = accuracy.assign(at=accuracy["at"].map(lambda sigma: float(f"{sigma:.4g}")))
    values = by_level.pivot_table(index="at", columns="seed", values="value")
    mean_and_range(left, values, shade("class_conditional"), "classifier of noisy images")
    left.set(xscale="log", xlabel="noise level σ", ylabel="accuracy on test images", ylim=(0, 1.02))
    plain(left.xaxis, (1, 3))
    guided = agreement[agreement.method == "class_conditional"]
    mean_and_range(right, guided.pivot_table(index="at", columns="seed", values="value"), shade("class_conditional"), "samples")
    data = agreement[agreement.method == "data"]
    if len(data):
        right.axhline(data.value.mean(), color=BLACK, linestyle="--", linewidth=1, label="test images")
    right.set(xlabel="weight of the classifier's gradient", ylabel="of the class asked for", ylim=(0, 1.02))
    right.set_xticks(sorted(guided["at"].unique()))
    for axis in (left, right):
        axis.axhline(rows[rows.metric == "agreement"].floor.mean(), color=GREY, linestyle=":", label="chance")
        axis.legend(loc="lower left" if axis is left else "lower right", bbox_to_anchor=(0, 0.12) if axis is left else (1, 0.12))
    return Figure(
        f"guidance-{dataset}",
        f"What the classifier knows, and what it guides to: {dataset}",
        "Cf. Figures 4 and 13. Left: the accuracy of the noise-conditional classifier on unseen images as noisy as the level. "
        "Right: the share of samples that another classifier, trained on clean images, takes for the class that was asked for, "
        "by the weight of the gradient; the paper's weight is 1, and at 0 none is asked for. Bands span the replicates.",
        "Two curves. The accuracy falls from nearly 1 to chance as the noise grows. The agreement of samples rises from chance "
        "with the weight, and stays below that of test images.",
        figure,
        runs=found,
        data=measured(rows, "classifier_accuracy", "agreement"),
    )


def class_pictures(run: RunFolder) -> Figure:
    """Samples by the class that was asked for, at each weight (Figures 4 and 13)."""
    prefix = "class_samples_"
    shown = {key.removeprefix(prefix): images for key, images in run.arrays.items() if key.startswith(prefix)}
    chance = run.metrics[(run.metrics.metric == "agreement") & (run.metrics.method == "data")].floor.mean()
    classes = round(1 / chance)
    figure, axes = plt.subplots(1, len(shown), figsize=(8.4, 2.5), squeeze=False)
    for axis, (weight, images) in zip(axes[0], shown.items()):
        gap, size = _gap(images), images.shape[-1]
        image_lines(axis, images[: ROWS * classes], per_line=classes, gap=gap)
        axis.set_xticks((size + gap) * np.arange(classes) + size / 2, range(classes))
        axis.tick_params(length=0)
        axis.set_title(NAMES["unconditional"] if weight == "0" else f"weight {weight}")
        axis.set_xlabel("class asked for" if weight != "0" else "none is asked for")
    dataset = run.info["dataset"]
    return Figure(
        f"class-samples-{dataset}",
        f"Samples of a class from a model that knows none: {dataset}",
        "Cf. Figures 4 and 13. Not curated: the first samples of each class, all weights from the same starts with the same "
        "noise; replicate 0.",
        f"Grids of {dataset} images, a column for each class: mixed without guidance, and more often of the column's class the "
        "larger the weight.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def holes(run: RunFolder) -> Figure:
    """Test images with a part hidden, completions by a predictor and with a corrector, originals (Figures 4, 14 and 15)."""
    arrays = run.arrays
    names = [key.removeprefix("inpainting_mask_") for key in arrays if key.startswith("inpainting_mask_")]
    counts = _counts(arrays, f"inpainting_{names[0]}_")
    chosen = list(dict.fromkeys((counts[0], counts[-1])))
    figure, axes = plt.subplots(1, len(names) * len(chosen), figsize=(8.6, 2.2), squeeze=False)
    cells = [(mask, count) for mask in names for count in chosen]
    truth = arrays["inpainting_truth"][:, None]
    for axis, (mask, count) in zip(axes[0], cells):
        hidden_part = np.where(arrays[f"inpainting_mask_{mask}"], _coloured(truth), HOLE)
        _lines(axis, hidden_part, arrays[f"inpainting_{mask}_{count}"], truth, "known")
        axis.set_title(f"{MASKS[mask]},\n{_steps(count)}", fontsize=8.5)
    dataset = run.info["dataset"]
    return Figure(
        f"inpainted-{dataset}",
        f"Holes filled by an unconditional model: {dataset}",
        "Cf. Figures 4, 14 and 15. Not curated: the first test images, with what is not known in blue, then completions, then "
        "the original; by the predictor alone and with Langevin steps of a corrector at each time; replicate 0.",
        f"Rows of {dataset} images: a part of an image, completions that differ from one another, and the original.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def colours(run: RunFolder) -> Figure:
    """Grey test images, colours given to them, and the originals (Figures 4, 16 and 17)."""
    truth = run.arrays["colours_truth"].astype(np.float32)[:, None]
    counts = _counts(run.arrays, "colours_")
    figure, axes = plt.subplots(1, len(counts), figsize=(2.8 * len(counts), 2.4), squeeze=False)
    for axis, count in zip(axes[0], counts):
        grey = truth.mean(2, keepdims=True).repeat(3, axis=2)
        _lines(axis, grey, run.arrays[f"colours_{count}"], truth, "grey")
        axis.set_title(_steps(count))
    dataset = run.info["dataset"]
    return Figure(
        f"coloured-{dataset}",
        f"Colours given by an unconditional model: {dataset}",
        "Cf. Figures 4, 16 and 17. Not curated: the first test images in grey, then the colours of several draws, then the "
        "original; by the predictor alone and with Langevin steps of a corrector at each time; replicate 0.",
        f"Rows of {dataset} images: a grey image, coloured ones that differ from one another, and the original.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def hidden(found: list[RunFolder], dataset: str) -> Figure:
    """How far what is filled in is from the originals, by the number of corrector steps, beside images that ignore the rest."""
    rows = rows_of(found)
    rows = rows[(rows.dataset == dataset) & rows.metric.isin(["hidden_error", "error_of_mean"])]
    variants = list(dict.fromkeys(rows.variant))
    panels = [(variant, metric) for variant in variants for metric in ("hidden_error", "error_of_mean")]
    columns, lines = min(len(panels), 4), -(-len(panels) // 4)
    figure, axes = plt.subplots(lines, columns, figsize=(max(2.1 * columns, 5.2), 0.3 + 2.3 * lines), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, (variant, metric) in zip(axes.flat, panels):
        _errors(axis, rows[(rows.variant == variant) & (rows.metric == metric)])
        axis.set_title(f"{MASKS.get(variant, variant)}:\n{'a draw' if metric == 'hidden_error' else 'mean of the draws'}")
    axes[0, 0].set_ylabel("mean squared error\nof what is hidden")
    handles = {text: line for axis in axes.flat for line, text in zip(*axis.get_legend_handles_labels())}
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=5)
    return Figure(
        f"hidden-{dataset}",
        f"How far from the originals what is filled in is: {dataset}",
        "Cf. Figures 14 to 17. Mean squared error of the pixels or colours that are not known, of single draws and of the mean "
        "of several, against the Langevin steps at each time; 0 is the predictor alone. Lines: samples of the same model that "
        "ignore what is known, training images, and for colours images without any. Bands span the replicates.",
        "Plots of the error against the number of corrector steps: completions lie below images that ignore what is known, and "
        "steps of the corrector bring them nearer.",
        figure,
        runs=found,
        data=measured(rows, "hidden_error", "error_of_mean"),
    )


def _errors(axis: Axes, rows: pd.DataFrame) -> None:
    """Draw one error against the corrector steps, and what rivals read as lines."""
    curve = rows[rows.axis == "correctors"]
    for method in dict.fromkeys(curve.method):
        values = curve[curve.method == method].pivot_table(index="at", columns="seed", values="value")
        mean_and_range(axis, values, shade(method), name(method))
    for rival, line in zip(RIVALS, ("--", ":", "-.")):
        read = rows[rows.method == rival].value
        if len(read):
            axis.axhline(read.mean(), color=shade(rival), linestyle=line, linewidth=1.2, label=CALLED.get(rival, name(rival)))
    axis.set(ylim=(0, 1.1 * rows.value.max()), xlabel="corrector steps")
    axis.set_xticks(sorted(curve["at"].unique()))


def colour_distances(found: list[RunFolder], dataset: str) -> Figure:
    """Distance between the colours of images and of the originals."""
    rows = rows_of(found)
    rows = rows[(rows.dataset == dataset) & (rows.metric == "colour_distance")]
    coloured = rows[rows.method == "colourisation"]
    values = {f"coloured, {_steps(f'{count:g}')}": group.value for count, group in coloured.groupby("at")}
    shades = dict.fromkeys(values, shade("colourisation"))
    for rival in RIVALS:
        label = CALLED.get(rival, name(rival))
        values[label], shades[label] = rows[rows.method == rival].value, shade(rival)
    figure, axis = plt.subplots(figsize=(5.6, 2.1))
    dots(axis, values, shades.get, str)
    axis.set(xlabel="sliced Wasserstein distance between pixels", xlim=(0, None))
    return Figure(
        f"colour-distance-{dataset}",
        f"Whether colours are those of data: {dataset}",
        "Cf. Figures 16 and 17. Distance of single pixels, grey value and two colours, to those of the original images: of "
        "coloured images, of samples that ignore the grey values, of training images, and of the grey images. A dot for each "
        "replicate and a bar at their mean.",
        "Dots by method: coloured images are nearer to the originals' colours than other images are, and grey ones are not.",
        figure,
        runs=found,
        data=measured(rows, "colour_distance"),
    )


def _counts(arrays: Mapping[str, np.ndarray], prefix: str) -> list[str]:
    """Return the numbers of corrector steps whose pictures a run left, in order."""
    return sorted((rest for key in arrays if (rest := key.removeprefix(prefix)).isdigit() and key.startswith(prefix)), key=int)


def _steps(count: str) -> str:
    return {"0": "predictor alone", "1": "1 corrector step"}.get(count, f"{count} corrector steps")


def _coloured(images: np.ndarray) -> np.ndarray:
    """Return images [..., c, h, w] with three channels."""
    return images.astype(np.float32).repeat(3 // images.shape[-3], axis=-3)


def _lines(axis: Axes, known: np.ndarray, found: np.ndarray, truth: np.ndarray, what: str) -> None:
    """Draw a line for each image: what is known of it, its completions, itself."""
    lines = np.concatenate([_coloured(each[:IMAGES]) for each in (known, found, truth)], 1)
    n, size, gap = lines.shape[1], lines.shape[-1], _gap(lines)
    image_lines(axis, lines.reshape(-1, *lines.shape[2:]), per_line=n, gap=gap)
    axis.set_xticks(size / 2 + (size + gap) * np.array([0, (n - 1) / 2, n - 1]), [what, "draws", "original"], fontsize=7.5)
    axis.tick_params(length=0)


def _gap(images: np.ndarray) -> int:
    """Return the pixels between images: without, small ones would run together."""
    return max(1, images.shape[-1] // 16)
