"""The statistics of what samplers do with exact scores, where what is left is their own error."""

import numpy as np
import pandas as pd

from common.measure.rows import over, rows
from common.measure.statistics import difference, furthest, paired, ratio
from replications.gotta_go_fast.along_tolerances import (
    PUBLISHED,
    as_good,
    evaluations,
    furthest_ratio,
    given_up,
    ratios,
    saving,
    slope,
    values,
)
from replications.gotta_go_fast.names import SDES

TOY = rows("exact_toy")
ERRORS = {sde: TOY.also(dataset=sde, metric="residual_error") for sde in SDES}
RESIDUALS = {sde: TOY.also(dataset=sde, metric="residual", axis="tolerance") for sde in SDES}
COSTS = {sde: TOY.also(dataset=sde, metric="nfe_max", axis="tolerance") for sde in SDES}
NEAR = PUBLISHED[:3]  # where the paper's VE samples have as good an FID by either sampler
FULL = {"method": "euler_maruyama_full", "axis": ""}
SHELF = "torchsde_srk"
AS_GOOD = 1.1  # an error that is not more than a tenth larger is no worse
SHELF_TOLERANCES = (0.05, 0.02, 0.01)

# Abstract
rejected = over(
    "largest",
    *(
        over("mean", *(TOY.also(dataset=sde, metric="rejected_share", axis="tolerance", at=at).value("ggf") for at in PUBLISHED))
        for sde in SDES
    ),
)
saving_vp, saving_ve = (saving([(ERRORS[sde], AS_GOOD)], COSTS[sde], PUBLISHED, "euler_maruyama_full") for sde in SDES)


# Table 1: equal evaluations
def _at(sde: str, at: float) -> dict[str, object]:
    return {"method": "ggf", "axis": "tolerance", "at": at}


em_over_ggf_vp = ratios(ERRORS["vp"].also(axis="tolerance"), "euler_maruyama", "ggf", PUBLISHED)
ggf_over_em_vp_slope = slope(ERRORS["vp"].also(axis="tolerance"), "ggf", PUBLISHED, "euler_maruyama")
em_over_ggf_ve = furthest_ratio(RESIDUALS["ve"], "euler_maruyama", "ggf", NEAR)
em_over_ggf_ve_coarse = RESIDUALS["ve"].also(at=0.1).ratio("euler_maruyama", "ggf")
collapse = over("smallest", *(ERRORS[sde].ratio(_at(sde, 0.5), _at(sde, 0.1)) for sde in SDES))

# Table 1: quality and cost beside Euler-Maruyama in full
error_at_fewer_vp = ERRORS["vp"].ratio(_at("vp", 0.05), FULL)
residual_at_fewer_ve = TOY.also(dataset="ve", metric="residual").ratio(_at("ve", 0.02), FULL)


def _fewer(sde: str, at: float, metrics: pd.DataFrame) -> pd.Series:
    full = evaluations(ERRORS[sde].also(axis=""), "euler_maruyama_full", metrics)
    return ratio(full, COSTS[sde].also(at=at).per_seed(metrics, "ggf"))


def fewer_vp(metrics: pd.DataFrame) -> pd.Series:
    """Evaluations of Euler-Maruyama in full over the solver's on VP at a tolerance of 0.05."""
    return _fewer("vp", 0.05, metrics)


def fewer_ve(metrics: pd.DataFrame) -> pd.Series:
    """The same on VE at a tolerance of 0.02."""
    return _fewer("ve", 0.02, metrics)


# Table 1: what the number of evaluations depends on
evaluations_slope_vp, evaluations_slope_ve = (slope(COSTS[sde], "ggf", PUBLISHED) for sde in SDES)


def steeper_on_ve(metrics: pd.DataFrame) -> pd.Series:
    """The slope on VE less that on VP."""
    return difference(evaluations_slope_ve(metrics), evaluations_slope_vp(metrics))


ve_over_vp = TOY.also(metric="nfe_max", axis="tolerance", at=0.01, method="ggf").ratio({"dataset": "ve"}, {"dataset": "vp"})


# Table 2: a large noise
def gap_widens(metrics: pd.DataFrame) -> pd.Series:
    """By how much Euler-Maruyama's residual exceeds the solver's at equal evaluations, at the largest noise less at the least."""
    mine = TOY.also(dataset="ve", metric="residual", axis="sigma_max", variant="tolerance 0.1")
    ends = {end: mine.also(at=end) for end in ("largest", "smallest")}
    gaps = {
        end: difference(part.per_seed(metrics, "euler_maruyama"), part.per_seed(metrics, "ggf")) for end, part in ends.items()
    }
    return difference(gaps["largest"], gaps["smallest"])


# Appendix: other solvers
def shelf_over_em(metrics: pd.DataFrame) -> pd.Series:
    """Evaluations of torchsde's cheapest run that is no worse than Euler-Maruyama in full, over its; infinite if none is."""
    metrics = given_up(metrics)
    tried = values(ERRORS["vp"].also(axis="tolerance"), SHELF, SHELF_TOLERANCES, metrics)
    spent = paired({at: evaluations(ERRORS["vp"].also(axis="tolerance", at=at), SHELF, metrics) for at in tried})
    good = as_good(ERRORS["vp"], SHELF, "euler_maruyama_full", SHELF_TOLERANCES, metrics, AS_GOOD)
    full = evaluations(ERRORS["vp"].also(axis=""), "euler_maruyama_full", metrics)
    return ratio(spent.where(good).min(axis=1).fillna(np.inf), full)


# Appendix: ablations
VARIANTS = TOY.also(axis="ablation")
_CELLS = {"each": ("dataset",), "by": "smallest"}
max_norm_cost = VARIANTS.also(metric="nfe_max").ratio("max_norm", "default", **_CELLS)
no_previous_cost = VARIANTS.also(metric="nfe_max").ratio("no_previous", "default", **_CELLS)
no_extrapolation_error = VARIANTS.also(metric="residual_error").ratio("no_extrapolation", "default", **_CELLS)
lamba_cost = VARIANTS.also(metric="nfe_max").ratio("lamba", "default", each=("dataset",), by="largest")
lamba_error = VARIANTS.also(metric="residual_error").ratio("lamba", "default", **_CELLS)


def exponent_cost(metrics: pd.DataFrame) -> pd.Series:
    """Evaluations with an exponent of 0.5 or 1 over those with 0.9, on either SDE: the ratio furthest from one."""
    parts = {sde: VARIANTS.also(dataset=sde, metric="nfe_max") for sde in SDES}
    found = {
        (sde, name): ratio(part.per_seed(metrics, name), part.per_seed(metrics, "default"))
        for sde, part in parts.items()
        for name in ("power_0.5", "power_1")
    }
    return furthest(paired(found), 1.0)
