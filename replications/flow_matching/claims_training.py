"""Statistics on what happens during training, on up-sampling, and on the theorems."""

import numpy as np
import pandas as pd

from common.measure.statistics import curve, difference, log_slope, per_seed, ratio
from replications.flow_matching.claim_tables import on_images


def _in_training(metrics: pd.DataFrame, metric: str, method: str) -> pd.DataFrame:
    """Return seeds x steps."""
    rows = on_images(metrics, "during_training")
    rows = rows[rows.metric == metric]
    rows = rows.assign(step=rows.variant.str.removeprefix("step=").astype(int))
    return curve(rows, "step", method=method)


def _geometric_area(metrics: pd.DataFrame, method: str) -> pd.Series:
    """Return the geometric mean over training of the feature Fréchet distance: the area under its logarithm."""
    return np.exp(np.log(_in_training(metrics, "feature_frechet_in_training", method)).mean(axis=1))


def frechet_in_training_ot_to_diffusion(metrics: pd.DataFrame) -> pd.Series:
    """Feature Fréchet distance of FM-OT over FM-diffusion's, geometric mean over training."""
    return ratio(_geometric_area(metrics, "fm_ot"), _geometric_area(metrics, "fm_vp"))


def frechet_in_training_diffusion_to_score(metrics: pd.DataFrame) -> pd.Series:
    """Feature Fréchet distance of FM-diffusion over score matching's, geometric mean over training."""
    return ratio(_geometric_area(metrics, "fm_vp"), _geometric_area(metrics, "score_vp"))


def _nfe_variation(metrics: pd.DataFrame, method: str) -> pd.Series:
    """Return the coefficient of variation of dopri5's evaluations over training after its first tenth."""
    nfe = _in_training(metrics, "nfe_in_training", method)
    later = nfe[[step for step in nfe.columns if step > max(nfe.columns) / 10]]
    return later.std(axis=1) / later.mean(axis=1)


def nfe_variation_flow_matching(metrics: pd.DataFrame) -> pd.Series:
    """Coefficient of variation of the evaluations over training, the larger of FM-OT's and FM-diffusion's."""
    return pd.concat([_nfe_variation(metrics, m) for m in ("fm_ot", "fm_vp")], axis=1, join="inner").max(axis=1)


def nfe_variation_score_to_flow_matching(metrics: pd.DataFrame) -> pd.Series:
    """Coefficient of variation of the evaluations over training, score matching over flow matching."""
    return ratio(_nfe_variation(metrics, "score_vp"), nfe_variation_flow_matching(metrics))


def _board_distance(metrics: pd.DataFrame, method: str) -> pd.Series:
    rows = metrics[(metrics.experiment == "toy_2d") & (metrics.dataset == "checkerboard")]
    return per_seed(rows, metric="wasserstein2", method=method, variant="dopri5")


def board_distance_scoreflow_to_flow_matching(metrics: pd.DataFrame) -> pd.Series:
    """Wasserstein-2 distance to data on the checkerboard, ScoreFlow over FM-diffusion."""
    return ratio(_board_distance(metrics, "scoreflow_vp"), _board_distance(metrics, "fm_vp"))


def board_distance_ddpm_to_flow_matching(metrics: pd.DataFrame) -> pd.Series:
    """Wasserstein-2 distance to data on the checkerboard, DDPM over FM-diffusion."""
    return ratio(_board_distance(metrics, "ddpm_vp"), _board_distance(metrics, "fm_vp"))


def _upsampled(metrics: pd.DataFrame, metric: str, method: str) -> pd.Series:
    return per_seed(on_images(metrics, "upsampling"), metric=metric, method=method)


def upsampling_frechet_ratio(metrics: pd.DataFrame) -> pd.Series:
    """Feature Fréchet distance of up-sampled images, FM-OT over the regressor."""
    return ratio(_upsampled(metrics, "feature_frechet", "fm_ot"), _upsampled(metrics, "feature_frechet", "regression"))


def upsampling_psnr_lead_of_regression(metrics: pd.DataFrame) -> pd.Series:
    """Mean PSNR of the regressor minus that of FM-OT, in dB."""
    return difference(_upsampled(metrics, "psnr", "regression"), _upsampled(metrics, "psnr", "fm_ot"))


def training_images_ratio(metrics: pd.DataFrame) -> pd.Series:
    """Images seen in training until the sample quality of the baseline, FM-OT over the baseline."""
    rows = metrics[(metrics.metric == "training_images_to_baseline") & (metrics.dataset == "imagenet128")]
    return ratio(per_seed(rows, method="fm_ot"), per_seed(rows, method="guided_diffusion"))


def _gradient_slope(metrics: pd.DataFrame, method: str) -> pd.Series:
    rows = metrics[metrics.experiment == "gradients"]
    gaps = curve(rows, "n", metric="gradient_gap", method=method)
    return log_slope(gaps.columns, gaps)


def gradient_gap_slope_ot(metrics: pd.DataFrame) -> pd.Series:
    """Slope of log gradient gap against log number of draws, OT path: -1/2 if the expectations agree."""
    return _gradient_slope(metrics, "fm_ot")


def gradient_gap_slope_diffusion(metrics: pd.DataFrame) -> pd.Series:
    """Slope of log gradient gap against log number of draws, diffusion path: -1/2 if the expectations agree."""
    return _gradient_slope(metrics, "fm_vp")
