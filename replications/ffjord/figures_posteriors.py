"""Figures of variational autoencoders: bounds by posterior, reconstructions and draws (Table 3)."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from common.measure.drawing import datasets, dots, rows_of
from common.measure.figure_data import measured
from common.measure.figures import BLACK, GREY, Figure, RunFolder, Runs, mean_and_range
from replications.ffjord.drawing import unit_images
from replications.ffjord.names import BASELINES, name, shade


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for dataset in datasets(runs, "posteriors"):
        yield partial(bounds, runs, dataset)
    for run in runs.find("posteriors", seed=0):
        yield partial(reconstructions, run)


def bounds(runs: Runs, dataset: str) -> Figure:
    """Negative ELBO above FFJORD's by posterior, and the validation bound along the training (Table 3)."""
    found = runs.find("posteriors", dataset=dataset)
    rows = rows_of(found)
    above, along = (rows[rows.metric == metric] for metric in ("above_ffjord", "validation_negative_elbo"))
    posteriors = list(found[0].info["settings"]["posteriors"])
    unit = next(iter(above.unit), "nats")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 2.7), gridspec_kw={"width_ratios": [1, 1.1]})
    _leads(left, above, [key for key in posteriors if key != "ffjord"])
    left.set(xlabel=f"negative ELBO above FFJORD's, {unit}", title="test images")
    least = along[along.method == "ffjord"].groupby("seed").value.min()
    for key in posteriors:
        mine = along[along.method == key].pivot_table(index="at", columns="seed", values="value")
        if len(mine):
            mean_and_range(right, mine - least, shade(key), name(key))
    right.axhline(0, color=BLACK, linestyle="--", linewidth=1)
    right.set(xlabel="step", ylabel=f"above FFJORD's least, {unit}", title="validation images")
    right.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return Figure(
        f"bounds-{dataset}",
        f"Posteriors moved by different flows: {dataset}",
        "Cf. Table 3. Left: the negative ELBO of the same test images under each posterior less that under FFJORD's; to the "
        "right of the dashed line FFJORD is better; a dot for each replicate and a bar at their mean. Independent pixels, which "
        "have no latent, are given as a number. Right: the negative ELBO of validation images along the training less that of "
        "FFJORD's best state in the same replicate; mean and, as a band, range over replicates.",
        "Left: dots by posterior around a line at zero. Right: bounds that fall with the step, one curve for each posterior.",
        figure,
        runs=found,
        data=measured(pd.concat([above, along]), "above_ffjord", "validation_negative_elbo"),
    )


def _leads(axis: Axes, above: pd.DataFrame, posteriors: list[str]) -> None:
    """Draw dots by posterior around zero, and what is far off the axis as a number in a line of its own."""
    values = {key: above[above.method == key].value for key in posteriors}
    far = [key for key in BASELINES if (above.method == key).any()]
    dots(axis, values | dict.fromkeys(far, above.value[:0]), shade, name)
    axis.axvline(0, color=BLACK, linestyle="--", linewidth=1)
    axis.margins(x=0.08)
    for height, key in enumerate(far, len(values)):
        mean = above[above.method == key].value.mean()
        where = {"transform": axis.get_yaxis_transform(), "ha": "right", "va": "center"}
        axis.text(1, height, f"mean {mean:.3g}{' →' if mean > 0 else ''}".replace("-", "−"), color=GREY, fontsize=8, **where)


def reconstructions(run: RunFolder) -> Figure:
    """Test images with their reconstructions, and draws from the prior, by posterior (Section 4.3)."""
    arrays = run.arrays
    posteriors = [key.removeprefix("reconstructed_") for key in arrays if key.startswith("reconstructed_")]
    originals, count = arrays["originals"], len(posteriors) + 1
    figure, axes = plt.subplots(count, 2, figsize=(8.1, 0.47 * count + 0.25))
    figure.get_layout_engine().set(wspace=0.04)
    unit_images(axes[0, 0], originals, "originals", len(originals))
    axes[0, 0].set_title("originals and reconstructions")
    axes[0, 1].remove()
    for place, key in enumerate(posteriors, 1):
        unit_images(axes[place, 0], arrays[f"reconstructed_{key}"], name(key), len(originals))
        unit_images(axes[place, 1], arrays[f"sampled_{key}"], "", len(originals))
    axes[1, 1].set_title("draws from the prior")
    dataset = run.info["dataset"]
    return Figure(
        f"reconstructions-{dataset}",
        f"Reconstructions and draws by posterior: {dataset}",
        "Cf. Section 4.3. Not curated: the first test images, the mean images that each model makes of them, from the moved mean "
        "of its posterior, and mean images of latents drawn from the prior, the same for all models; replicate 0.",
        f"Rows of small {dataset} images: originals, and beneath them reconstructions (left) and draws (right) of each model.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )
