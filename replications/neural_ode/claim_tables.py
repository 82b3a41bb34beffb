"""Statistics that several parts of the paper share."""

import numpy as np
import pandas as pd

from common.measure.rows import Statistic, rows
from common.measure.statistics import difference


def rank_correlation(x: pd.DataFrame, y: pd.DataFrame) -> pd.Series:
    """Return Spearman's rho per seed; 0 where one side does not change at all."""
    correlation = x.rank(axis=1).corrwith(y.rank(axis=1), axis=1)
    return correlation.where((x.nunique(axis=1) > 1) & (y.nunique(axis=1) > 1), 0.0)


def excess_in_standard_errors(method: str, rival: str) -> Statistic:
    """Return the statistic "test error of `method` minus `rival`'s, in binomial standard errors of the difference".

    One mistake is added to the pooled rate: without any mistake the standard error would be 0.
    """
    errors = rows("train_classifier", metric="test_error")

    def compute(metrics: pd.DataFrame) -> pd.Series:
        mine, other = (errors.per_seed(metrics, name) / 100 for name in (method, rival))
        n = int(errors.also(method=method).table(metrics).n.iloc[0])
        pooled = ((mine + other) * n + 1) / (2 * n + 2)
        return difference(mine, other) / np.sqrt(pooled * (1 - pooled) * 2 / n)

    compute.__doc__ = f"test error of {method} less that of {rival}, in binomial standard errors of the difference"
    return compute
