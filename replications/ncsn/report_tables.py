"""Tables of the report: mean over replicates with the standard deviation."""

from collections.abc import Iterator

import pandas as pd

from common.measure.figures import Table, marked
from common.measure.table_cells import in_order, pivot
from replications.ncsn.names import LADDERS, NAMES, name

# rows that are no method, by what the tables call them
KINDS = {NAMES["data"]: "floor", NAMES["noise"]: "baseline"}
# columns of samples, by metric; those of FID's network are there where its weights were asked for
SAMPLES = {
    "feature_frechet": "feature Fréchet distance",
    "frechet_of_stayed": "of chains that stayed",
    "nearest_in_pixels": "nearest, pixels",
    "nearest_in_features": "nearest, features",
    "diverged_share": "diverged",
    "confidence": "confidence",
    "class_entropy": "class entropy",
    "fid": "FID",
    "inception_score": "Inception score",
}
LEVELS = {
    "weighted_loss": "loss × σ²",
    "loss": "loss",
    "score_norm": "norm of the score",
    "bound": "its bound",
    "scaled_norm": "norm × σ",
    "drift_over_noise": "drift over noise",
}
OBJECTIVES = {
    "objective": "objective, unseen images",
    "feature_frechet": "feature Fréchet distance",
    "operations_over_dsm": "operations of a step",
    "seconds_over_dsm": "seconds of a step",
}
HOLES = {
    "known_kept_share": "known pixels kept",
    "hole_error": "squared error in the hole",
    "hole_error_of_strangers": "of training images",
    "spread_over_posterior": "spread over posterior's",
}
SETTINGS = {"feature_frechet": SAMPLES["feature_frechet"]}
SETTING_NAMES = {"annealed": "as published", "annealed, denoised": "and one denoising step", "train split": NAMES["data"]}
MIXTURE = {"heavy_share": "samples in the heavy mode", "variance_in_modes": "variance in the modes"}


