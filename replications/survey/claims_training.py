"""The statistics of what an objective is to its training."""

import pandas as pd

from common.measure.rows import rows
from common.measure.statistics import ratio

TRAINING = rows("training_side", dataset="first")
LIKELIHOOD, NOISE, SCORE = "scoreflow_vp", "ddpm_vp", "score_vp"  # the last has noise's loss and likelihood's output

# Section 4.3: what a weighting buys
NLL = TRAINING.also(metric="nll")
nll_gained = NLL.difference(LIKELIHOOD, SCORE)
END = TRAINING.also(metric="feature_frechet", axis="step", at="largest")
quality_paid = END.ratio(LIKELIHOOD, SCORE)

# Section 4.3: where its gradients are noisy
SCALE = TRAINING.also(metric="noise_scale")
noisier_early = SCALE.also(variant="early").ratio(LIKELIHOOD, SCORE)
noisier = SCALE.also(variant="trained").ratio(LIKELIHOOD, SCORE)
SHARES = TRAINING.also(metric="gradient_noise_share", variant="trained", axis="t")


def _early_share(metrics: pd.DataFrame, objective: str) -> pd.Series:
    """Return the share of the gradient's noise that comes from bins of times before 0.1."""
    shares = SHARES.along(metrics, objective)
    return shares[[t for t in shares if t < 0.1]].sum(axis=1)


def early_share(metrics: pd.DataFrame) -> pd.Series:
    """Share of the gradient's noise that comes from times before 0.1, likelihood weighting."""
    return _early_share(metrics, LIKELIHOOD)


def early_share_over_unweighted(metrics: pd.DataFrame) -> pd.Series:
    """Share of the gradient's noise that comes from times before 0.1, likelihood weighting over DDPM's."""
    return ratio(_early_share(metrics, LIKELIHOOD), _early_share(metrics, SCORE))


# Section 2: what a name costs
output_quality = END.ratio(SCORE, NOISE)
output_likelihood = NLL.difference(SCORE, NOISE)
COSTS = TRAINING.also(metric="steps_to_quality", at=12.0)
output_cost = COSTS.ratio(SCORE, NOISE)
weighting_cost = COSTS.ratio(LIKELIHOOD, SCORE)
