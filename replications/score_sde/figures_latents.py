"""Figures of latents of the flow: tolerances, interpolation and temperature (Figures 3 and 6)."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float

from common.measure.drawing import datasets, dots, plain, rows_of
from common.measure.figure_data import measured
from common.measure.figures import BLACK, GREY, Figure, RunFolder, Runs
from replications.ffjord.drawing import WIDTH, against, powers_of_ten
from replications.score_sde.drawing import firsts, floored, of_use, positional, shared_legend, strip
from replications.score_sde.names import name, shade

# what becomes of images or samples as the solver is less exact
MOVES = {"round_trip_error": ("round trip", "-"), "moved": ("samples moved", "--")}
PATHS = {"random": "random samples", "spherical": "spherical, halfway", "linear": "straight, halfway"}
MOMENTS = 7  # points of a path, as in latent_uses, which takes a second to import


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for run in firsts(runs, "latent_codes"):
        yield partial(fewer_evaluations, run)
    for dataset in datasets(runs, "latent_codes"):
        yield partial(tolerances, runs, dataset)
    for run in firsts(runs, "latent_codes"):
        yield partial(interpolation, run)
        yield partial(temperature, run)
    for dataset in datasets(runs, "latent_codes"):
        yield partial(edits, runs, dataset)


def fewer_evaluations(run: RunFolder) -> Figure:
    """The same samples at every tolerance, with the evaluations that each takes (Figure 3)."""
    rows = rows_of([run])
    nfe = rows[rows.metric == "nfe"]
    lines = [(model, kind, images) for model, kinds in of_use(run, "tolerance").items() for kind, images in kinds.items()]

    def label(model: str, tolerance: str) -> str:
        mine = nfe[(nfe.method == model) & np.isclose(nfe["at"], float(tolerance), rtol=1e-6)].value
        return f"{name(model)}, {positional(float(tolerance))}" + "".join(f": {value:g} NFE" for value in mine)

    figure = _strips([(label(model, kind), images) for model, kind, images in lines])
    dataset = run.info["dataset"]
    return Figure(
        f"fewer-evaluations-{dataset}",
        f"The same samples with fewer evaluations: {dataset}",
        "Cf. Figure 3. Not curated: the first samples by the probability flow from the same starts, by the tolerance of RK45, "
        f"with the evaluations that it took; replicate {run.info['seed']}.",
        f"Rows of {dataset} images by tolerance, alike in a column for small tolerances, and spoilt at the largest.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def _strips(lines: list[tuple[str, np.ndarray]]) -> plt.Figure:
    """Return a figure of lines of images with a label each."""
    figure, axes = plt.subplots(max(1, len(lines)), 1, figsize=(WIDTH * 0.9, 0.44 * max(1, len(lines)) + 0.1), squeeze=False)
    for axis, (label, images) in zip(axes[:, 0], lines):
        strip(axis, images, label, len(images))
        axis.set_anchor("E")  # what room there is beside the images is the labels'
    return figure


def tolerances(runs: Runs, dataset: str) -> Figure:
    """Evaluations, distance and what moves by the solver's tolerance (Figure 3, Section 4.3)."""
    found = runs.find("latent_codes", dataset=dataset)
    rows = rows_of(found)
    rows = rows[rows.axis == "tolerance"]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(WIDTH, 2.7))
    for model in dict.fromkeys(rows.method):
        mine = rows[rows.method == model]
        against(left, mine[mine.metric == "nfe"], shade(model), name(model))
        against(middle, mine[mine.metric == "frechet_of_tolerance"], shade(model), name(model))
        for metric, (_, line) in MOVES.items():
            # the first tolerance is what samples moved from: 0 is on no logarithmic axis
            moved = mine[(mine.metric == metric) & (mine.value > 0)]
            against(right, moved, shade(model), "", line)
    floored(middle, rows[rows.metric == "frechet_of_tolerance"])
    for label, line in MOVES.values():
        right.plot([], [], color=GREY, linestyle=line, label=label)
    for axis in (left, middle, right):
        axis.set(xscale="log", xlabel="tolerance")
        powers_of_ten(axis.xaxis)
    left.set(title="evaluations", ylim=(0, None))
    middle.set(title="feature Fréchet distance", yscale="log")
    plain(middle.yaxis, (1, 2, 5))
    right.set(title="root mean square of pixels", yscale="log")
    powers_of_ten(right.yaxis)
    right.legend(loc="lower right")
    shared_legend(figure, (left, middle), 4)
    return Figure(
        f"solver-tolerance-{dataset}",
        f"What a larger tolerance saves and costs: {dataset}",
        "Cf. Figure 3 and Section 4.3. By the relative and absolute tolerance of RK45: evaluations for samples; their distance "
        "to data, dashed for training images in their place; how far test images are from where encoding and decoding takes "
        "them, and samples from those at the least tolerance, over half the range of grey values. Lines are means over "
        "replicates, bands span them.",
        "Three plots against the tolerance with a line for each model: evaluations fall, the distance is flat up to a knee, and "
        "errors grow with the tolerance.",
        figure,
        runs=found,
        data=measured(rows, "nfe", "frechet_of_tolerance", *MOVES),
    )


