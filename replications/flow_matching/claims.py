"""The statistics that judge the paper's claims: metrics table in, one number per seed out."""

import pandas as pd

from common.measure.rows import over, rows
from common.measure.statistics import MissingRows, curve, paired, per_seed
from replications.flow_matching.claims_training import *  # noqa: F403
from replications.flow_matching.equal_error import evaluations_at_equal_error

FIVE = ("ddpm_vp", "fm_ot", "fm_vp", "score_vp", "scoreflow_vp")
RIVALS = ("ddpm_vp", "fm_vp", "score_vp", "scoreflow_vp")
SCORE_BASED = ("score_vp", "ddpm_vp", "scoreflow_vp")

# Table 1
NLL, FRECHET, NFE = (rows("table1", dataset="first", metric=metric) for metric in ("nll", "feature_frechet", "nfe"))
nll_lead_of_ot = NLL.difference(RIVALS, "fm_ot")
rank_frechet = FRECHET.rank("fm_ot", FIVE)
rank_nfe = NFE.rank("fm_ot", FIVE)
nfe_ratio_ot_to_diffusion = NFE.ratio("fm_ot", "fm_vp")
nfe_ratio_ot_to_best_score = NFE.ratio("fm_ot", SCORE_BASED)
nll_gain_ot_over_diffusion = NLL.difference("fm_vp", "fm_ot")
nll_gain_diffusion_over_score = NLL.difference("score_vp", "fm_vp")
frechet_ratio_diffusion_to_score = FRECHET.ratio("fm_vp", "score_vp")
imagenet128_fid = rows("table1", dataset="imagenet128", metric="fid").value("fm_ot")
imagenet128_nll = rows("table1", dataset="imagenet128", metric="nll").value("fm_ot")


def _nfe_spread(metrics: pd.DataFrame, method: str) -> pd.Series:
    """Return the largest over the smallest NFE across data sets."""
    found = rows("table1", metric="nfe").table(metrics)
    # one data set has no spread: asking for a second one makes the missing rows the reason
    names = sorted(found[found.method == method].dataset.unique())
    names = names if len(names) > 1 else [*names, "a second image data set"]
    table = pd.DataFrame({name: per_seed(found, method=method, dataset=name) for name in names})
    return table.max(axis=1) / table.min(axis=1)


def nfe_spread_flow_matching(metrics: pd.DataFrame) -> pd.Series:
    """Largest over smallest NFE across data sets, the larger of FM-OT's and FM-diffusion's."""
    return pd.concat([_nfe_spread(metrics, method) for method in ("fm_ot", "fm_vp")], axis=1).max(axis=1)


def nfe_spread_score_matching(metrics: pd.DataFrame) -> pd.Series:
    """Largest over smallest NFE across data sets for score matching."""
    return _nfe_spread(metrics, "score_vp")


def nfe_spread_scoreflow(metrics: pd.DataFrame) -> pd.Series:
    """Largest over smallest NFE across data sets for ScoreFlow."""
    return _nfe_spread(metrics, "scoreflow_vp")


# Table 4
BOUND = rows("table1", dataset="first", metric="nll_bound")
DIFFERENCES = rows("table1", dataset="first", metric="nll_bound_difference")


def smallest_nll_gain_from_draws(metrics: pd.DataFrame) -> pd.Series:
    """Smallest fall in bits/dim between consecutive numbers of draws, over all objectives."""
    gains = {method: -BOUND.along(metrics, method).diff(axis=1).iloc[:, 1:].max(axis=1) for method in FIVE}
    return pd.DataFrame(gains).min(axis=1)


def largest_swap(metrics: pd.DataFrame) -> pd.Series:
    """How sure it is, in standard errors, that two objectives change places between two numbers of draws; the surest pair.

    A pair's difference z(K), in its standard errors over the same images, changes sign as surely as the smaller of its largest
    value either way: min(max_K z, max_K -z), which is below 0 where the order is one and the same.
    """
    table = DIFFERENCES.table(metrics)
    if table.empty:
        raise MissingRows(f"no finished run has {DIFFERENCES}")
    swaps = {}
    for a, b in dict.fromkeys(zip(table.method, table.variant)):
        pair = table[(table.method == a) & (table.variant == b)]
        z = curve(pair.assign(value=pair["value"] / pair["error"]))
        swaps[f"{a} {b}"] = pd.concat([z.max(axis=1), -z.min(axis=1)], axis=1).min(axis=1)
    return paired(swaps).max(axis=1)


# Figure 7
SAMPLES = rows("solver_error", dataset="first", metric="feature_frechet")
FEW = 20  # evaluations at most


def _few(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the metrics without the Fréchet distances of many evaluations."""
    return metrics[(metrics["experiment"] != SAMPLES.experiment) | (metrics["at"] <= FEW)]


def frechet_ratio_ot_to_diffusion_over_solvers(metrics: pd.DataFrame) -> pd.Series:
    """Fréchet distance with at most 20 evaluations, FM-OT over FM-diffusion: the worst solver and number."""
    return SAMPLES.ratio("fm_ot", "fm_vp", each=("variant", "at"), by="largest")(_few(metrics))


def frechet_ratio_diffusion_to_score_over_solvers(metrics: pd.DataFrame) -> pd.Series:
    """Fréchet distance with at most 20 evaluations, FM-diffusion over score matching: the worst solver and number."""
    return SAMPLES.ratio("fm_vp", "score_vp", each=("variant", "at"), by="largest")(_few(metrics))


frechet_ratio_euler_ot_to_midpoint_score = SAMPLES.ratio(
    {"method": "fm_ot", "variant": "euler", "at": 20}, {"method": "score_vp", "variant": "midpoint", "at": 100}
)


def nfe_at_equal_error(metrics: pd.DataFrame) -> pd.Series:
    """Evaluations of FM-OT over those of FM-diffusion at equal midpoint error, trained networks."""
    return evaluations_at_equal_error(
        rows("solver_error", dataset="first", metric="solver_mse", variant="midpoint").table(metrics)
    )


# Figures 4 and 9
BOARD = rows("toy_2d", dataset="checkerboard")
OFF_BOARD = BOARD.also(metric="off_board", variant="midpoint")
BOARD_NLL = BOARD.also(metric="nll")
low_nfe_off_board_ratio = over("largest", *(OFF_BOARD.also(at=nfe).ratio("fm_ot", "fm_vp") for nfe in (4, 8)))
board_nll_scoreflow_less_flow_matching = BOARD_NLL.difference("scoreflow_vp", "fm_vp")
board_nll_ddpm_less_flow_matching = BOARD_NLL.difference("ddpm_vp", "fm_vp")

# Figures 2, 3, 4 left, 6, 8
PATTERN = rows("exact_paths", metric="marginal_off_board")
midway_off_board_ratio = over("largest", *(PATTERN.also(at=time).ratio("fm_ot", "fm_vp") for time in (0.5, 0.75)))
ot_deviation_from_linear_images = rows("solver_error", dataset="first", metric="noise_left_deviation").value("fm_ot")
diffusion_noise_left_over_ot_images = rows("solver_error", dataset="first", metric="noise_left_halfway").ratio("fm_vp", "fm_ot")
DIRECTION = rows("exact_paths", metric="direction_cosine")
direction_cosine_ot = DIRECTION.value("fm_ot")
direction_cosine_diffusion = DIRECTION.value("fm_vp")
overshoot_diffusion_less_ot = rows("exact_paths", metric="overshoot_share").difference("fm_vp", "fm_ot")
straightness_ratio = rows("exact_paths", metric="straightness").ratio("fm_ot", "fm_vp")
