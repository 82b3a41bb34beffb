"""The statistics that judge what trained networks show."""

from itertools import pairwise

import pandas as pd

from common.measure.rows import combined, over, rows
from common.measure.statistics import paired, ratio
from replications.ncsnv2.names import TRAININGS
from replications.ncsnv2.noise_levels import MASS
from replications.ncsnv2.states import STEADY, fluctuation

# Table 1 and the last denoising step
ABLATION = rows("ablation", dataset="first")
BEST, NOISY = {"method": "ncsnv2", "variant": "denoised"}, {"method": "ncsnv2", "variant": "not denoised"}
PLAIN = {"method": "ncsn", "variant": "not denoised"}  # as it was published
FRECHET = ABLATION.also(metric="feature_frechet")
noisy_over_denoised = FRECHET.ratio(NOISY, BEST)
ncsnv2_over_ncsn = FRECHET.ratio(BEST, PLAIN)
last_step_over_level = ABLATION.also(metric="denoising_change").value("ncsnv2")
precision_gained = ABLATION.also(metric="precision").difference(BEST, PLAIN)
CIFAR10, CELEBA64 = (rows("ablation", dataset=name, metric="fid") for name in ("cifar10", "celeba64"))
cifar10_fid = CIFAR10.value(BEST)
cifar10_fid_noisy = CIFAR10.value(NOISY)
cifar10_noisy_over_ncsn = CIFAR10.ratio(NOISY, PLAIN)
cifar10_inception_score = rows("ablation", dataset="cifar10", metric="inception_score").value(BEST)
celeba64_fid = CELEBA64.value(BEST)
celeba64_fid_noisy = CELEBA64.value(NOISY)
celeba64_over_ncsn = CELEBA64.ratio(BEST, PLAIN)


# Figure 4: averaged weights
def _steadied(metrics: pd.DataFrame, metric: str) -> pd.Series:
    """Return how a row fluctuates over the states with averaged weights over how it does with raw ones, the worst training."""
    table = ABLATION.also(metric=metric, axis="state").table(metrics)

    def of(arm: str) -> pd.Series:
        return pd.Series({seed: fluctuation(part) for seed, part in table[table["method"] == arm].groupby("seed")}, dtype=float)

    return combined(paired({name: ratio(of(averaged), of(raw)) for name, (raw, averaged) in TRAININGS.items()}), "largest")


def distance_fluctuation(metrics: pd.DataFrame) -> pd.Series:
    """Fluctuation of the Fréchet distance over the states about its trend, averaged weights over raw: the worst training."""
    return _steadied(metrics, "frechet_of_state")


def colour_fluctuation(metrics: pd.DataFrame) -> pd.Series:
    """Fluctuation of the samples' mean colour over the states about its trend, averaged weights over raw: the worst training."""
    return _steadied(metrics, "mean_colour")


# Figure 5: groups of techniques
def _over_ncsn(metrics: pd.DataFrame, arm: str) -> pd.Series:
    """Return an arm's Fréchet distance over plain NCSN's, each the mean over the states while the learning rate is constant."""
    found = {name: ABLATION.also(metric="frechet_of_state").along(metrics, name) for name in (arm, "ncsn")}
    means = {name: states[[at for at in states if at <= STEADY]].mean(axis=1) for name, states in found.items()}
    return ratio(means[arm], means["ncsn"])


def averaging_over_ncsn(metrics: pd.DataFrame) -> pd.Series:
    """Mean Fréchet distance over the states, NCSN with averaged weights over NCSN."""
    return _over_ncsn(metrics, "ncsn_5")


def ladder_over_ncsn(metrics: pd.DataFrame) -> pd.Series:
    """Mean Fréchet distance over the states, NCSN with the data's ladder and steps over NCSN."""
    return _over_ncsn(metrics, "ncsn_124")


def ladder_and_averaging_over_ncsn(metrics: pd.DataFrame) -> pd.Series:
    """Mean Fréchet distance over the states, NCSN with the data's ladder and averaged weights over NCSN."""
    return _over_ncsn(metrics, "ncsn_1245")


def all_over_ncsn(metrics: pd.DataFrame) -> pd.Series:
    """Mean Fréchet distance over the states, NCSNv2 over NCSN."""
    return _over_ncsn(metrics, "ncsnv2")


