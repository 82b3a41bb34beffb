"""Statistics of Section 5, latent ODEs: metrics table in, one number per seed out."""

import pandas as pd

from common.measure.rows import Statistic, rows
from common.measure.statistics import difference, ratio

# Recurrent networks without and with time gaps, rolled out at the pace of the observations or point by point.
RIVALS = ("rnn", "rnn_gaps", "rnn_by_point", "rnn_gaps_by_point")
SPIRALS, EVENTS = rows("latent_spirals"), rows("poisson_events")
FORECAST = SPIRALS.also(metric="future_rmse")
FEW, MANY = {"at": 30, "method": "latent_ode"}, {"at": 100, "method": "latent_ode"}


def _advantage(n: int) -> Statistic:
    """Return the statistic "RMSE of the best recurrent forecast over the latent ODE's, n of 100 points observed"."""
    return FORECAST.also(at=n).ratio(RIVALS, "latent_ode")


advantage_30, advantage_50, advantage_100 = _advantage(30), _advantage(50), _advantage(100)


def advantage_growth(metrics: pd.DataFrame) -> pd.Series:
    """The latent ODE's advantage with 30 points over its advantage with 100."""
    return ratio(advantage_30(metrics), advantage_100(metrics))


def rival_error_growth(metrics: pd.DataFrame) -> pd.Series:
    """RMSE of the best recurrent forecast with 30 points over that with 100."""
    return ratio(*(FORECAST.also(at=n).per_seed(metrics, RIVALS) for n in (30, 100)))


latent_ode_error_growth = FORECAST.ratio(FEW, MANY)
reconstruction_error_growth = SPIRALS.also(metric="window_rmse").ratio(FEW, MANY)
direction_accuracy = SPIRALS.also(metric="direction_accuracy", method="latent_ode").value(each=("at",), by="smallest")
switching_coordinates = SPIRALS.also(metric="switching_coordinates").value()
restart_error = SPIRALS.also(metric="restart_error").value()


def backward_extrapolation(metrics: pd.DataFrame) -> pd.Series:
    """RMSE before the window over that of standing still at its first point, the largest over numbers of observations."""
    past = SPIRALS.also(metric="past_rmse")
    still = past.per_seed(metrics, "standing_still")
    errors = past.along(metrics, "latent_ode")
    return ratio(errors.max(axis=1), still)


def poisson_share(metrics: pd.DataFrame) -> pd.Series:
    """What the latent ODE gains over a constant rate in held-out log-likelihood, over what the true rate gains."""
    likelihood = EVENTS.also(metric="log_likelihood")
    learned, constant, true = (likelihood.per_seed(metrics, name) for name in ("latent_ode", "constant_rate", "true_rate"))
    return ratio(difference(learned, constant), difference(true, constant))


rate_correlation = EVENTS.also(metric="rate_correlation").value(each=("dataset",), by="smallest")
