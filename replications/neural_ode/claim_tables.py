"""How the statistics read the metrics table of this paper."""

import numpy as np
import pandas as pd

from common.measure.statistics import curve, difference, per_seed


def rows_of(metrics: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Return the rows of one experiment."""
    return metrics[metrics.experiment == experiment]


def along(rows: pd.DataFrame, metric: str, method: str, start: str = "") -> pd.DataFrame:
    """Return seeds x numbers, the numbers being what follows `start` in the rows' variant, in increasing order."""
    mine = rows[(rows.metric == metric) & (rows.method == method) & rows.variant.str.startswith(start)]
    mine = mine.assign(point=[float(name.removeprefix(start)) for name in mine.variant])
    return curve(mine, "point", metric=metric, method=method)


def rank_correlation(x: pd.DataFrame, y: pd.DataFrame) -> pd.Series:
    """Spearman's rho per seed; 0 where one side does not change at all."""
    correlation = x.rank(axis=1).corrwith(y.rank(axis=1), axis=1)
    return correlation.where((x.nunique(axis=1) > 1) & (y.nunique(axis=1) > 1), 0.0)


def excess_in_standard_errors(metrics: pd.DataFrame, method: str, rival: str) -> pd.Series:
    """Test error of `method` minus `rival`'s, in binomial standard errors of the difference of two counts.

    One mistake is added to the pooled rate: without any mistake the standard error would be 0.
    """
    rows = rows_of(metrics, "train_classifier")
    mine, other = (per_seed(rows, metric="test_error", method=name) / 100 for name in (method, rival))
    n = int(rows[(rows.metric == "test_error") & (rows.method == method)].n.iloc[0])
    excess = difference(mine, other)
    pooled = ((mine + other) * n + 1) / (2 * n + 2)
    return excess / np.sqrt(pooled * (1 - pooled) * 2 / n)
