"""Statistics of Section 5, latent ODEs: metrics table in, one number per seed out."""

import pandas as pd

from common.measure.statistics import MissingRows, difference, per_seed, ratio

RIVALS = ("rnn", "rnn_gaps")


def _spirals(metrics: pd.DataFrame, metric: str, **where: object) -> pd.Series:
    return per_seed(metrics[metrics.experiment == "latent_spirals"], metric=metric, **where)


def _numbers(metrics: pd.DataFrame) -> list[int]:
    rows = metrics[(metrics.experiment == "latent_spirals") & (metrics.metric == "future_rmse")]
    found = sorted({int(name.partition("=")[2]) for name in rows.variant})
    if not found:
        raise MissingRows("no finished run measured forecasts of spirals")
    return found


def _advantage(metrics: pd.DataFrame, n: int) -> pd.Series:
    """Return the RMSE of the better of the recurrent networks over the latent ODE's."""
    where = f"observations={n}"
    best = pd.DataFrame({name: _spirals(metrics, "future_rmse", method=name, variant=where) for name in RIVALS}).min(axis=1)
    return ratio(best, _spirals(metrics, "future_rmse", method="latent_ode", variant=where))


def advantage_30(metrics: pd.DataFrame) -> pd.Series:
    """RMSE of the better recurrent network over the latent ODE's, 30 of 100 points observed."""
    return _advantage(metrics, 30)


def advantage_50(metrics: pd.DataFrame) -> pd.Series:
    """RMSE of the better recurrent network over the latent ODE's, 50 of 100 points observed."""
    return _advantage(metrics, 50)


def advantage_100(metrics: pd.DataFrame) -> pd.Series:
    """RMSE of the better recurrent network over the latent ODE's, all 100 points observed."""
    return _advantage(metrics, 100)


def advantage_growth(metrics: pd.DataFrame) -> pd.Series:
    """The latent ODE's advantage with 30 points over its advantage with 100."""
    return ratio(_advantage(metrics, 30), _advantage(metrics, 100))


def _growth(metrics: pd.DataFrame, metric: str) -> pd.Series:
    few, many = (_spirals(metrics, metric, method="latent_ode", variant=f"observations={n}") for n in (30, 100))
    return ratio(few, many)


def latent_ode_error_growth(metrics: pd.DataFrame) -> pd.Series:
    """The latent ODE's forecast RMSE with 30 points over that with 100."""
    return _growth(metrics, "future_rmse")


def reconstruction_error_growth(metrics: pd.DataFrame) -> pd.Series:
    """The latent ODE's RMSE inside the window with 30 points over that with 100."""
    return _growth(metrics, "window_rmse")


def direction_accuracy(metrics: pd.DataFrame) -> pd.Series:
    """Accuracy of a linear classifier of direction on posterior means, the lowest over numbers of observations."""
    columns = {n: _spirals(metrics, "direction_accuracy", variant=f"observations={n}") for n in _numbers(metrics)}
    return pd.DataFrame(columns).min(axis=1)


def switching_coordinates(metrics: pd.DataFrame) -> pd.Series:
    """Number of latent coordinates along which the decoded spiral changes its direction."""
    return _spirals(metrics, "switching_coordinates")


def restart_error(metrics: pd.DataFrame) -> pd.Series:
    """Relative error of a solve that stops half-way and starts anew with its clock at 0."""
    return _spirals(metrics, "restart_error")


def backward_extrapolation(metrics: pd.DataFrame) -> pd.Series:
    """RMSE before the window over that of standing still at its first point, the largest over numbers of observations."""
    still = _spirals(metrics, "past_rmse", method="standing_still")
    columns = {
        n: ratio(_spirals(metrics, "past_rmse", method="latent_ode", variant=f"observations={n}"), still)
        for n in _numbers(metrics)
    }
    return pd.DataFrame(columns).max(axis=1)


def _events(metrics: pd.DataFrame, metric: str, **where: object) -> pd.Series:
    return per_seed(metrics[metrics.experiment == "poisson_events"], metric=metric, **where)


def poisson_gain(metrics: pd.DataFrame) -> pd.Series:
    """Held-out log-likelihood of the learned rates less that of the best constant rates, in nats per sequence."""
    return difference(*(_events(metrics, "log_likelihood", method=method) for method in ("latent_ode", "constant_rate")))


def rate_correlation(metrics: pd.DataFrame) -> pd.Series:
    """Correlation over time of learned and true rate, the lower of the two processes'."""
    rows = metrics[(metrics.experiment == "poisson_events") & (metrics.metric == "rate_correlation")]
    if rows.empty:
        raise MissingRows("no finished run learned a rate")
    return pd.DataFrame({name: per_seed(rows, dataset=name) for name in sorted(rows.dataset.unique())}).min(axis=1)
