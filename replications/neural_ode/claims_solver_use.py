"""Statistics of adaptive depth and of the solver's use (claims 5-10): metrics table in, one number per seed out."""

import pandas as pd

from common.measure.rows import rows
from common.measure.statistics import MissingRows
from replications.neural_ode.claim_tables import rank_correlation

PRACTICE = rows("solver_practice")
TRAINED, LOOSE = {"at": 1e-5}, {"at": 1e-2}  # the tolerances of claim 7
CLASSIFIERS = rows("train_classifier")
DEPTH = CLASSIFIERS.also(metric="image_nfe")
KEPT = PRACTICE.also(metric="saved_bytes")

# Claim 5: evaluations of images solved alone at 1e-5, of the network that is trained at 1e-5, after every epoch but the first


def _depth(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return seeds x epochs: an epoch's number is taken at its end, and the first epoch's is left out, as is epoch 0's."""
    nfe = DEPTH.along(metrics, "ode_net_tight")
    nfe = nfe[[epoch for epoch in nfe.columns if epoch > 1]]
    if nfe.shape[1] < 2:
        raise MissingRows("no finished run was trained for three epochs")
    return nfe


def nfe_growth(metrics: pd.DataFrame) -> pd.Series:
    """Mean evaluations per image over the last tenth of the epochs, over those of the first tenth, the first epoch left out."""
    nfe = _depth(metrics)
    tenth = max(1, round(nfe.shape[1] / 10))
    return nfe.iloc[:, -tenth:].mean(axis=1) / nfe.iloc[:, :tenth].mean(axis=1)


def nfe_trend(metrics: pd.DataFrame) -> pd.Series:
    """Rank correlation of the evaluations per image with the epoch, the first left out; 0 where they do not change."""
    nfe = _depth(metrics)
    epochs = pd.DataFrame({epoch: epoch for epoch in nfe.columns}, index=nfe.index)
    return rank_correlation(epochs, nfe)


# Claim 6: memory, in bytes kept for the backward pass
memory_slope_backpropagation = KEPT.log_slope("backpropagation")


def memory_growth_adjoint(metrics: pd.DataFrame) -> pd.Series:
    """Bytes kept for the backward pass at the most steps over those at the fewest, adjoint."""
    kept = KEPT.along(metrics, "adjoint")
    return kept.iloc[:, -1] / kept.iloc[:, 0]


memory_slope_output_times = PRACTICE.also(metric="saved_bytes_of_outputs").log_slope("adjoint")


# Claims 7 and 8: tolerances
TIGHT = PRACTICE.also(method="ode_net_tight")
error_added_by_loose_test = TIGHT.also(metric="test_error").difference(LOOSE, TRAINED)
nfe_ratio_of_loose_test = TIGHT.also(metric="nfe").ratio(LOOSE, TRAINED)
error_excess_loose_training = CLASSIFIERS.also(metric="test_error").difference("ode_net", "ode_net_tight")

# Claim 9: a joint solve's evaluations over the mean of single ones
largest_batch_nfe_ratio = PRACTICE.also(metric="batch_nfe_ratio").value(each=("variant", "at"), by="largest")

# Claim 10: relative error of the initial state after a solve there and back
THERE_AND_BACK = PRACTICE.also(metric="reconstruction_error")
reconstruction_slope = THERE_AND_BACK.log_slope("ode_net")
reconstruction_error_large_gain = THERE_AND_BACK.also(at=1e-3).value("gain 6")
