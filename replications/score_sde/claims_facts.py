"""Statistics of what needs no network: kernels, marginals, chains, likelihoods, and samplers with exact scores."""

import numpy as np
import pandas as pd

from common.measure.rows import over, rows
from common.measure.statistics import paired, per_seed

# Equation 29, appendices B and C
FACTS = rows("sde_facts")
kernel_error = over(
    "largest",
    FACTS.also(metric="simulated_mean_gap").value(each=("dataset", "at"), by="largest"),
    FACTS.also(metric="simulated_variance_gap").value(each=("dataset", "at"), by="largest"),
)
sub_vp_over_vp = FACTS.also(metric="sub_vp_over_vp").value()
end_variance_gap = FACTS.also(metric="end_variance_gap").value(each=("dataset",), by="largest")
kept_variance_gap = FACTS.also(metric="kept_variance_gap").value()
overlay_gap = FACTS.also(metric="overlay_gap", at="smallest").value(each=("dataset", "variant"), by="largest")
kernel_order = FACTS.also(metric="kernel_gap").log_slope(each=("dataset", "variant"), wanted=-1.0)


# Sections 3.2, 4.2, 4.3, appendices D.1, D.2, E, H.2, I.4
def marginal_distance_over_floor(metrics: pd.DataFrame) -> pd.Series:
    """Distance of the reverse SDE's marginals to the ODE's over that of two exact samples: geometric mean over SDEs and times."""
    table = FACTS.also(metric="marginal_distance", variant="sde to ode").table(metrics)
    ratios = table.assign(value=table["value"] / table["floor"])
    found = {(sde, t): per_seed(ratios, dataset=sde, at=t) for sde, t in sorted(set(zip(table["dataset"], table["at"])))}
    return np.exp(np.log(paired(found)).mean(axis=1))


ancestral_order = FACTS.also(metric="end_point_gap").log_slope(each=("dataset",), wanted=-1.0)


def divergence_bias(metrics: pd.DataFrame) -> pd.Series:
    """Mean estimated divergence less the exact one, in standard errors, without its sign: the worse noise."""
    bias = FACTS.also(metric="divergence_bias")
    return paired({noise: bias.per_seed(metrics, noise).abs() for noise in ("rademacher", "gaussian")}).max(axis=1)


divergence_order = FACTS.also(metric="divergence_error").log_slope(each=("method",), wanted=-0.5)
likelihood_order = FACTS.also(metric="likelihood_error").log_slope("rademacher")
likelihood_gap = FACTS.also(metric="likelihood_gap", variant="exact end").value(each=("dataset",), by="largest")
same_chain_gap = FACTS.also(metric="same_chain_gap").value(each=("dataset",), by="largest")


def _end_variance_error(metrics: pd.DataFrame, sde: str) -> pd.Series:
    last = FACTS.also(metric="end_variance", at="largest", dataset=sde)
    off = {name: (last.per_seed(metrics, name) - 1).abs() for name in ("euler_maruyama", "reverse_diffusion")}
    return paired(off).pipe(lambda table: table["euler_maruyama"] / table["reverse_diffusion"])


def vp_end_variance_error(metrics: pd.DataFrame) -> pd.Series:
    """How far Euler-Maruyama's last variance is from the data's over how far reverse diffusion's is, at most scales: VP."""
    return _end_variance_error(metrics, "vp")


def sub_vp_end_variance_error(metrics: pd.DataFrame) -> pd.Series:
    """How far Euler-Maruyama's last variance is from the data's over how far reverse diffusion's is, at most scales: sub-VP."""
    return _end_variance_error(metrics, "sub_vp")


share_of_way = FACTS.also(metric="share_of_way").value(each=("dataset",), by="smallest")

# Section 4.2 with exact scores
EXACT = rows("exact_samplers", metric="sampler_distance")
PREDICTORS = ("ancestral", "reverse_diffusion", "probability_flow")


def exact_corrector_over_worst(metrics: pd.DataFrame) -> pd.Series:
    """Distance of correctors alone over the largest of the other samplers at their cost, at the most scales: the least SDE."""
    found = {}
    for sde in ("ve", "vp"):
        mine = EXACT.also(dataset=sde, at="largest")
        others = {(kind, name): mine.also(variant=kind).per_seed(metrics, name) for kind in ("P2", "PC") for name in PREDICTORS}
        found[sde] = mine.also(variant="C2").per_seed(metrics) / paired(others).max(axis=1)
    return paired(found).min(axis=1)


def exact_flow_over_others(metrics: pd.DataFrame) -> pd.Series:
    """Distance of probability flow over that of the worse other predictor, without correctors: VE at the fewest scales."""
    mine = EXACT.also(dataset="ve", variant="P", at="smallest")
    found = paired({name: mine.per_seed(metrics, name) for name in PREDICTORS})
    return found["probability_flow"] / found[["ancestral", "reverse_diffusion"]].max(axis=1)


def exact_flow_gain(metrics: pd.DataFrame) -> pd.Series:
    """Share of the flow's distance that a corrector leaves over the least that it leaves of a predictor's: VE, fewest scales."""
    mine = EXACT.also(dataset="ve", at="smallest")
    left = {
        name: mine.also(variant="PC").per_seed(metrics, name) / mine.also(variant="P").per_seed(metrics, name)
        for name in PREDICTORS
    }
    table = paired(left)
    return table["probability_flow"] / table[["ancestral", "reverse_diffusion"]].min(axis=1)


def best_ratio_beside_over_alone(metrics: pd.DataFrame) -> pd.Series:
    """Best signal-to-noise ratio beside reverse diffusion over that of correctors alone: the SDE where that is larger."""
    tried = rows("exact_samplers", metric="snr_distance")
    found = {}
    for sde in ("ve", "vp"):
        best = {kind: tried.also(dataset=sde, variant=kind).along(metrics).idxmin(axis=1) for kind in ("PC", "C2")}
        found[sde] = best["PC"] / best["C2"]
    return paired(found).max(axis=1)
