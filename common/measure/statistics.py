"""From measured rows to one number per replicate, which is what a verdict is given on.

Replicates are paired wherever two methods are compared, for they share data and noise: subtract or divide per seed first
(`difference`, `ratio`), then average. A seed that one of the methods lacks is left out of the comparison.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# Not inside the functions: nothing but claims and the report imports this module, and all of it works on tables.
import pandas as pd

from common.errors import RetraceError

# What tells two rows of one seed apart, in the order in which a clash is explained.
IDENTITY = (
    *("paper", "experiment", "dataset", "method", "variant", "axis", "at", "metric"),
    *("nfe", "level", "unit", "device", "commit"),
)


class MissingRows(RetraceError):
    """No finished run measured what a claim needs; the report turns this into the verdict "not run"."""


def per_seed(metrics: pd.DataFrame, **where: Any) -> pd.Series:
    """Return the value measured by each seed where every column equals its condition, e.g. metric="nll", method="fm_ot".

    Only rows with status "ok" count; a condition "" also matches an empty cell. Raises `MissingRows` if there is none, and
    `RetraceError` if a seed has several, naming the columns in which they differ.
    """
    unknown = [column for column in where if column not in metrics]
    if unknown:
        raise RetraceError(f"the metrics table has no column {unknown[0]!r}; it has {', '.join(metrics.columns)}")
    matching = pd.Series(True, index=metrics.index)
    for column, value in where.items():
        equal = metrics[column] == value
        matching &= (equal | metrics[column].isna()) if value == "" else equal
    rows = metrics[matching & (metrics["status"] == "ok")]
    if rows.empty:
        failed = int(matching.sum())
        raise MissingRows(f"no finished run has {_conditions(where)}" + (f" ({failed} failed)" if failed else ""))
    clashing = rows[rows["seed"] == rows.loc[rows["seed"].duplicated(), "seed"].min()]
    if len(clashing):
        raise RetraceError(_clash(clashing, where))
    values = pd.Series(rows["value"].to_numpy(np.float64), index=rows["seed"].to_numpy(int), name=where.get("metric", "value"))
    return values.rename_axis("seed").sort_index()


def _conditions(where: Mapping[str, Any]) -> str:
    return ", ".join(f"{column} = {value!r}" for column, value in where.items()) or "status = 'ok'"


def _clash(rows: pd.DataFrame, where: Mapping[str, Any]) -> str:
    columns = [column for column in IDENTITY if column in rows and rows[column].nunique(dropna=False) > 1]
    differ = "; ".join(f"{column}: {', '.join(map(str, rows[column].unique()))}" for column in columns)
    start = f"{len(rows)} rows of seed {rows['seed'].iloc[0]} have {_conditions(where)}"
    if not columns:
        return f"{start}, and nothing tells them apart: one measurement is in the table twice"
    return f"{start}; they differ in {differ}. Add a condition on {columns[0]}"


def curve(metrics: pd.DataFrame, along: str = "at", **where: Any) -> pd.DataFrame:
    """Return seeds x points: the values of `per_seed` along the rows' axis (or another column), in sorted order.

    Seeds that lack a point are left out. Raises like `per_seed`.
    """
    matching = metrics[metrics["status"] == "ok"]
    for column, value in where.items():
        matching = matching[matching[column] == value]
    points = sorted(matching[along].dropna().unique())
    if not points:
        raise MissingRows(f"no finished run has {_conditions(where)} and a value of {along}")
    return paired({point: per_seed(metrics, **where, **{along: point}) for point in points})


def paired(columns: Mapping[Any, pd.Series]) -> pd.DataFrame:
    """Return seeds x columns, with the seeds that all columns have."""
    if not columns:
        raise MissingRows("no finished run has any of what is compared")
    table = pd.concat(columns, axis=1, join="inner")
    if table.empty:
        lists = "; ".join(f"{name}: {', '.join(map(str, column.index))}" for name, column in columns.items())
        raise MissingRows(f"no seed has all that is compared (seeds of {lists})")
    return table.rename_axis("seed")


def ratio(a: pd.Series, b: pd.Series) -> pd.Series:
    """Return a / b for every seed that both have; not finite where b is 0."""
    pair = paired({"a": a, "b": b})
    return pair["a"] / pair["b"]


def difference(a: pd.Series, b: pd.Series) -> pd.Series:
    """Return a - b for every seed that both have."""
    pair = paired({"a": a, "b": b})
    return pair["a"] - pair["b"]


def rank_of(name: str, values: Mapping[str, pd.Series]) -> pd.Series:
    """Return the rank of `name` among `values` (one number per seed each): 1 = smallest, ties share the best."""
    return paired(values).rank(axis=1, method="min")[name]


def furthest(columns: pd.DataFrame, wanted: float) -> pd.Series:
    """Return, per seed, the one of several values that is furthest from the wanted one; NaN where one is unknown."""
    table = columns.to_numpy(np.float64)
    chosen = np.abs(np.where(np.isnan(table), np.inf, table - wanted)).argmax(axis=1)
    return pd.Series(table[np.arange(len(table)), chosen], index=columns.index)


def log_slope(x: pd.DataFrame | pd.Index | Sequence[float | int], y: pd.DataFrame) -> pd.Series:
    """Return, per seed, the least-squares slope of log y against log x: the order p of a law y ~ x^p.

    `y` is seeds x points (from `curve`); `x` is alike, or one list of points for all seeds, e.g. `y.columns`. Values that
    are not positive have no logarithm and give NaN, which a verdict calls not finite.
    """
    if isinstance(x, pd.DataFrame):
        shared = x.index.intersection(y.index)
        x, y = x.loc[shared, y.columns], y.loc[shared]
    points = np.broadcast_to(np.asarray(x, dtype=np.float64), y.shape)
    if y.shape[1] < 2 or y.empty:
        raise MissingRows(f"a slope needs at least two points of one seed, found {y.shape[1]} of {len(y)} seeds")
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v = np.log(points), np.log(y.to_numpy(np.float64))
        u, v = u - u.mean(axis=1, keepdims=True), v - v.mean(axis=1, keepdims=True)
        slopes = (u * v).sum(axis=1) / (u * u).sum(axis=1)
    return pd.Series(slopes, index=y.index, name="slope")