def interpolation(run: RunFolder) -> Figure:
    """Images along great circles between the latents of test images (Figures 3 and 6)."""
    paths = {model: kinds["spherical"] for model, kinds in of_use(run, "path").items() if "spherical" in kinds}
    figure, axes = plt.subplots(1, max(1, len(paths)), figsize=(WIDTH, 3.2), squeeze=False)
    for axis, (model, images) in zip(axes[0], paths.items()):
        by_path = in_lines(images)
        strip(axis, by_path.reshape(images.shape), "", by_path.shape[1])
        axis.set_title(name(model))
    dataset = run.info["dataset"]
    return Figure(
        f"interpolation-{dataset}",
        f"Between the latents of two images: {dataset}",
        "Cf. Figures 3 and 6. Not curated: each row goes from a test image to another, both encoded and decoded again, along the "
        f"great circle between their latents; replicate {run.info['seed']}.",
        f"For each model rows of {dataset} images, each of which turns gradually from one digit or object into another.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def in_lines(images: Float[np.ndarray, "images *shape"]) -> Float[np.ndarray, "paths moments *shape"]:
    """Return the pictures of paths, which are kept moment by moment, path by path."""
    return images.reshape(MOMENTS, -1, *images.shape[1:]).swapaxes(0, 1)


def temperature(run: RunFolder) -> Figure:
    """The same samples with scaled latents (Figure 6)."""
    by_model = of_use(run, "temperature")
    lines = [(f"{name(model)}, × {kind}", images) for model, kinds in by_model.items() for kind, images in kinds.items()]
    dataset = run.info["dataset"]
    return Figure(
        f"temperature-{dataset}",
        f"Latents scaled: {dataset}",
        "Cf. Figure 6. Not curated: the first samples by the probability flow from the same starts, times a factor; replicate "
        f"{run.info['seed']}.",
        f"Rows of {dataset} images by the factor on their latents; of smaller ones images have less contrast and differ less.",
        _strips(lines),
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def edits(runs: Runs, dataset: str) -> Figure:
    """Distance of interpolated images by path, variance and distance of samples by temperature (Figure 6)."""
    found = runs.find("latent_codes", dataset=dataset)
    rows = rows_of(found)
    paths, warm = rows[rows.metric == "frechet_of_path"], rows[rows.axis == "temperature"]
    models = list(dict.fromkeys(warm.method))
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(WIDTH, 2.7), width_ratios=[1.1, 1, 1])
    for model in models:
        mine = paths[paths.method == model]
        dots(left, {kind: mine[mine.variant == kind].value for kind in PATHS}, lambda _, model=model: shade(model), PATHS.get)
        of = warm[warm.method == model]
        against(middle, of[of.metric == "sample_variance"], shade(model), name(model))
        against(right, of[of.metric == "frechet_of_temperature"], shade(model), name(model))
    of_data = rows[(rows.metric == "sample_variance") & (rows.method == "data")].value
    if len(of_data):
        middle.axhline(of_data.mean(), color=BLACK, linestyle="--", linewidth=1, label="data")
    if np.isfinite(paths.floor.mean()):
        left.axvline(paths.floor.mean(), color=BLACK, linestyle="--", linewidth=1)
    floored(right, warm)
    left.set(title="feature Fréchet distance", xlim=(0, None))
    middle.set(title="variance of pixels", xlabel="factor on latents", ylim=(0, None))
    right.set(title="feature Fréchet distance", xlabel="factor on latents", ylim=(0, None))
    shared_legend(figure, (middle,), 4)
    return Figure(
        f"latent-edits-{dataset}",
        f"Interpolated and scaled latents: {dataset}",
        "Cf. Figure 6. Left: distance to data of random samples, and of images halfway between the latents of two test images on "
        "the great circle and on the straight line; a dot for each replicate and a bar at their mean. Middle and right: variance "
        "over samples and their distance to data by a factor on their latents; bands span the replicates. Dashed: test images "
        "(variance) and training images in the samples' place (distance).",
        "Left: dots by model; halfway on the great circle lies nearer to data than on the straight line. Middle: the variance "
        "grows with the factor. Right: the distance by the factor.",
        figure,
        runs=found,
        data=measured(pd.concat([paths, warm]), "frechet_of_path", "sample_variance", "frechet_of_temperature"),
    )
