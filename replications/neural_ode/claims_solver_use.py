"""Statistics of adaptive depth and of the solver's use (claims 5-10): metrics table in, one number per seed out."""

import pandas as pd

from common.measure.statistics import MissingRows, difference, log_slope, per_seed, ratio
from replications.neural_ode.claim_tables import along, excess_in_standard_errors, rank_correlation, rows_of

TRAINED, LOOSE = "1e-05", "0.01"  # the tolerances of claim 7, as the rows write them
DEFAULT = 1.5e-8  # SciPy's default tolerance, the square root of the rounding error
LARGE_GAIN, GAIN_TOLERANCE = "gain 6", "0.001"

# Claim 5: evaluations over training


def _nfe_by_epoch(metrics: pd.DataFrame) -> pd.DataFrame:
    return along(rows_of(metrics, "train_classifier"), "training_nfe", "ode_net", "epoch ")


def nfe_growth(metrics: pd.DataFrame) -> pd.Series:
    """Mean forward NFE of the last tenth of the epochs over that of the first tenth."""
    nfe = _nfe_by_epoch(metrics)
    tenth = max(1, round(nfe.shape[1] / 10))
    return nfe.iloc[:, -tenth:].mean(axis=1) / nfe.iloc[:, :tenth].mean(axis=1)


def nfe_trend(metrics: pd.DataFrame) -> pd.Series:
    """Rank correlation of forward NFE with the epoch; 0 where NFE does not change."""
    nfe = _nfe_by_epoch(metrics)
    epochs = pd.DataFrame({epoch: epoch for epoch in nfe.columns}, index=nfe.index)
    return rank_correlation(epochs, nfe)


# Claim 6: memory


def _bytes(metrics: pd.DataFrame, method: str) -> pd.DataFrame:
    return along(rows_of(metrics, "solver_practice"), "saved_bytes", method)


def memory_slope_backpropagation(metrics: pd.DataFrame) -> pd.Series:
    """Log-log slope of the bytes kept for the backward pass against the solver's steps, gradients through the solver."""
    kept = _bytes(metrics, "backpropagation")
    return log_slope(kept.columns, kept)


def memory_growth_adjoint(metrics: pd.DataFrame) -> pd.Series:
    """Bytes kept for the backward pass at the most steps over those at the fewest, adjoint."""
    kept = _bytes(metrics, "adjoint")
    return kept.iloc[:, -1] / kept.iloc[:, 0]


# Claims 7 and 8: tolerances


def _at(metrics: pd.DataFrame, metric: str, tolerance: str) -> pd.Series:
    return per_seed(rows_of(metrics, "solver_practice"), metric=metric, method="ode_net_tight", variant=tolerance)


def error_added_by_loose_test(metrics: pd.DataFrame) -> pd.Series:
    """Test error of the tightly trained network at the loose tolerance minus that at its own, in percentage points."""
    return difference(_at(metrics, "test_error", LOOSE), _at(metrics, "test_error", TRAINED))


def nfe_ratio_of_loose_test(metrics: pd.DataFrame) -> pd.Series:
    """NFE of the tightly trained network at the loose tolerance over that at its own."""
    return ratio(_at(metrics, "nfe", LOOSE), _at(metrics, "nfe", TRAINED))


def error_excess_loose_training(metrics: pd.DataFrame) -> pd.Series:
    """Test error of training at the paper's tolerance minus that at a tight one, in standard errors of the difference."""
    return excess_in_standard_errors(metrics, "ode_net", "ode_net_tight")


# Claim 9: batches


def largest_batch_nfe_ratio(metrics: pd.DataFrame) -> pd.Series:
    """NFE of a joint solve over the mean NFE of single ones, largest over batch sizes and tolerances."""
    rows = rows_of(metrics, "solver_practice")
    ratios = rows[rows.metric == "batch_nfe_ratio"]
    if ratios.empty:
        raise MissingRows("no finished run has metric = 'batch_nfe_ratio'")
    return ratios.groupby("seed").value.max()


# Claim 10: reversibility


def reconstruction_slope(metrics: pd.DataFrame) -> pd.Series:
    """Log-log slope against the tolerance of the error of the initial state after a solve there and back."""
    error = along(rows_of(metrics, "solver_practice"), "reconstruction_error", "ode_net")
    return log_slope(error.columns, error)


def reconstruction_error_default(metrics: pd.DataFrame) -> pd.Series:
    """Relative error of the initial state after a solve there and back, trained ODE-Net at SciPy's default tolerance."""
    rows = rows_of(metrics, "solver_practice")
    return per_seed(rows, metric="reconstruction_error", method="ode_net", variant=f"{DEFAULT:g}")


def reconstruction_error_large_gain(metrics: pd.DataFrame) -> pd.Series:
    """The same for an untrained field of weight gain 6 at tolerance 1e-3."""
    rows = rows_of(metrics, "solver_practice")
    return per_seed(rows, metric="reconstruction_error", method=LARGE_GAIN, variant=GAIN_TOLERANCE)
