"""Statistics along the relative tolerance: how fast evaluations fall, how two samplers compare, what an equal result saves."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from common.measure.rows import By, Operand, Rows, Statistic, over
from common.measure.statistics import furthest, log_slope, paired, ratio

# of the paper's five the four at which its samples are good
PUBLISHED = (0.01, 0.02, 0.05, 0.1)
NOISE = 3.0  # floors: a residual that is nearer to the exact one than this cannot be told from that of exact samples


def values(of: Rows, what: Operand, tolerances: Sequence[float], metrics: pd.DataFrame) -> pd.DataFrame:
    """Return seeds x tolerances. Raises `MissingRows` if a tolerance was not run."""
    return paired({at: of.also(at=at).per_seed(metrics, what) for at in tolerances})


def ratios(of: Rows, top: Operand, bottom: Operand, tolerances: Sequence[float], by: By = "smallest") -> Statistic:
    """Return the least of the ratios of two samplers at each tolerance, or another summary of them."""
    return over(by, *(of.also(at=at).ratio(top, bottom) for at in tolerances))


def furthest_ratio(of: Rows, top: Operand, bottom: Operand, tolerances: Sequence[float]) -> Statistic:
    """Return the ratio that is furthest from one, of those at each tolerance."""

    def compute(metrics: pd.DataFrame) -> pd.Series:
        return furthest(values(of, top, tolerances, metrics) / values(of, bottom, tolerances, metrics), 1.0)

    compute.__doc__ = f"{of}: {top} over {bottom}, the one furthest from 1 of tolerances {tolerances}"
    return compute


def slope(of: Rows, what: Operand, tolerances: Sequence[float], bottom: Operand = None) -> Statistic:
    """Return the power of the tolerance with which a value goes, or its ratio to another's."""

    def compute(metrics: pd.DataFrame) -> pd.Series:
        table = values(of, what, tolerances, metrics)
        return log_slope(list(tolerances), table / values(of, bottom, tolerances, metrics) if bottom else table)

    compute.__doc__ = f"{of}: log-log slope of {what}{f' over {bottom}' if bottom else ''} over tolerances {tolerances}"
    return compute


def saving(errors: Sequence[tuple[Rows, float]], costs: Rows, tolerances: Sequence[float], rival: str) -> Statistic:
    """Return the evaluations of a rival in full over those of the largest tolerance that is no worse by each measure.

    Each measure comes with the ratio of errors up to which a sampler is no worse (see `as_good`). Where no tolerance is as good
    by all of them, nothing is saved: 1.
    """

    def compute(metrics: pd.DataFrame) -> pd.Series:
        spent = values(costs, "ggf", tolerances, metrics)
        good = np.logical_and.reduce([as_good(of, "ggf", rival, tolerances, metrics, most) for of, most in errors])
        full = evaluations(errors[0][0].also(axis=""), rival, metrics)
        cheapest = spent.where(good).min(axis=1, skipna=True)
        return ratio(full, cheapest.fillna(full))

    said = " and ".join(f"{of} (up to {most:g} times)" for of, most in errors)
    compute.__doc__ = f"evaluations of {rival} over those of the largest tolerance that is no worse by {said}"
    return compute


def as_good(of: Rows, method: str, rival: str, tolerances: Sequence[float], metrics: pd.DataFrame, most: float) -> pd.DataFrame:
    """Return seeds x tolerances: whether a method is no worse than a rival in full.

    That is, its error is at most `most` times the rival's, or within `NOISE` floors of what is exact.
    """
    of_rival, floors = of.also(axis=""), metrics.assign(value=metrics["floor"])
    bound = np.maximum(most * of_rival.per_seed(metrics, rival), NOISE * of_rival.per_seed(floors, rival))
    return values(of.also(axis="tolerance"), method, tolerances, metrics).le(bound, axis=0)


def given_up(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return a metrics table where the error of a solver that was given up is infinite: not missing, but the worst."""
    lost = metrics["status"] == "refused"
    return metrics.assign(value=metrics["value"].mask(lost, np.inf), status=metrics["status"].mask(lost, "ok"))


def evaluations(of: Rows, what: Operand, metrics: pd.DataFrame) -> pd.Series:
    """Return the evaluations that stand beside a sampler's rows."""
    return of.per_seed(metrics.assign(value=metrics["nfe"]), what)