def tables(metrics: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables that the rows present allow."""
    by_experiment = {experiment: in_order(rows, NAMES) for experiment, rows in metrics.groupby("experiment")}
    if "samples" in by_experiment:
        yield cells(by_experiment["samples"])
        yield settings(by_experiment["samples"])
    if "mixture" in by_experiment:
        yield mixture(by_experiment["mixture"])
    if "objectives" in by_experiment:
        yield levels(pd.concat([by_experiment[key] for key in ("objectives", "samples") if key in by_experiment]))
        yield objectives(by_experiment["objectives"])
    if "inpainting" in by_experiment:
        yield inpainting(by_experiment["inpainting"])


def cells(rows: pd.DataFrame) -> Table:
    """Return networks and samplers x what is said of their samples."""
    method = rows.method.isin(["ncsn", "ncsn_single"])
    # what is said of NCSN's own samples alone names no sampler
    variant = rows.variant.mask(method & rows.metric.isin(["confidence", "class_entropy"]), "annealed")
    shown = rows[(method & variant.isin(["annealed", "plain"])) | rows.method.isin(["data", "noise"])]
    sampler = variant.where(method).map(NAMES).fillna("–")
    caption = (
        "Cf. Appendix C. Either network with either sampler, from the same starts with as many evaluations: distance to data "
        "in a small network's features, and the same without the baseline's chains that diverged (as many of NCSN's); median "
        "distance to the nearest training image; share of chains that diverged; how sure "
        "the small network is of what it sees, and the entropy of the classes that it finds, over log k. Data: training images "
        "for the first column, test images for the others. Mean ± s.d. over replicates."
    )
    frame = pivot(shown.assign(network=shown.method.map(name), sampler=sampler), ["network", "sampler"], SAMPLES)
    return marked(Table("network-and-sampler", "All noise levels or one, annealed or not", caption, frame), KINDS, "network")


def settings(rows: pd.DataFrame) -> Table:
    """Return settings of the sampler x what is said of NCSN's samples with them."""
    own = (rows.method == "ncsn") & rows.nfe.notna() & (rows.variant != "plain")
    shown = rows[own | (rows.variant == "train split")].replace({"metric": {"frechet_of_settings": "feature_frechet"}})
    setting = shown.variant.replace(SETTING_NAMES)
    evaluations = shown.nfe.map("{:g}".format).where(shown.nfe.notna(), "–")
    caption = (
        "Cf. Section 5. NCSN with T steps at each level, the drift coefficient being ρ times the level's variance. Data: "
        "training images in the samples' place. Mean ± s.d. over replicates."
    )
    frame = pivot(shown.assign(setting=setting, NFE=evaluations), ["setting", "NFE"], SETTINGS)
    return marked(Table("sampler-settings", "Numbers and sizes of Langevin steps", caption, frame), KINDS, "setting")


def mixture(rows: pd.DataFrame) -> Table:
    """Return methods x share of the heavy mode and variance in the modes, with the ladders that came to no finite number."""
    weight = rows["at"].map(", weight {:g}".format).where(rows.axis == "weight", "")
    frame = pivot(rows.assign(method=rows.method.map(name) + weight), ["method"], MIXTURE)
    # a run says something of every ladder, and what it refuses to say is not among the finished rows
    refused = [NAMES[ladder] for ladder in LADDERS if ladder not in set(rows.method)]
    diverging = pd.DataFrame({"method": refused, **dict.fromkeys(MIXTURE.values(), "diverges")})
    caption = (
        "Cf. Figure 3 and Section 3.2.2. Exact scores; the heavy mode's weight is 0.8 unless another is named, and the "
        "variance in both modes is 1. Mean ± s.d. over replicates."
    )
    table = Table("mixture", "Weights of two modes", caption, pd.concat([frame, diverging], ignore_index=True))
    return marked(table, KINDS, "method")


def levels(rows: pd.DataFrame) -> Table:
    """Return noise levels x losses, size of the score and its bound, and drift over noise, of NCSN."""
    mine = rows[rows.method.isin(["ncsn", "bound"]) & (rows.axis == "sigma")]
    mine = mine.assign(metric=mine.metric.mask(mine.method == "bound", "bound"))
    mine = mine.sort_values(["dataset", "at"], ascending=[True, False])
    loss, norm = (mine[mine.metric == metric] for metric in ("weighted_loss", "score_norm"))
    derived = (
        loss.assign(metric="loss", value=loss.value / loss["at"] ** 2),
        norm.assign(metric="scaled_norm", value=norm.value * norm["at"]),
    )
    caption = (
        "Cf. Sections 4.2 and 4.3. NCSN on unseen images, pixels in [0, 1]: the denoising loss with its weight and without, "
        "the mean norm of the score and the largest that dequantised images can have, and while sampling a step's mean squared "
        "drift over its noise's. Mean ± s.d. over replicates."
    )
    every = pd.concat([mine, *derived], ignore_index=True)
    return Table("levels", "Noise levels", caption, pivot(every.assign(σ=every["at"].map("{:.3g}".format)), ["σ"], LEVELS))


def objectives(rows: pd.DataFrame) -> Table:
    """Return models x objective on unseen images and distance of samples, and the cost of sliced score matching."""
    caption = (
        "Cf. Sections 2.1, 4.2 and 7. The mean of the weighted losses on unseen images, the distance of samples to data, and "
        "what a training step of sliced score matching costs over one of denoising: operations counted, and time. Mean ± s.d. "
        "over replicates."
    )
    frame = pivot(rows.assign(method=rows.method.map(name)), ["method"], OBJECTIVES)
    return Table("objectives", "Objectives and what they cost", caption, frame)


def inpainting(rows: pd.DataFrame) -> Table:
    """Return masks x what is said of completions."""
    caption = (
        "Cf. Figure 6. Known pixels that are kept within three times the least noise level; mean squared error in the hole, of "
        "completions and of training images in their place; twice the variance of completions over their squared error, which "
        "is 1 for draws from the posterior. Mean ± s.d. over replicates."
    )
    return Table("inpainting", "Completions", caption, pivot(rows.assign(mask=rows.variant.map(name)), ["mask"], HOLES))
