"""Statistics on what happens during training, on up-sampling, and on the theorems."""

import pandas as pd

from common.measure.rows import rows
from common.measure.statistics import per_seed, ratio

# Figures 5 and 10
SAMPLES = rows("during_training", dataset="first", metric="feature_frechet_in_training")
COST = rows("during_training", dataset="first", metric="nfe_in_training")
frechet_in_training_ot_to_diffusion = SAMPLES.ratio("fm_ot", "fm_vp", each=("at",))
frechet_in_training_diffusion_to_score = SAMPLES.ratio("fm_vp", "score_vp", each=("at",))


def _nfe_variation(metrics: pd.DataFrame, method: str) -> pd.Series:
    """Return the coefficient of variation of dopri5's evaluations over training after its first tenth."""
    nfe = COST.along(metrics, method)
    later = nfe[[step for step in nfe.columns if step > max(nfe.columns) / 10]]
    return later.std(axis=1) / later.mean(axis=1)


def nfe_variation_flow_matching(metrics: pd.DataFrame) -> pd.Series:
    """Coefficient of variation of the evaluations over training, the larger of FM-OT's and FM-diffusion's."""
    return pd.concat([_nfe_variation(metrics, m) for m in ("fm_ot", "fm_vp")], axis=1, join="inner").max(axis=1)


def nfe_variation_score_to_flow_matching(metrics: pd.DataFrame) -> pd.Series:
    """Coefficient of variation of the evaluations over training, score matching over flow matching."""
    return ratio(_nfe_variation(metrics, "score_vp"), nfe_variation_flow_matching(metrics))


# Figure 9
BOARD = rows("toy_2d", dataset="checkerboard", metric="wasserstein2", variant="dopri5")
board_distance_scoreflow_to_flow_matching = BOARD.ratio("scoreflow_vp", "fm_vp")
board_distance_ddpm_to_flow_matching = BOARD.ratio("ddpm_vp", "fm_vp")

# Table 2
UPSAMPLED = rows("upsampling", dataset="first")
upsampling_frechet_ratio = UPSAMPLED.also(metric="feature_frechet").ratio("fm_ot", "regression")
upsampling_psnr_lead_of_regression = UPSAMPLED.also(metric="psnr").difference("regression", "fm_ot")


def training_images_ratio(metrics: pd.DataFrame) -> pd.Series:
    """Images seen in training until the sample quality of the baseline, FM-OT over the baseline."""
    found = metrics[(metrics.metric == "training_images_to_baseline") & (metrics.dataset == "imagenet128")]
    return ratio(per_seed(found, method="fm_ot"), per_seed(found, method="guided_diffusion"))


# Theorem 2
GAP = rows("gradients", metric="gradient_gap")
gradient_gap_slope_ot = GAP.log_slope("fm_ot")
gradient_gap_slope_diffusion = GAP.log_slope("fm_vp")
