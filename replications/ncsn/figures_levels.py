"""Figures of measurements: what is learned at each noise level, what the objective says, and how samples come to data."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from common.measure.drawing import datasets, dots, plain, rows_of
from common.measure.figure_data import measured
from common.measure.figures import BLACK, BLUE, GREY, VERMILION, Figure, Runs, colour
from replications.ncsn.drawing import against_sigma
from replications.ncsn.names import NAMES, name

SHADES = {"dsm": BLUE, "ssm": VERMILION}
MARKERS = "ovsP^D"


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for dataset in datasets(runs, "objectives"):
        yield partial(levels, runs, dataset)
        yield partial(sliced, runs, dataset)
        yield partial(ranking, runs, dataset)
    for dataset in datasets(runs, "samples"):
        yield partial(on_the_way, runs, dataset)
        yield partial(sampler_steps, runs, dataset)


def levels(runs: Runs, dataset: str) -> Figure:
    """Losses and size of the score by noise level, and the drift of the sampler's steps over their noise (Section 4.2, 4.3)."""
    found = [*runs.find("objectives", dataset=dataset), *runs.find("samples", dataset=dataset)]
    rows = rows_of(found)
    rows = rows[rows.method.isin(["ncsn", "bound"])]
    bound = rows[rows.method == "bound"].groupby("at").value.mean()
    loss, norm, drift = (
        rows[(rows.metric == metric) & (rows.method == "ncsn")] for metric in ("weighted_loss", "score_norm", "drift_over_noise")
    )
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(8.6, 2.5))
    against_sigma(left, loss, colour("ncsn"), "times σ²")
    against_sigma(left, loss.assign(value=loss.value / loss["at"] ** 2), GREY, "as it is")
    left.set(yscale="log", title="denoising loss")
    left.legend()
    against_sigma(middle, norm, colour("ncsn"), "network")
    sigmas = np.array(sorted(norm["at"].unique()))
    largest = norm[norm["at"] == sigmas[-1]].value.mean()
    middle.plot(sigmas, largest * sigmas[-1] / sigmas, color=BLACK, linestyle="--", linewidth=1, label="∝ 1/σ")
    if len(bound):
        middle.plot(bound.index, bound, color=GREY, linestyle=":", label="largest possible")
    middle.set(yscale="log", title="norm of the score")
    middle.legend()
    if len(drift):
        against_sigma(right, drift, colour("ncsn"), "network")
        rho = runs.find("samples", dataset=dataset)[0].info["settings"]["step"]["rho"]
        right.axhline(rho / 2, color=BLACK, linestyle="--", linewidth=1, label="ρ / 2")
        right.legend()
    right.set(title="drift over noise while sampling", ylim=(0, None))
    return Figure(
        f"levels-{dataset}",
        f"What differs between noise levels, and what does not: {dataset}",
        "Cf. Sections 4.2 and 4.3. On unseen images, for noise levels of pixels in [0, 1]: the loss of each level, with its "
        "weight and without; the mean norm of the score, and the largest that dequantised images can have; and the mean square "
        "of a Langevin step's drift over that of its noise, which is ρ / 2 where the score is as large as the noise's own. "
        "Bands span the replicates.",
        "Three plots against the noise level. The weighted loss changes far less than the loss itself; the norm of the score "
        "grows as the noise falls, at first like 1/σ and then more slowly; the ratio of drift to noise falls.",
        figure,
        runs=found,
        data=measured(rows, "weighted_loss", "score_norm", "drift_over_noise"),
    )


def sliced(runs: Runs, dataset: str) -> Figure:
    """Denoising loss by level of a network trained by sliced score matching beside one trained by denoising (Section 4.2)."""
    found = runs.find("objectives", dataset=dataset)
    rows = rows_of(found)
    rows = rows[(rows.metric == "weighted_loss") & rows.method.isin(SHADES)]
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.4))
    for method, shade in SHADES.items():
        against_sigma(left, rows[rows.method == method], shade, NAMES[method])
    left.set(yscale="log", title="weighted denoising loss")
    plain(left.yaxis, (1, 2, 5))
    left.legend()
    by_method = rows.pivot_table(index=["at", "seed"], columns="method", values="value")
    ratio = (by_method.ssm / by_method.dsm).rename("value").reset_index()
    against_sigma(right, ratio, SHADES["ssm"], "")
    right.axhline(1, color=BLACK, linestyle="--", linewidth=1)
    right.set_title("sliced over denoising")
    return Figure(
        f"sliced-{dataset}",
        f"Sliced or denoising score matching: {dataset}",
        "Cf. Section 4.2. Two equal networks, trained from the same weights with the same images and noise, and judged by the "
        "denoising loss on unseen images. Bands span the replicates.",
        "Left: the losses of both networks against the noise level, close to one another. Right: their ratio, near 1.",
        figure,
        runs=found,
        data=measured(rows, "weighted_loss"),
    )


