"""From measured rows to verdicts: one number per seed, its Student-t interval, and a word.

A claim says that a statistic lies in a range. With x_1..x_n from n seeds, the mean's interval at confidence c is

    mean ± t_{(1+c)/2, n-1} s / sqrt(n),        s^2 = 1/(n-1) sum_i (x_i - mean)^2 ,

and the verdict is read off it: replicated if the interval lies in the range, contradicted if it lies outside, otherwise
inconclusive. Seeds are paired wherever two methods are compared, for they share data and noise: subtract or divide per seed
first (`difference`, `ratio`), then average. A seed that one of the methods lacks is left out of the comparison.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

# Not inside the functions: nothing but claims and the report imports this module, and all of it works on tables.
import pandas as pd

from common.errors import RetraceError

MINIMUM_SEEDS = 3
CONFIDENCE = 0.95
# What tells two rows of one seed apart, in the order in which a clash is explained.
IDENTITY = (
    *("paper", "experiment", "dataset", "method", "variant", "axis", "at", "metric"),
    *("nfe", "level", "unit", "device", "commit"),
)

Word = Literal["replicated", "contradicted", "inconclusive"]


class MissingRows(RetraceError):
    """No finished run measured what a claim needs; the report turns this into the verdict "not run"."""


@dataclass(frozen=True)
class Interval:
    """Mean over `n` seeds and its confidence interval; low and high are NaN for fewer than two seeds."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Verdict:
    """The word, one short sentence with the numbers behind it, and the interval that was judged."""

    word: Word
    reason: str
    interval: Interval


def interval(values: Iterable[Any], confidence: float = CONFIDENCE) -> Interval:
    """Return the Student-t interval of the mean of `values`, one number per seed.

    Equal values give a point; one value, or one that is not finite, gives NaN bounds; no value gives NaN throughout.
    """
    if not 0 < confidence < 1:
        raise RetraceError(f"confidence = {confidence}: must lie between 0 and 1, e.g. 0.95")
    x = np.asarray(list(values), dtype=np.float64)
    if len(x) < 2 or not np.isfinite(x).all():
        return Interval(float(x.mean()) if len(x) else math.nan, math.nan, math.nan, len(x))
    if (x == x[0]).all():  # exactly a point: rounding in the mean would move it off a bound that it meets
        return Interval(float(x[0]), float(x[0]), float(x[0]), len(x))
    from scipy.stats import sem, t

    low, high = t.interval(confidence, len(x) - 1, loc=x.mean(), scale=sem(x))
    return Interval(float(x.mean()), float(low), float(high), len(x))


def verdict(values: Iterable[Any], low: float | int | None, high: float | int | None, *, one_seed_ok: bool = False) -> Verdict:
    """Judge whether the mean of `values` (one number per seed) lies in [low, high]; None leaves an end open.

    `one_seed_ok` is for experiments too dear to repeat: a single value is then judged as it stands, and the reason says so.
    Raises `RetraceError` for an empty range.
    """
    least, most = -math.inf if low is None else float(low), math.inf if high is None else float(high)
    if least > most:
        raise RetraceError(f"range [{low}, {high}] is empty: its first bound must not exceed the second")
    x = np.asarray(list(values), dtype=np.float64)
    found = interval(x)
    infinite = int((~np.isfinite(x)).sum())
    if infinite:
        return Verdict("inconclusive", f"not finite: {infinite} of {_seeds(len(x))}", found)
    if len(x) == 0 or (len(x) < MINIMUM_SEEDS and not one_seed_ok):
        return Verdict("inconclusive", f"{_seeds(len(x))}; at least {MINIMUM_SEEDS} are needed", found)
    start, end = (found.mean, found.mean) if len(x) == 1 else (found.low, found.high)
    one, several = f"one seed: {_number(start)}", f"{CONFIDENCE:.0%} interval [{_number(start)}, {_number(end)}]"
    word, relation = _compare(start, end, least, most)
    return Verdict(word, f"{one if len(x) == 1 else several} {relation} {_range(least, most)}", found)


def _compare(start: float, end: float, least: float, most: float) -> tuple[Word, str]:
    if least <= start and end <= most:
        return "replicated", "lies in"
    if end < least or start > most:
        return "contradicted", "lies outside"
    return "inconclusive", "lies partly in"


def _range(least: float, most: float) -> str:
    left = "(-∞" if least == -math.inf else f"[{_number(least)}"
    return f"{left}, ∞)" if most == math.inf else f"{left}, {_number(most)}]"


def _number(x: float) -> str:
    return f"{x:.4g}"


def _seeds(n: int) -> str:
    return "1 seed" if n == 1 else f"{n} seeds"


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
        raise MissingRows(f"a slope needs at least two points of one seed, found {y.shape[1]} of {_seeds(len(y))}")
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v = np.log(points), np.log(y.to_numpy(np.float64))
        u, v = u - u.mean(axis=1, keepdims=True), v - v.mean(axis=1, keepdims=True)
        slopes = (u * v).sum(axis=1) / (u * u).sum(axis=1)
    return pd.Series(slopes, index=y.index, name="slope")
