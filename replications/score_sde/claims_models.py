"""Statistics of likelihoods, latents and networks: Tables 2 and 3, Figures 3, 6 to 8 and 10, appendices C, D.4, D.5 and H."""

import pandas as pd

from common.measure.rows import rows
from common.measure.statistics import paired, per_seed

# Table 2 and Section 4.4: networks that predict the noise, as the paper's do
LIKELIHOOD = rows("likelihood", dataset="first")
ON_VE, ON_VP, ON_SUB_VP = "score_ve", "ddpm_vp", "noise_sub_vp"
bound_over_nll = LIKELIHOOD.also(metric="bound_over_nll").value(ON_VP)
DIFFERENCE = LIKELIHOOD.also(metric="nll_difference_median")
vp_over_sub_vp = DIFFERENCE.also(variant=f"less {ON_SUB_VP}").value(ON_VP)


def ve_over_others(metrics: pd.DataFrame) -> pd.Series:
    """Median of the VE model's bits/dim less another's of the same images: the VP or the sub-VP model, whichever is nearer."""
    less_ve = DIFFERENCE.also(variant=f"less {ON_VE}")
    return -paired({name: less_ve.per_seed(metrics, name) for name in (ON_VP, ON_SUB_VP)}).max(axis=1)


FRECHET = LIKELIHOOD.also(metric="feature_frechet")
ve_samples_over_others = FRECHET.ratio({"method": ON_VE, "variant": "PC"}, {"method": ON_VP, "variant": "SDE"})


def flow_over_sde(metrics: pd.DataFrame) -> pd.Series:
    """Distance of the flow's samples over that of the reverse SDE's, without correctors: the SDE where it is least."""
    ratios = {
        name: FRECHET.also(variant="ODE").per_seed(metrics, name) / FRECHET.also(variant="SDE").per_seed(metrics, name)
        for name in (ON_VE, ON_VP, ON_SUB_VP)
    }
    return paired(ratios).min(axis=1)


ve_flow_over_vp_flow = FRECHET.also(variant="ODE").ratio(ON_VE, ON_VP)
gained_by_least_time = LIKELIHOOD.also(metric="nll_over_least_eps", at="largest").value(each=("method",), by="smallest")

# Figures 3 and 6
LATENTS = rows("latent_codes", dataset="first", method=ON_VP)
CLOSE = 1.1  # distances within a tenth are taken for the same quality


def evaluations_saved(metrics: pd.DataFrame) -> pd.Series:
    """Share of the evaluations at the least tolerance that the largest one saves whose samples are as good."""
    nfe, distance = (LATENTS.also(metric=metric).along(metrics) for metric in ("nfe", "frechet_of_tolerance"))
    good = distance.le(CLOSE * distance.iloc[:, 0], axis=0)
    return 1 - nfe.where(good).min(axis=1) / nfe.iloc[:, 0]


def evaluations_grow(metrics: pd.DataFrame) -> pd.Series:
    """Largest ratio of the evaluations at a tolerance to those at the next smaller one."""
    nfe = LATENTS.also(metric="nfe").along(metrics)
    return (nfe / nfe.shift(axis=1)).iloc[:, 1:].max(axis=1)


round_trip_error = LATENTS.also(metric="round_trip_error", at="smallest").value()
PATHS = LATENTS.also(metric="frechet_of_path")
spherical_over_random = PATHS.ratio({"variant": "spherical"}, {"variant": "random"})
spherical_over_linear = PATHS.ratio({"variant": "spherical"}, {"variant": "linear"})


def least_rise_with_temperature(metrics: pd.DataFrame) -> pd.Series:
    """Smallest ratio of the samples' variance at a temperature to that at the next lower one."""
    variance = LATENTS.also(metric="sample_variance", axis="temperature").along(metrics)
    return (variance / variance.shift(axis=1)).iloc[:, 1:].min(axis=1)


# Figures 7 and 8
TWO = rows("latent_codes", dataset="first", method=ON_VE, variant="shared network")
latent_difference = TWO.also(metric="latent_difference", at="largest").value()
latent_correlation = TWO.also(metric="latent_correlation", at="largest").value()
agreement_gained = TWO.also(metric="latent_difference").difference({"at": 0.1}, {"at": 1.0})

# Tables 2 and 3 on CIFAR-10
NETWORKS = rows("architectures", dataset="cifar10")
(
    ddpm_vp_bits,
    ddpm_sub_vp_bits,
    ddpmpp_vp_bits,
    ddpmpp_sub_vp_bits,
    ddpmpp_deep_vp_bits,
    ddpmpp_deep_sub_vp_bits,
) = (
    NETWORKS.also(metric="nll").value(name)
    for name in ("ddpm_vp", "ddpm_sub_vp", "ddpmpp_vp", "ddpmpp_sub_vp", "ddpmpp_deep_vp", "ddpmpp_deep_sub_vp")
)
continuous_gain = NETWORKS.also(metric="nll").difference("ddpm_vp_discrete", "ddpm_vp")
FID = NETWORKS.also(metric="fid")
ncsnpp_fid, deep_ncsnpp_fid = (FID.also(variant="PC").value(name) for name in ("ncsnpp_ve", "ncsnpp_deep_ve"))
ddpmpp_fid, deep_ddpmpp_fid = (FID.also(variant="SDE").value(name) for name in ("ddpmpp_vp", "ddpmpp_deep_vp"))
deep_ncsnpp_inception_score = NETWORKS.also(metric="inception_score", variant="PC").value("ncsnpp_deep_ve")

# Figure 10: NCSN++ against itself without one of its parts
PARTS = ("without_fir", "without_rescaling", "ddpm_blocks", "without_progressive", "two_blocks")


def least_worth_of_parts(metrics: pd.DataFrame) -> pd.Series:
    """FID without one of NCSN++'s parts over that with all of them: the part that is worth least."""
    table = rows("architectures", dataset="cifar10", metric="fid", variant="PC").table(metrics)
    whole = per_seed(table, method="ncsnpp_ve_discrete")
    return paired({name: per_seed(table, method=name) / whole for name in PARTS}).min(axis=1)


# Figure 12
largest_images = rows("architectures", dataset="celeba_hq1024", metric="feature_frechet", variant="PC").value("ncsnpp_1024_ve")
