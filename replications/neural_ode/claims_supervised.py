"""Statistics of Section 3, supervised learning (claims 1-4): metrics table in, one number per seed out."""

import numpy as np
import pandas as pd

from common.measure.statistics import log_slope, per_seed, ratio
from replications.neural_ode.claim_tables import along, excess_in_standard_errors, rank_correlation, rows_of

# Claim 1: test error and parameters


def error_excess_ode_net(metrics: pd.DataFrame) -> pd.Series:
    """Test error of the ODE-Net minus the ResNet's, in binomial standard errors of the difference."""
    return excess_in_standard_errors(metrics, "ode_net", "resnet")


def error_excess_rk_net(metrics: pd.DataFrame) -> pd.Series:
    """Test error of the RK-Net minus the ResNet's, in binomial standard errors of the difference."""
    return excess_in_standard_errors(metrics, "rk_net", "resnet")


def _parameters(metrics: pd.DataFrame, metric: str) -> pd.Series:
    rows = rows_of(metrics, "train_classifier")
    return ratio(*(per_seed(rows, metric=metric, method=name) for name in ("ode_net", "resnet")))


def block_parameter_ratio(metrics: pd.DataFrame) -> pd.Series:
    """Parameters of the ODE block over those of one residual block."""
    return _parameters(metrics, "parameters_per_block")


def network_parameter_ratio(metrics: pd.DataFrame) -> pd.Series:
    """Parameters of the ODE-Net over those of the ResNet."""
    return _parameters(metrics, "parameters")


# Claims 2 and 3: error and time against evaluations


def smallest_nfe_step(metrics: pd.DataFrame) -> pd.Series:
    """Smallest change of NFE from one tolerance to the next tighter one."""
    nfe = along(rows_of(metrics, "solver_control"), "nfe_forward", "dopri5")
    return nfe[nfe.columns[::-1]].diff(axis=1).min(axis=1)


def error_tolerance_slope(metrics: pd.DataFrame) -> pd.Series:
    """Log-log slope of the numerical error against the tolerance."""
    error = along(rows_of(metrics, "solver_control"), "numerical_error", "dopri5")
    return log_slope(error.columns, error)


def error_nfe_correlation(metrics: pd.DataFrame) -> pd.Series:
    """Rank correlation of the numerical error with NFE over the tolerances."""
    rows = rows_of(metrics, "solver_control")
    return rank_correlation(along(rows, "nfe_forward", "dopri5"), along(rows, "numerical_error", "dopri5"))


def _time_fit(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return seeds x (slope, intercept as a share of the longest time, R²) of a straight line through time against NFE."""
    rows = rows_of(metrics, "solver_control")
    times, nfe = along(rows, "forward_seconds", "dopri5"), _forward_nfe(rows)
    fits = {}
    for seed in times.index:
        x, y = nfe.loc[seed].to_numpy(), times.loc[seed].to_numpy()
        slope, intercept = np.polyfit(x, y, 1)
        left = ((y - slope * x - intercept) ** 2).sum() / ((y - y.mean()) ** 2).sum()
        fits[seed] = {"slope": slope, "intercept": intercept / y.max(), "r2": 1 - left}
    return pd.DataFrame(fits).T.rename_axis("seed")


def _forward_nfe(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the evaluations of the timed solves, seeds x tolerances."""
    timed = rows[rows.metric == "forward_seconds"]
    return along(timed.assign(value=timed.nfe.astype(float)), "forward_seconds", "dopri5")


def time_fit_r2(metrics: pd.DataFrame) -> pd.Series:
    """R² of a straight line through forward time against NFE."""
    return _time_fit(metrics)["r2"]


def time_fit_intercept(metrics: pd.DataFrame) -> pd.Series:
    """Intercept of that line as a share of the longest time."""
    return _time_fit(metrics)["intercept"]


def time_explained_by_nfe(metrics: pd.DataFrame) -> pd.Series:
    """NFE times the time of one evaluation over the time of the solve, mean over the tolerances."""
    rows = rows_of(metrics, "solver_control")
    share = _forward_nfe(rows) / along(rows, "forward_seconds", "dopri5")
    return share.mean(axis=1) * per_seed(rows, metric="evaluation_seconds")


# Claim 4: backward against forward evaluations


def _backward_ratio(metrics: pd.DataFrame, solver: str, reduction: str) -> pd.Series:
    """Geometric mean over the tolerances of backward over forward evaluations."""
    ratios = along(rows_of(metrics, "solver_control"), "backward_ratio", solver, f"{reduction} ")
    return np.exp(np.log(ratios).mean(axis=1))


def backward_ratio_vode_mean(metrics: pd.DataFrame) -> pd.Series:
    """Backward over forward evaluations, VODE's Adams method, mean loss."""
    return _backward_ratio(metrics, "vode", "mean")


def backward_ratio_vode_sum(metrics: pd.DataFrame) -> pd.Series:
    """Backward over forward evaluations, VODE's Adams method, summed loss."""
    return _backward_ratio(metrics, "vode", "sum")


def backward_ratio_lsoda_mean(metrics: pd.DataFrame) -> pd.Series:
    """Backward over forward evaluations, LSODA, mean loss."""
    return _backward_ratio(metrics, "lsoda", "mean")


def backward_ratio_lsoda_sum(metrics: pd.DataFrame) -> pd.Series:
    """Backward over forward evaluations, LSODA, summed loss."""
    return _backward_ratio(metrics, "lsoda", "sum")


def backward_ratio_dopri5_mean(metrics: pd.DataFrame) -> pd.Series:
    """Backward over forward evaluations, dopri5, mean loss."""
    return _backward_ratio(metrics, "dopri5", "mean")


def backward_ratio_dopri5_sum(metrics: pd.DataFrame) -> pd.Series:
    """Backward over forward evaluations, dopri5, summed loss."""
    return _backward_ratio(metrics, "dopri5", "sum")


def adjoint_time_ratio(metrics: pd.DataFrame) -> pd.Series:
    """Time of a gradient by the adjoint over that by backpropagation through the solver."""
    rows = rows_of(metrics, "solver_control")
    return ratio(*(per_seed(rows, metric="gradient_seconds", method=name) for name in ("adjoint", "backpropagation")))
