"""Statistics of Section 3, supervised learning (claims 1-4): metrics table in, one number per seed out."""

import numpy as np
import pandas as pd

from common.measure.rows import rows
from replications.neural_ode.claim_tables import rank_correlation

CLASSIFIERS, CONTROL = rows("train_classifier"), rows("solver_control")

# Claim 1: test error, in percentage points, and parameters
TEST_ERROR = CLASSIFIERS.also(metric="test_error")
error_excess_ode_net = TEST_ERROR.difference("ode_net", "resnet")
error_excess_rk_net = TEST_ERROR.difference("rk_net", "resnet")
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


def _time_fit(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return seeds x (intercept as a share of the longest time, R²) of a straight line through time against NFE."""
    times = SECONDS.along(metrics, "dopri5")
    evaluations = SECONDS.along(metrics.assign(value=metrics.nfe.astype(float)), "dopri5")
    fits = {}
    for seed in times.index:
        x, y = evaluations.loc[seed].to_numpy(), times.loc[seed].to_numpy()
        slope, intercept = np.polyfit(x, y, 1)
        left = ((y - slope * x - intercept) ** 2).sum() / ((y - y.mean()) ** 2).sum()
        fits[seed] = {"intercept": intercept / y.max(), "r2": 1 - left}
    return pd.DataFrame(fits).T.rename_axis("seed")


def time_fit_r2(metrics: pd.DataFrame) -> pd.Series:
    """R² of a straight line through forward time against NFE, over the tolerances, whose solves take turns."""
    return _time_fit(metrics)["r2"]


def time_fit_intercept(metrics: pd.DataFrame) -> pd.Series:
    """Intercept of that line as a share of the longest time."""
    return _time_fit(metrics)["intercept"]


# Claim 4: the paper's solver and a mean loss; the other solvers and the summed loss are a table
MEAN_LOSS = CONTROL.also(metric="backward_ratio", variant="mean loss")
backward_ratio = MEAN_LOSS.also(method="vode").value(each=("at",), by="geometric_mean")
adjoint_time_ratio = CONTROL.also(metric="gradient_time_ratio").value("adjoint")
