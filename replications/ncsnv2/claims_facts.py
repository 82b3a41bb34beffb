"""The statistics that judge what needs no network: propositions, ladders, steps, exact scores."""

import pandas as pd

from common.measure.rows import combined, rows
from common.measure.statistics import furthest, paired
from replications.ncsnv2.noise_levels import MASS

# Propositions 2 and 3, techniques 2 and 4
LADDERS = rows("ladders")
PUBLISHED = LADDERS.also(variant="ncsnv2")
norm_statistic = LADDERS.also(metric="chi_ks").value("drawn", each=("at",), by="largest")
norm_order = LADDERS.also(metric="norm_ks").log_slope("exact")
shell_mass_gap = LADDERS.also(metric="shell_mass", at="largest").difference("formula", "exact")
levels_order = LADDERS.also(metric="levels_needed").log_slope()
recursion_gap = LADDERS.also(metric="recursion_off").value(each=("dataset", "variant"), by="largest")
final_variance_over_best = PUBLISHED.also(metric="final_variance").ratio(
    "published", "techniques", each=("dataset",), by="largest"
)
cifar10_evaluations = PUBLISHED.also(metric="evaluations", dataset="cifar10").value("published")
ffhq256_evaluations = PUBLISHED.also(metric="evaluations", dataset="ffhq256").value("published")


def _of_each(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return seeds x the values of a column."""
    return paired({name: part.set_index("seed")["value"] for name, part in table.groupby(column)})


def levels_gap(metrics: pd.DataFrame) -> pd.Series:
    """Published number of levels less technique 2's, without its sign: the largest over the data sets."""
    levels = PUBLISHED.also(metric="levels")
    published, rule = (_of_each(levels.also(method=method).table(metrics), "dataset") for method in ("published", "techniques"))
    return combined((published - rule).abs(), "largest")


def published_mass(metrics: pd.DataFrame) -> pd.Series:
    """Mass of a level on the shell of the level before: the published ladder where it is furthest from 0.567."""
    masses = PUBLISHED.also(metric="shell_mass", method="published")
    return furthest(_of_each(masses.table(metrics), "dataset"), MASS)


def chains_off_formula(metrics: pd.DataFrame) -> pd.Series:
    """Variance of chains less Proposition 3's, in standard errors, without its sign: the largest over settings and levels."""
    off, columns = LADDERS.also(metric="level_variance_off"), ("dataset", "variant", "at")
    return furthest(paired({str(cell): off.also(**cell).per_seed(metrics) for cell in off.cells(metrics, columns)}), 0.0).abs()


# Proposition 1, technique 1 and Figure 2
EXACT = rows("exact_scores")
WIDE, NARROW, LIKE_NCSN = "largest distance", "median / 18", "1"
largest_over_bound = EXACT.also(metric="largest_over_bound", method="mixture").value(each=("dataset", "variant"), by="largest")
median_over_bound = EXACT.also(metric="median_over_bound", method="two images alone").value(
    each=("dataset", "variant"), by="smallest"
)
REACHED = EXACT.also(metric="distinct_centres")
APART = EXACT.also(metric="distance_over_data")
reached_from_wide = REACHED.also(variant=WIDE).value(each=("dataset", "method"), by="smallest")
reached_from_narrow = REACHED.also(variant=NARROW).value("uniform", each=("dataset",), by="largest")
apart_from_one_image = APART.also(variant=NARROW).value("one image", each=("dataset",), by="largest")
OF_CIFAR10 = EXACT.also(dataset="cifar10")
cifar10_median_distance = OF_CIFAR10.also(metric="median_distance").value("data")
cifar10_largest_distance = OF_CIFAR10.also(metric="largest_distance").value("data")
cifar10_bound = OF_CIFAR10.also(metric="log10_bound_at_median", variant=LIKE_NCSN).value()
cifar10_apart_from_narrow = APART.also(dataset="cifar10", variant=LIKE_NCSN).value("uniform")
cifar10_apart_from_wide = APART.also(dataset="cifar10", variant=WIDE).value("uniform")

# Figures 1 and 6 to 8: what happens as images grow
COVERED = rows("resolution", metric="distinct_centres")


def _kept_with_size(metrics: pd.DataFrame, method: str) -> pd.Series:
    reached = COVERED.along(metrics, method)
    return reached[max(reached.columns)] / reached[min(reached.columns)]


def reached_with_size_ncsn(metrics: pd.DataFrame) -> pd.Series:
    """Share of the images that NCSN's ladder reaches: the largest images over the smallest."""
    return _kept_with_size(metrics, "ncsn")


def reached_with_size(metrics: pd.DataFrame) -> pd.Series:
    """Share of the images that the techniques' ladder reaches: the largest images over the smallest."""
    return _kept_with_size(metrics, "ncsnv2")
