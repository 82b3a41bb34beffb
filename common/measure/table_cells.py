"""Measured rows as the cells of a table."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from common.measure.figures import mean_and_deviation


def in_order(rows: pd.DataFrame, methods: Iterable[str]) -> pd.DataFrame:
    """Return rows by data set and by method, in the order of these methods; others come last."""
    order = list(methods)
    places = rows.method.map(lambda method: order.index(method) if method in order else len(order))
    return rows.assign(place=places).sort_values(["dataset", "place"], kind="stable", ignore_index=True).drop(columns="place")


def pivot(
    rows: pd.DataFrame, keys: Sequence[str], columns: Mapping[str, str], exact: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return keys x metrics under their names, each cell being the mean and deviation of its rows, in the order of the rows.

    Metrics in `exact` are the same in all replicates, and are shown in that format, such as "{:.0f}".
    """
    mine, exact = rows[rows.metric.isin(columns)], exact or {}
    keys = [*(["dataset"] if (mine.dataset != "").any() else []), *keys]
    found = mine[keys].drop_duplicates(ignore_index=True)
    for metric, title in columns.items():
        values = mine[mine.metric == metric].groupby(keys).value
        if len(values):
            cells = values.mean().map(exact[metric].format) if metric in exact else values.agg(mean_and_deviation)
            found = found.join(cells.rename(title), on=keys)
    return found.fillna("–")
