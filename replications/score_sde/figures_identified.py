"""Figure of two networks' latents of the same images (Figures 7 and 8)."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from common.measure.drawing import datasets, rows_of
from common.measure.figure_data import stacked
from common.measure.figures import BLACK, BLUE, GREY, ORANGE, VERMILION, Figure, Runs
from replications.ffjord.drawing import WIDTH, against
from replications.score_sde.drawing import first, of_use, shared_legend
from replications.score_sde.names import name

DIMENSIONS, PAIRED = 60, 1500  # of one image's latents as lines; latents as dots
Latents = Float[np.ndarray, "images *shape"]


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for dataset in datasets(runs, "latent_codes"):
        if runs.find("latent_codes", dataset=dataset)[0].info["settings"]["identified"]:
            yield partial(identified, runs, dataset)


def identified(runs: Runs, dataset: str) -> Figure:
    """Latents of the same images under two networks, beside those of different images (Figures 7 and 8)."""
    found = runs.find("latent_codes", dataset=dataset)
    run, rows = first(found), rows_of(found)
    by_model = of_use(run, "latents")
    figure, axes = plt.subplots(max(1, len(by_model)), 4, figsize=(WIDTH, 2.5 * max(1, len(by_model)) + 0.3), squeeze=False)
    pairs = {}
    for (lines, dots, differences, correlations), (model, latents) in zip(axes, by_model.items()):
        one, other = (latents[which].astype(np.float32) for which in ("shared", "second"))
        _one_image(lines, one, other)
        pairs[model] = _pairs(dots, one, other)
        mine = rows[rows.method == model]
        _by_share(differences, mine[mine.metric == "latent_difference"], "same image over others")
        same, shuffled = (mine[mine.metric == metric] for metric in ("latent_correlation", "shuffled_correlation"))
        _by_share(correlations, same, "rank correlation", shuffled)
        lines.set_ylabel(f"{name(model)}\nlatent")
    shared_legend(figure, axes.flat, 5)
    return Figure(
        f"identified-{dataset}",
        f"Two networks give an image the same latent: {dataset}",
        "Cf. Figures 7 and 8. The suite's network and another of other size, weights and batches, trained on the same objective. "
        "First: latents of one test image, over the prior's standard deviation, dimension by dimension; second: latents of "
        f"several images under both (replicate {run.info['seed']}). Third: median difference of latents over that of different "
        "images (1 says nothing), by the share of the suite's network's training; fourth: correlation over images, median over "
        "dimensions, and of different images. Dashed: flow of the Gaussian of the data's mean and covariance against the second "
        "network. Bands span the replicates.",
        "Two lines that nearly coincide; a cloud of dots along the diagonal over a round one of different images; the difference "
        "falls with training and the correlation rises, that of different images being 0.",
        figure,
        runs=found,
        data=stacked(pairs, ("method",), ("first network", "second network", "second network, another image"), digits=3),
        arrays="arrays.npz",
    )


def _one_image(axis: Axes, one: Latents, other: Latents) -> None:
    """Draw the first dimensions of the first image's latents under both networks."""
    for latents, label, colour, look in (
        (one, "suite's network", ORANGE, {"linewidth": 2.5, "alpha": 0.5}),
        (other, "second network", BLUE, {}),
    ):
        values = latents[0].ravel()[:DIMENSIONS]
        axis.plot(np.arange(1, len(values) + 1), values, **{"color": colour, "linewidth": 0.9, "label": label, **look})
    axis.set(title="one image", xlabel="dimension")


def _pairs(axis: Axes, one: Latents, other: Latents) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw and return latents under both networks, of the same images and of different ones."""
    every = max(1, one.size // PAIRED)
    x, same, different = (part.ravel()[::every] for part in (one, other, np.roll(other, 1, 0)))
    style = {"markersize": 2, "markeredgewidth": 0, "rasterized": True}
    axis.plot(x, different, "o", color=GREY, alpha=0.35, label="different images", **style)
    axis.plot(x, same, "o", color=VERMILION, alpha=0.6, label="same image", **style)
    axis.set(title="several images", xlabel="suite's network", ylabel="second network")
    return x, same, different


def _by_share(axis: Axes, rows: pd.DataFrame, title: str, shuffled: pd.DataFrame | None = None) -> None:
    """Draw a measure by the share of training, with that of the Gaussian flow and of different images."""
    along = rows[rows.variant == "shared network"]
    against(axis, along, VERMILION, "same image")
    linear = rows[rows.variant == "Gaussian flow"].value
    if len(linear):
        axis.axhline(linear.mean(), color=BLACK, linestyle="--", linewidth=1, label="Gaussian flow")
    if shuffled is not None:
        against(axis, shuffled[shuffled.variant == "shared network"], GREY, "different images")
    axis.set(title=title, xlabel="share of training", xlim=(0, 1.03), ylim=(-0.1, 1.02) if shuffled is not None else (0, 1))
    axis.xaxis.set_major_formatter("{x:.0%}")
