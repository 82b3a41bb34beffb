"""Statistics of Section 5, latent ODEs: metrics table in, one number per seed out."""

import pandas as pd

from common.measure.rows import Statistic, rows
from common.measure.statistics import ratio

RIVALS = ("rnn", "rnn_gaps")
SPIRALS, EVENTS = rows("latent_spirals"), rows("poisson_events")
FORECAST = SPIRALS.also(metric="future_rmse")
FEW, MANY = {"at": 30, "method": "latent_ode"}, {"at": 100, "method": "latent_ode"}


def _advantage(n: int) -> Statistic:
    """Return the statistic "RMSE of the better recurrent network over the latent ODE's, n of 100 points observed"."""
    return FORECAST.also(at=n).ratio(RIVALS, "latent_ode")


advantage_30, advantage_50, advantage_100 = _advantage(30), _advantage(50), _advantage(100)


def advantage_growth(metrics: pd.DataFrame) -> pd.Series:
    """The latent ODE's advantage with 30 points over its advantage with 100."""
    return ratio(advantage_30(metrics), advantage_100(metrics))


latent_ode_error_growth = FORECAST.ratio(FEW, MANY)
reconstruction_error_growth = SPIRALS.also(metric="window_rmse").ratio(FEW, MANY)
direction_accuracy = SPIRALS.also(metric="direction_accuracy").value(each=("at",), by="smallest")
switching_coordinates = SPIRALS.also(metric="switching_coordinates").value()
restart_error = SPIRALS.also(metric="restart_error").value()


def backward_extrapolation(metrics: pd.DataFrame) -> pd.Series:
    """RMSE before the window over that of standing still at its first point, the largest over numbers of observations."""
    past = SPIRALS.also(metric="past_rmse")
    still = past.per_seed(metrics, "standing_still")
    errors = past.along(metrics, "latent_ode")
    return ratio(errors.max(axis=1), still)


poisson_gain = EVENTS.also(metric="log_likelihood").difference("latent_ode", "constant_rate")
rate_correlation = EVENTS.also(metric="rate_correlation").value(each=("dataset",), by="smallest")
