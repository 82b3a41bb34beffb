"""Figures of Section 5: images that chains end in, how they come about, and completions of others."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from common.measure.figures import Figure, RunFolder, Runs, frame
from common.measure.image_lines import image_lines, tiled
from replications.ncsn.names import NAMES

SHOWN = 18  # samples of each kind
CHAINS, MOVING = 3, (5, 4)  # chains in the still picture; columns and rows of the moving one
FRAMES = 20  # with more of them the motion would not be over in five seconds
COMPLETED = 5  # images under each mask
HOLE = np.array([0.5, 0.72, 0.9]).reshape(3, 1, 1)  # colour of pixels that are not known


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for run in runs.find("samples", seed=0):
        yield partial(samples, run)
        yield partial(annealing, run)
        yield partial(copies, run)
    for run in runs.find("inpainting", seed=0):
        yield partial(inpainting, run)


def samples(run: RunFolder) -> Figure:
    """First samples of either network by either sampler (Figures 5, 7 and 8)."""
    cells = {
        f"{network}_{sampler}": (network, sampler) for network in ("ncsn", "ncsn_single") for sampler in ("annealed", "plain")
    }
    figure, axes = plt.subplots(len(cells), 1, figsize=(8.2, 2))
    for axis, (key, cell) in zip(axes, cells.items()):
        image_lines(axis, run.arrays[key][:SHOWN], ", ".join(NAMES[name] for name in cell), SHOWN, _gap(run.arrays[key]))
    dataset = run.info["dataset"]
    return Figure(
        f"samples-{dataset}",
        f"Samples with all noise levels and with one: {dataset}",
        "Cf. Figures 5, 7 and 8. Not curated: the first chains of each network and sampler, all from the same starts with the "
        "same noise and as many evaluations; replicate 0. Chains that diverged are shown clipped.",
        f"Four rows of {dataset} images: NCSN annealed and not, and the network of one noise level annealed and not.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def annealing(run: RunFolder) -> Figure:
    """Chains on their way through the noise levels, at rest and in motion (Figure 4)."""
    moments, rows = run.arrays["moments"].astype(np.float32), run.metrics
    sigmas = sorted(rows[rows.metric == "nearest_on_the_way"]["at"], reverse=True)
    of_level, gap = len(moments) // len(sigmas), _gap(moments)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 1.9), gridspec_kw={"width_ratios": [2.8, 1]})
    ends = moments[of_level - 1 :: of_level, :CHAINS].swapaxes(0, 1)
    image_lines(left, ends.reshape(-1, *ends.shape[2:]), per_line=len(sigmas), gap=gap)
    size = moments.shape[-1]
    left.set_xticks((size + gap) * np.arange(len(sigmas)) + size / 2, [f"{sigma:.2g}" for sigma in sigmas])
    left.set(xlabel="noise level σ", title="at the end of each level")
    left.tick_params(length=0)
    columns, lines = MOVING
    image_lines(right, moments[-1, : columns * lines], per_line=columns, gap=gap)

    def at(moment: int) -> np.ndarray:
        picture = tiled(moments[moment, : columns * lines], columns, gap)
        right.images[0].set_data(picture.squeeze(-1) if picture.shape[-1] == 1 else picture)
        right.set_title(f"σ = {sigmas[min(moment // of_level, len(sigmas) - 1)]:.2g}")
        return frame(figure)

    every, dataset = -(-len(moments) // FRAMES), run.info["dataset"]
    return Figure(
        f"annealing-{dataset}",
        f"From noise to images: {dataset}",
        "Cf. Figure 4. Not curated: NCSN's first chains at the end of each noise level (left) and on their way (right); "
        "replicate 0.",
        f"Rows of {dataset} images that turn from noise into images as the noise level falls from left to right; beside them a "
        "grid of images, in motion.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
        frames=[at(moment) for moment in range((len(moments) - 1) % every, len(moments), every)],
    )


def _gap(images: np.ndarray) -> int:
    """Return the pixels between images: without, small digits would run together."""
    return max(1, images.shape[-1] // 16)


def copies(run: RunFolder) -> Figure:
    """Samples with the training images nearest to them (Figures 9 and 10)."""
    lines = {"copied": "samples", "nearest_pixels": "nearest in pixels", "nearest_features": "nearest in features"}
    figure, axes = plt.subplots(len(lines), 1, figsize=(7.4, 1.7))
    for axis, (key, label) in zip(axes, lines.items()):
        image_lines(axis, run.arrays[key], label, len(run.arrays[key]), _gap(run.arrays[key]))
    dataset = run.info["dataset"]
    return Figure(
        f"copies-{dataset}",
        f"Samples beside their nearest training images: {dataset}",
        "Cf. Figures 9 and 10. Not curated: NCSN's first samples, and below each the training image nearest to it; replicate 0.",
        f"Three rows of {dataset} images: samples, training images nearest to them in pixels, and nearest in features.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def inpainting(run: RunFolder) -> Figure:
    """Test images with a part hidden, completions, and the originals, under each mask (Figure 6)."""
    arrays = run.arrays
    names = [key.removeprefix("completed_") for key in arrays if key.startswith("completed_")]
    figure, axes = plt.subplots(1, len(names), figsize=(8.4, 2.6), squeeze=False)
    for axis, name in zip(axes[0], names):
        _completions(axis, arrays["truth"], arrays[f"mask_{name}"], arrays[f"completed_{name}"])
        axis.set_title(NAMES[name])
    dataset = run.info["dataset"]
    return Figure(
        f"inpainting-{dataset}",
        f"Completions by one network under three masks: {dataset}",
        "Cf. Figure 6. Not curated: the first test images, with what is not known in blue, then completions, then the original; "
        "replicate 0.",
        f"For each of {len(names)} masks, rows of {dataset} images: a part of an image, several completions that differ, and the "
        "original.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )


def _completions(axis: Axes, truth: np.ndarray, mask: np.ndarray, completed: np.ndarray) -> None:
    """Draw a line for each image: what is known of it, its completions, itself."""
    chosen = completed[:COMPLETED]
    truth = truth[: len(chosen), None]
    lines = np.concatenate([truth, chosen, truth], 1).astype(np.float32).repeat(3 // truth.shape[2], axis=2)
    lines[:, 0] = np.where(mask, lines[:, 0], HOLE)
    n, size, gap = lines.shape[1], lines.shape[-1], _gap(lines)
    image_lines(axis, lines.reshape(-1, *lines.shape[2:]), per_line=n, gap=gap)
    middles = size / 2 + (size + gap) * np.array([0, (n - 1) / 2, n - 1])
    axis.set_xticks(middles, ["known", "completions", "original"])
    axis.tick_params(length=0)