def ranking(runs: Runs, dataset: str) -> Figure:
    """Objective on unseen images against the distance of samples, for every model (Sections 1 and 7)."""
    found = runs.find("objectives", dataset=dataset)
    rows = rows_of(found)
    rows = rows[rows.metric.isin(["objective", "feature_frechet"])]
    table = rows.pivot_table(index=["method", "seed"], columns="metric", values="value")
    figure, axis = plt.subplots(figsize=(5.6, 2.6))
    for method, marker in zip(dict.fromkeys(rows.method), MARKERS):
        mine, shade = table.loc[method], SHADES.get(method, colour("ncsn"))
        fill = shade if method == "ncsn" or method in SHADES else "none"
        style = {"color": shade, "markerfacecolor": fill, "markersize": 5, "alpha": 0.8, "linestyle": "none"}
        axis.plot(mine.objective, mine.feature_frechet, marker, label=name(method), **style)
    axis.set(yscale="log", xlabel="objective on unseen images", ylabel="feature Fréchet distance")
    plain(axis.yaxis)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return Figure(
        f"ranking-{dataset}",
        f"Does the objective rank models: {dataset}",
        "Cf. Sections 1 and 7. The mean of the weighted losses on unseen images against the distance of samples to data, for a "
        "trained model, two states of its training and two small networks; a mark for each replicate.",
        "Scatter plot of the Fréchet distance of samples against the objective for five models.",
        figure,
        runs=found,
        data=measured(rows, "objective", "feature_frechet"),
    )


def on_the_way(runs: Runs, dataset: str) -> Figure:
    """Distance of chains to data at the end of each noise level, beside what data read."""
    found = runs.find("samples", dataset=dataset)
    rows = rows_of(found)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.4))
    held_out = rows[(rows.metric == "nearest_in_pixels") & (rows.method == "data")].value.mean()
    panels = {
        "nearest_on_the_way": (left, "distance to the nearest training image", held_out, "test images"),
        "frechet_on_the_way": (right, "feature Fréchet distance", rows[rows.metric == "frechet_on_the_way"].floor.mean(), "data"),
    }
    for metric, (axis, title, floor, label) in panels.items():
        against_sigma(axis, rows[rows.metric == metric], colour("ncsn"), NAMES["ncsn"])
        axis.axhline(floor, color=BLACK, linestyle="--", linewidth=1, label=label)
        axis.set(title=title)
        axis.legend()
    right.set_yscale("log")
    plain(right.yaxis, (1, 2, 5))
    return Figure(
        f"on-the-way-{dataset}",
        f"How near to data the chains are at each level: {dataset}",
        "Cf. Figure 4. NCSN's chains at the end of each noise level; dashed: what unseen images read (left), and training "
        "images in the samples' place (right). Bands span the replicates.",
        "Two plots against the noise level, which falls to the right: the distance of samples to the nearest training image "
        "and their Fréchet distance fall towards those of data.",
        figure,
        runs=found,
        data=measured(rows, "nearest_on_the_way", "frechet_on_the_way"),
    )


def sampler_steps(runs: Runs, dataset: str) -> Figure:
    """Fréchet distance with the published sampler and with other numbers and sizes of steps (Section 5)."""
    found = runs.find("samples", dataset=dataset)
    rows, step = rows_of(found), found[0].info["settings"]["step"]
    own = rows[(rows.method == "ncsn") & rows.metric.isin(["feature_frechet", "frechet_of_settings"])]
    others = own[own.metric == "frechet_of_settings"].variant.unique()
    labels = {"annealed": f"T = {step['steps']}, ρ = {step['rho']:g}", "annealed, denoised": "and one denoising step"}
    figure, axis = plt.subplots(figsize=(5.6, 2))
    values = {variant: own[own.variant == variant].value for variant in (*labels, *others)}
    dots(axis, values, lambda _: colour("ncsn"), lambda variant: labels.get(variant, variant))
    axis.axvline(own.floor.mean(), color=BLACK, linestyle="--", linewidth=1)
    axis.text(own.floor.mean(), -0.3, " data", va="top")
    axis.set(xlabel="feature Fréchet distance", xlim=(0, None))
    return Figure(
        f"sampler-steps-{dataset}",
        f"Numbers and sizes of Langevin steps: {dataset}",
        "Cf. Section 5. T steps at each noise level, whose drift coefficient is ρ times its variance; the published sampler "
        "first, as it is and with one denoising step more. A dot for each replicate and a bar at their mean; dashed: training "
        "images in the samples' place.",
        "Dots of the Fréchet distance for each setting of the sampler, and a line for data.",
        figure,
        runs=found,
        data=measured(own[own.variant.isin(values)], "feature_frechet", "frechet_of_settings"),
    )
