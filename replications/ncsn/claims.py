"""The statistics that judge the paper's claims: metrics table in, one number per seed out."""

import pandas as pd

from common.measure.rows import over, rows
from common.measure.statistics import paired, per_seed

# Figure 1
restlessness_ratio = rows("manifold", metric="tail_spread").ratio("clean", "noised", each=("dataset",), by="smallest")

# Figures 2 and 3, Section 3.2.2
sparse_over_dense_error = rows("score_regions", metric="relative_error").ratio({"variant": "sparse"}, {"variant": "dense"})
SHARE = rows("mixture", metric="heavy_share")
share_moved_by_weights = SHARE.also(variant="weights").difference({"at": 0.9}, {"at": 0.1})
heavy_share_langevin = SHARE.also(variant="").value("langevin")
heavy_share_annealed = SHARE.also(variant="").value("appendix")

# Sections 2.1, 4.2, 7
LEVELS = rows("objectives", dataset="first")
score_norm_slope = LEVELS.also(metric="score_norm").log_slope("ncsn")
sliced_over_denoising_loss = LEVELS.also(metric="weighted_loss").ratio("ssm", "dsm", each=("at",), by="largest")
sliced_over_denoising_seconds = LEVELS.also(metric="seconds_over_dsm").value("ssm_forward")


def weighted_loss_spread(metrics: pd.DataFrame) -> pd.Series:
    """Largest over smallest of the levels' losses, each times sigma^2."""
    losses = LEVELS.also(metric="weighted_loss").along(metrics, "ncsn")
    return losses.max(axis=1) / losses.min(axis=1)


def objective_rank_correlation(metrics: pd.DataFrame) -> pd.Series:
    """Spearman's correlation over models between the objective on unseen images and the Fréchet distance of samples."""
    found = {}
    for metric in ("objective", "feature_frechet"):
        table = LEVELS.also(metric=metric).table(metrics)
        found[metric] = paired({name: per_seed(table, method=name) for name in table.method.unique()})
    objective, distance = (found[metric].rank(axis=1) for metric in ("objective", "feature_frechet"))
    return objective.corrwith(distance[objective.columns], axis=1)


# Section 4.3 and Figure 4
SAMPLES = rows("samples", dataset="first")


def drift_over_noise_variation(metrics: pd.DataFrame) -> pd.Series:
    """Coefficient of variation over levels of the squared ratio of a Langevin step's drift to its noise."""
    ratios = SAMPLES.also(metric="drift_over_noise").along(metrics, "ncsn")
    return ratios.std(axis=1, ddof=0) / ratios.mean(axis=1)


def largest_step_from_data(metrics: pd.DataFrame) -> pd.Series:
    """Largest ratio of the distance to the nearest training image at a level's end to that at the end of the level before."""
    from_least = SAMPLES.also(metric="nearest_on_the_way").along(metrics, "ncsn")
    towards_data = from_least[sorted(from_least.columns, reverse=True)]
    return (towards_data / towards_data.shift(axis=1)).iloc[:, 1:].max(axis=1)


def frechet_over_settings(metrics: pd.DataFrame) -> pd.Series:
    """Fréchet distance with other numbers and sizes of Langevin steps over that with the published ones: the worst setting."""
    published = FRECHET.per_seed(metrics, OWN)
    table = SAMPLES.also(metric="frechet_of_settings").table(metrics)
    others = paired({name: per_seed(table, variant=name) for name in table.variant.unique()} | {"published": published})
    return others.drop(columns="published").max(axis=1) / others["published"]


# Table 1; Figures 5 and 7 to 10
OWN = {"method": "ncsn", "variant": "annealed"}
FRECHET = SAMPLES.also(metric="feature_frechet")
baseline_over_ncsn_frechet = SAMPLES.also(metric="frechet_of_stayed").ratio({"method": "ncsn_single", "variant": "plain"}, OWN)
confidence_over_data = SAMPLES.also(metric="confidence").ratio("ncsn", "data")
class_entropy = SAMPLES.also(metric="class_entropy").value("ncsn")
nearest_over_held_out = over(
    "smallest",
    *(SAMPLES.also(metric=f"nearest_in_{space}").ratio(OWN, {"method": "data"}) for space in ("pixels", "features")),
)
cifar10_fid = rows("samples", dataset="cifar10", metric="fid").value("ncsn")
cifar10_inception_score = rows("samples", dataset="cifar10", metric="inception_score").value("ncsn")

# Figure 6
MASKS = rows("inpainting", dataset="first")
known_kept_share = MASKS.also(metric="known_kept_share").value("ncsn", each=("variant",), by="smallest")
completion_spread = MASKS.also(metric="spread_over_posterior").value("ncsn", each=("variant",), by="smallest")


def hole_error_over_strangers(metrics: pd.DataFrame) -> pd.Series:
    """Squared error of completions inside the hole over that of training images put there: the worst mask."""
    error, strangers = (MASKS.also(metric=metric).table(metrics) for metric in ("hole_error", "hole_error_of_strangers"))
    ratios = {mask: per_seed(error, variant=mask) / per_seed(strangers, variant=mask) for mask in sorted(error.variant.unique())}
    return paired(ratios).max(axis=1)