def unsteady_at_128(metrics: pd.DataFrame) -> pd.Series:
    """Largest over smallest Fréchet distance over the second half of a training on bedrooms of 128 pixels, raw weights."""
    states = rows("ablation", dataset="lsun_bedroom128", metric="frechet_of_state").along(metrics, "ncsn_1234")
    late = states[[at for at in states if at >= 0.5]]
    return late.max(axis=1) / late.min(axis=1)


# Techniques 2 and 4 with a trained network
SAMPLER = rows("sampler_settings", dataset="first")


def _by_levels(metrics: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Return seeds x numbers of levels of the Fréchet distance, and the number whose shell mass is nearest to technique 2's."""
    masses = SAMPLER.also(metric="shell_mass").along(metrics).mean()
    return SAMPLER.also(metric="frechet_of_levels").along(metrics), (masses - MASS).abs().idxmin()


def few_over_chosen_levels(metrics: pd.DataFrame) -> pd.Series:
    """Fréchet distance with the fewest levels over that with technique 2's number, at an equal number of evaluations."""
    found, chosen = _by_levels(metrics)
    return found[min(found.columns)] / found[chosen]


def chosen_over_best_levels(metrics: pd.DataFrame) -> pd.Series:
    """Fréchet distance with technique 2's number of levels over that with the best number, at an equal number of evaluations."""
    found, chosen = _by_levels(metrics)
    return found[chosen] / found.min(axis=1)


SIZES = SAMPLER.also(metric="frechet_of_sizes")


def chosen_over_best_size(metrics: pd.DataFrame) -> pd.Series:
    """Fréchet distance with technique 4's step size over that with the best one."""
    found = SIZES.along(metrics)
    return found[1.0] / found.min(axis=1)


near_over_chosen_size = over("largest", *(SIZES.ratio({"at": size}, {"at": 1.0}) for size in (0.7, 1.4)))
unstable_over_chosen_size = SIZES.ratio({"variant": "unstable"}, {"at": 1.0})

# Section 3.3, Figure 3, overfitting
LOSSES = rows("losses", dataset="first")
loss_over_told = LOSSES.also(metric="smoothed_loss").ratio("ncsnv2", "ncsnv2_index")
score_norm_slope = LOSSES.also(metric="score_norm", variant="test").log_slope("ncsnv2")
unseen_over_seen = LOSSES.also(metric="objective").ratio(
    {"method": "ncsnv2", "variant": "test"}, {"method": "ncsnv2", "variant": "train"}
)
COUNTS = rows("losses", metric="parameters")


def _counted(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return each count once: the runs of all data sets count the same networks."""
    return COUNTS.table(metrics).drop_duplicates(["method", "at", "seed", "value"])


def parameters_off_line(metrics: pd.DataFrame) -> pd.Series:
    """Parameters for each further level of a network that is told the level: their largest relative difference over ladders."""
    counts = COUNTS.along(_counted(metrics), "ncsn")
    levels = sorted(counts.columns)
    steps = paired({b: (counts[b] - counts[a]) / (b - a) for a, b in pairwise(levels)})
    return steps.max(axis=1) / steps.min(axis=1) - 1


def told_over_untold_parameters(metrics: pd.DataFrame) -> pd.Series:
    """Parameters of NCSN's network at CIFAR-10's 232 levels over those of one that is told none."""
    counts = _counted(metrics)
    return ratio(COUNTS.also(at=232.0).per_seed(counts, "ncsn"), COUNTS.per_seed(counts, "ncsnv2"))


nearest_over_held_out = over(
    "smallest",
    *(
        ABLATION.also(metric=f"nearest_in_{space}").ratio({"method": "ncsnv2"}, {"method": "data"})
        for space in ("pixels", "features")
    ),
)

# Interpolation
PATHS = rows("interpolation", dataset="first")
neighbours_over_independent = PATHS.also(metric="largest_step_over_independent", method="noise", at="smallest").value(
    each=("variant",), by="largest"
)
ends_gap = PATHS.also(metric="largest_difference_of_ends").value()
blend_over_noise = PATHS.also(metric="feature_frechet", at=0.5).ratio("blend", "noise")


def middle_over_ends(metrics: pd.DataFrame) -> pd.Series:
    """Fréchet distance of the images half-way on the paths over the larger of those at their two ends."""
    along = PATHS.also(metric="feature_frechet").along(metrics, "noise")
    return along[0.5] / along[[0.0, 1.0]].max(axis=1)
