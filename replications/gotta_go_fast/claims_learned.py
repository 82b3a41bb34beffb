"""The statistics of what samplers do with trained models."""

import numpy as np
import pandas as pd

from common.measure.rows import over, rows
from common.measure.statistics import difference, ratio
from replications.gotta_go_fast.along_tolerances import as_good, evaluations, furthest_ratio, given_up, ratios, saving, slope

TRAINED = {"vp": "ddpm_vp", "ve": "score_ve"}
LEARNED = rows("learned", dataset="first")
TOLERANCES = (0.02, 0.05, 0.1)
NEAR = TOLERANCES[:2]
AS_GOOD = 1.1  # a tenth more noise is no worse
AS_NEAR = 1.25  # a quarter of a Fréchet distance is what 200 samples can tell
FRECHET = {sde: LEARNED.also(metric="feature_frechet", variant=model) for sde, model in TRAINED.items()}
NOISE = {sde: LEARNED.also(metric="leftover_noise", variant=model) for sde, model in TRAINED.items()}
COSTS = {sde: LEARNED.also(metric="nfe_max", variant=model, axis="tolerance") for sde, model in TRAINED.items()}


def _at(at: float, method: str = "ggf") -> dict[str, object]:
    return {"method": method, "axis": "tolerance", "at": at}


# Abstract, Table 1
learned_saving_vp, learned_saving_ve = (
    saving([(NOISE[sde], AS_GOOD), (FRECHET[sde], AS_NEAR)], COSTS[sde], TOLERANCES, "euler_maruyama_full") for sde in TRAINED
)
learned_em_over_ggf_vp = ratios(NOISE["vp"].also(axis="tolerance"), "euler_maruyama", "ggf", TOLERANCES, "geometric_mean")
learned_ggf_over_em_vp_slope = slope(NOISE["vp"].also(axis="tolerance"), "ggf", TOLERANCES, "euler_maruyama")
learned_em_over_ggf_ve = furthest_ratio(NOISE["ve"].also(axis="tolerance"), "euler_maruyama", "ggf", NEAR)
learned_em_over_ggf_ve_coarse = NOISE["ve"].ratio(_at(0.1, "euler_maruyama"), _at(0.1))
learned_slope_vp, learned_slope_ve = (slope(COSTS[sde], "ggf", TOLERANCES) for sde in TRAINED)


def learned_steeper_on_ve(metrics: pd.DataFrame) -> pd.Series:
    """The slope on VE less that on VP."""
    return difference(learned_slope_ve(metrics), learned_slope_vp(metrics))


learned_ve_over_vp = LEARNED.also(metric="nfe_max", axis="tolerance", at=0.02, method="ggf").ratio(
    {"variant": TRAINED["ve"]}, {"variant": TRAINED["vp"]}
)
learned_collapse = over("smallest", *(FRECHET[sde].ratio(_at(0.5), _at(0.1)) for sde in TRAINED))

# Table 1: another network
STATES = LEARNED.also(metric="nfe_mean", axis="share of training", method="ggf")
state_over_end_vp, state_over_end_ve = (STATES.also(variant=model).ratio({"at": 0.5}, {"at": 1.0}) for model in TRAINED.values())

# Table 1: the flow and DDIM
RK45 = {"method": "rk45", "axis": ""}
rk45_over_ggf_vp, rk45_over_ggf_ve = (FRECHET[sde].ratio(RK45, _at(0.05)) for sde in TRAINED)


def rk45_evaluations(metrics: pd.DataFrame) -> pd.Series:
    """Evaluations of the flow by RK45 over the solver's at a tolerance of 0.05, on VP."""
    return ratio(*(evaluations(FRECHET["vp"], what, metrics) for what in (RK45, _at(0.05))))


ddim_over_ggf = ratios(FRECHET["vp"].also(axis="tolerance"), "ddim", "ggf", TOLERANCES, "geometric_mean")
ddim_over_ggf_coarse = FRECHET["vp"].ratio(_at(0.5, "ddim"), _at(0.5))


# Abstract: other solvers
def learned_shelf_over_em(metrics: pd.DataFrame) -> pd.Series:
    """Evaluations of torchsde's SRK over those of Euler-Maruyama in full, on VP; infinite where it is worse by either measure."""
    metrics = given_up(metrics)
    full = evaluations(FRECHET["vp"].also(axis=""), "euler_maruyama_full", metrics)
    spent = evaluations(FRECHET["vp"], _at(0.02, "torchsde_srk"), metrics)
    measures = ((NOISE["vp"], AS_GOOD), (FRECHET["vp"], AS_NEAR))
    good = [as_good(of, "torchsde_srk", "euler_maruyama_full", [0.02], metrics, most)[0.02] for of, most in measures]
    return ratio(spent.where(good[0] & good[1], np.inf), full)


# Appendix: ablations
VARIANTS = LEARNED.also(axis="ablation")
learned_max_norm_cost = VARIANTS.also(metric="nfe_max").ratio("max_norm", "default", each=("variant",), by="smallest")
learned_no_extrapolation_noise = VARIANTS.also(metric="leftover_noise").ratio(
    "no_extrapolation", "default", each=("variant",), by="smallest"
)
