"""Figures of models of images: bits/dim, the least time, samples (Table 2, Appendix C)."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from common.measure.drawing import datasets, dots, plain, rows_of
from common.measure.figure_data import measured
from common.measure.figures import BLACK, GREY, Figure, RunFolder, Runs
from replications.ffjord.drawing import WIDTH, against, powers_of_ten
from replications.score_sde.drawing import firsts, floored, positional, strip
from replications.score_sde.names import name, shade

SAMPLERS = {"ODE": "o", "SDE": "s", "PC": "^"}
BOUND = "variational bound"
SHOWN = 20  # samples of each model and sampler


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for dataset in datasets(runs, "likelihood"):
        yield partial(bits, runs, dataset)
        yield partial(least_time, runs, dataset)
    for run in firsts(runs, "likelihood"):
        yield partial(samples, run)


def models_of(rows: pd.DataFrame) -> list[str]:
    """Return the models that have a likelihood, in their order."""
    return [method for method in dict.fromkeys(rows[rows.metric == "nll"].method) if method != "uniform"]


def bits(runs: Runs, dataset: str) -> Figure:
    """Bits/dim of each model with its variational bound, and bits/dim against the distance of samples (Table 2, Section 4.4)."""
    found = runs.find("likelihood", dataset=dataset)
    rows, bounds = rows_of(found), _bounds(found)
    medians = rows[rows.metric == "nll_median"]
    models = models_of(rows)
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.9))
    lines = {}
    for model in models:
        lines[model] = medians[medians.method == model].value
        if model in set(bounds.method):
            lines[f"{model}, bound"] = bounds[bounds.method == model].value
    if lines:
        dots(left, lines, lambda key: shade(key.partition(",")[0]), lambda key: _labelled(*key.partition(", bound")))
    left.set(xlabel="bits/dim, median of test images")
    frechet = rows[(rows.metric == "feature_frechet") & rows.method.isin(models)]
    for model in models:
        _against_bits(right, medians[medians.method == model], frechet[frechet.method == model])
    for sampler, marker in SAMPLERS.items():
        if sampler in set(frechet.variant):
            right.plot([], [], marker, color=GREY, linestyle="none", label=name(sampler) if sampler != "PC" else "with corrector")
    floored(right, frechet)
    right.set(xlabel="bits/dim, median of test images", ylabel="feature Fréchet distance", yscale="log")
    plain(right.yaxis)
    if len(right.lines):
        right.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return Figure(
        f"bits-{dataset}",
        f"Likelihoods and samples of models on three SDEs: {dataset}",
        "Cf. Table 2 and Section 4.4. Left: bits/dim of test images by the probability flow, and by a variational bound where "
        "one is taken; the median of the images, since one that a flow takes far out decides a mean; a dot for each replicate "
        "and a bar at their mean. Right: the same against the distance of samples to data in a network's features; a mark for "
        "each replicate and sampler, in the model's colour. Dashed: training images in the samples' place.",
        "Left: dots of bits/dim for each model, and of the bound, which is larger. Right: scatter plot of the Fréchet distance "
        "of samples against bits/dim, a cluster for each model.",
        figure,
        runs=found,
        data=pd.concat([measured(rows, "nll_median", "feature_frechet"), bounds], ignore_index=True),
        arrays="arrays.npz",
    )


def _bounds(found: list[RunFolder]) -> pd.DataFrame:
    """Return the median of the images' variational bounds as rows."""
    rows = [
        {
            "dataset": run.info["dataset"],
            "method": key.removeprefix("bound_"),
            "variant": BOUND,
            "seed": run.info["seed"],
            "metric": "variational_bound_median",
            "value": float(np.median(values)),
        }
        for run in found
        for key, values in run.arrays.items()
        if key.startswith("bound_")
    ]
    return pd.DataFrame(rows, columns=["dataset", "method", "variant", "seed", "metric", "value"])


def _labelled(model: str, bound: str, _: str) -> str:
    """Return the label of a model's own likelihood or of its bound."""
    return f"{name(model)}: bound" if bound else name(model)


def _against_bits(axis: Axes, medians: pd.DataFrame, frechet: pd.DataFrame) -> None:
    """Draw a model's distances by sampler against its bits/dim."""
    of_seed = medians.groupby("seed").value.mean()
    for sampler, marker in SAMPLERS.items():
        mine = frechet[(frechet.variant == sampler) & frechet.seed.isin(of_seed.index)]
        if len(mine):
            look = {"color": shade(mine.method.iloc[0]), "marker": marker, "alpha": 0.65, "linewidths": 0}
            axis.scatter(of_seed.reindex(mine.seed), mine.value, 26, **look)


def least_time(runs: Runs, dataset: str) -> Figure:
    """What a later start of the flow costs in bits/dim (Appendix C)."""
    found = runs.find("likelihood", dataset=dataset)
    rows = rows_of(found)
    costs = rows[rows.metric == "nll_over_least_eps"]
    figure, axis = plt.subplots(figsize=(5.8, 2.6))
    for model in models_of(rows):
        against(axis, costs[costs.method == model], shade(model), name(model))
    axis.axhline(0, color=BLACK, linestyle="--", linewidth=1, label="least time")
    axis.set(xscale="log", xlabel="time ε that images are points at", ylabel="bits/dim more")
    powers_of_ten(axis.xaxis)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    least = min(found[0].info["settings"]["eps"])
    return Figure(
        f"least-time-{dataset}",
        f"Where the flow of a likelihood starts: {dataset}",
        f"Cf. Appendix C. Bits/dim of test images that are taken to be points at time ε, less those of the same images at "
        f"{positional(least)}. Lines are means over replicates, bands span them.",
        "Lines of a difference of bits/dim against the starting time, one for each model; it grows with the time where it is "
        "seen at all.",
        figure,
        runs=found,
        data=measured(costs, "nll_over_least_eps"),
    )


def samples(run: RunFolder) -> Figure:
    """First samples of each model by each of its samplers."""
    rows = rows_of([run])
    cells = [(model, how) for model in models_of(rows) for how in SAMPLERS if f"samples_{model}_{how}" in run.arrays]
    figure, axes = plt.subplots(max(1, len(cells)), 1, figsize=(WIDTH, 0.37 * max(1, len(cells)) + 0.1), squeeze=False)
    for axis, (model, how) in zip(axes[:, 0], cells):
        images = run.arrays[f"samples_{model}_{how}"][:SHOWN]
        strip(axis, images, f"{name(model)}: {'corrected' if how == 'PC' else name(how)}", SHOWN)
    dataset = run.info["dataset"]
    return Figure(
        f"flow-samples-{dataset}",
        f"Samples of models on three SDEs: {dataset}",
        "Cf. Table 2. Not curated: the first samples of each model by the probability flow, by the reverse SDE, and on the VE "
        f"SDE with a corrector, all from the same starts, denoised last; replicate {run.info['seed']}.",
        f"Rows of small {dataset} images for {', '.join(dict.fromkeys(name(model) for model, _ in cells))}; within a model those "
        "of different samplers resemble one another.",
        figure,
        runs=[run],
        arrays="arrays.npz",
        photographic=True,
    )
