"""Statistics of Section 3, supervised learning (claims 1-4): metrics table in, one number per seed out."""

import numpy as np
import pandas as pd

from common.measure.rows import Statistic, rows
from common.measure.statistics import per_seed
from replications.neural_ode.claim_tables import excess_in_standard_errors, rank_correlation

CLASSIFIERS, CONTROL = rows("train_classifier"), rows("solver_control")

# Claim 1: test error and parameters

error_excess_ode_net = excess_in_standard_errors("ode_net", "resnet")
error_excess_rk_net = excess_in_standard_errors("rk_net", "resnet")
block_parameter_ratio = CLASSIFIERS.also(metric="parameters_per_block").ratio("ode_net", "resnet")
network_parameter_ratio = CLASSIFIERS.also(metric="parameters").ratio("ode_net", "resnet")

# Claims 2 and 3: error and time against evaluations
FORWARD, ERROR, SECONDS = (CONTROL.also(metric=metric) for metric in ("nfe_forward", "numerical_error", "forward_seconds"))
error_tolerance_slope = ERROR.log_slope("dopri5")


def smallest_nfe_step(metrics: pd.DataFrame) -> pd.Series:
    """Smallest change of NFE from one tolerance to the next tighter one."""
    nfe = FORWARD.along(metrics, "dopri5")
    return nfe[nfe.columns[::-1]].diff(axis=1).min(axis=1)


def error_nfe_correlation(metrics: pd.DataFrame) -> pd.Series:
    """Rank correlation of the numerical error with NFE over the tolerances."""
    return rank_correlation(FORWARD.along(metrics, "dopri5"), ERROR.along(metrics, "dopri5"))


def _timed_nfe(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the evaluations of the timed solves, seeds x tolerances."""
    return SECONDS.along(metrics.assign(value=metrics.nfe.astype(float)), "dopri5")


def _time_fit(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return seeds x (slope, intercept as a share of the longest time, R²) of a straight line through time against NFE."""
    times, nfe = SECONDS.along(metrics, "dopri5"), _timed_nfe(metrics)
    fits = {}
    for seed in times.index:
        x, y = nfe.loc[seed].to_numpy(), times.loc[seed].to_numpy()
        slope, intercept = np.polyfit(x, y, 1)
        left = ((y - slope * x - intercept) ** 2).sum() / ((y - y.mean()) ** 2).sum()
        fits[seed] = {"slope": slope, "intercept": intercept / y.max(), "r2": 1 - left}
    return pd.DataFrame(fits).T.rename_axis("seed")


def time_fit_r2(metrics: pd.DataFrame) -> pd.Series:
    """R² of a straight line through forward time against NFE."""
    return _time_fit(metrics)["r2"]


def time_fit_intercept(metrics: pd.DataFrame) -> pd.Series:
    """Intercept of that line as a share of the longest time."""
    return _time_fit(metrics)["intercept"]


def time_explained_by_nfe(metrics: pd.DataFrame) -> pd.Series:
    """NFE times the time of one evaluation over the time of the solve, mean over the tolerances."""
    share = _timed_nfe(metrics) / SECONDS.along(metrics, "dopri5")
    return share.mean(axis=1) * per_seed(CONTROL.table(metrics), metric="evaluation_seconds")


# Claim 4: backward against forward evaluations


def _backward(solver: str, reduction: str) -> Statistic:
    """Return the statistic "backward over forward evaluations, geometric mean over tolerances"."""
    chosen = CONTROL.also(metric="backward_ratio", variant=f"{reduction} loss", method=solver)
    return chosen.value(each=("at",), by="geometric_mean")


backward_ratio_vode_mean, backward_ratio_vode_sum = _backward("vode", "mean"), _backward("vode", "sum")
backward_ratio_lsoda_mean, backward_ratio_lsoda_sum = _backward("lsoda", "mean"), _backward("lsoda", "sum")
backward_ratio_dopri5_mean, backward_ratio_dopri5_sum = _backward("dopri5", "mean"), _backward("dopri5", "sum")
adjoint_time_ratio = CONTROL.also(metric="gradient_seconds").ratio("adjoint", "backpropagation")
