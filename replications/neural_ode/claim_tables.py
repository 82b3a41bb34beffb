"""Statistics that several parts of the paper share."""

import pandas as pd


def rank_correlation(x: pd.DataFrame, y: pd.DataFrame) -> pd.Series:
    """Return Spearman's rho per seed; 0 where one side does not change at all."""
    correlation = x.rank(axis=1).corrwith(y.rank(axis=1), axis=1)
    return correlation.where((x.nunique(axis=1) > 1) & (y.nunique(axis=1) > 1), 0.0)
