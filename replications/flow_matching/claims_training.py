"""Statistics on what happens during training, on up-sampling, and on the theorems."""

import pandas as pd

from common.measure.rows import rows
from common.measure.statistics import ratio

# Figures 5 and 10
SAMPLES = rows("during_training", dataset="first", metric="feature_frechet_in_training")
COST = rows("during_training", dataset="first", metric="nfe_in_training")
frechet_in_training_ot_to_diffusion = SAMPLES.ratio("fm_ot", "fm_vp", each=("at",), by="largest")
frechet_in_training_diffusion_to_score = SAMPLES.ratio("fm_vp", "score_vp", each=("at",), by="largest")


def _largest_rise(metrics: pd.DataFrame, method: str) -> pd.Series:
    """Return the largest ratio of a distance to the one before it during training."""
    distance = SAMPLES.along(metrics, method)
    return (distance / distance.shift(axis=1)).iloc[:, 1:].max(axis=1)


def frechet_rise_in_training(metrics: pd.DataFrame) -> pd.Series:
    """Largest rise of the Fréchet distance from one state of training to the next, the smaller of SM's and ScoreFlow's."""
    return pd.concat([_largest_rise(metrics, m) for m in ("score_vp", "scoreflow_vp")], axis=1, join="inner").min(axis=1)


def _nfe_spread(metrics: pd.DataFrame, method: str) -> pd.Series:
    """Return the largest over the smallest number of dopri5's evaluations during training after its first tenth.

    A training keeps ten states, so the first one is the first tenth.
    """
    later = COST.along(metrics, method).iloc[:, 1:]
    return later.max(axis=1) / later.min(axis=1)


def nfe_spread_in_training_flow_matching(metrics: pd.DataFrame) -> pd.Series:
    """Largest over smallest number of evaluations during training, the larger of FM-OT's and FM-diffusion's."""
    return pd.concat([_nfe_spread(metrics, m) for m in ("fm_ot", "fm_vp")], axis=1, join="inner").max(axis=1)


def nfe_spread_in_training_score_to_flow_matching(metrics: pd.DataFrame) -> pd.Series:
    """Largest over smallest number of evaluations during training, score matching's over flow matching's."""
    return ratio(_nfe_spread(metrics, "score_vp"), nfe_spread_in_training_flow_matching(metrics))


# Table 2
UPSAMPLED = rows("upsampling", dataset="first")
upsampling_frechet_ratio = UPSAMPLED.also(metric="feature_frechet").ratio("fm_ot", "regression")
upsampling_psnr_lead_of_regression = UPSAMPLED.also(metric="psnr").difference("regression", "fm_ot")

# Section 6.1, and Table 1 against Table 4
training_images_ratio = rows("published_numbers", metric="training_images").ratio("fm_ot", "guided_diffusion")
largest_table_gap = rows("published_numbers", metric="table_gap").value(each=("dataset", "method"))

# Theorems 1, 2, 3
GAP = rows("gradients", metric="gradient_gap")
gradient_gap_slope_ot = GAP.log_slope("fm_ot")
gradient_gap_slope_diffusion = GAP.log_slope("fm_vp")
marginal_field_residual = rows("theorems", metric="continuity_residual").value(each=("method",))
conditional_field_gap = rows("theorems", metric="conditional_flow_gap").value(each=("method",))
