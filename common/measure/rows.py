"""A vocabulary for the statistics of claims: which rows, and what is made of them, one number per seed.

    nfe_ratio = rows("table1", dataset="first", metric="nfe").ratio("fm_ot", "fm_vp")

names a function from the metrics table to one number per seed, as `claims.py` must give; it is nothing but data, so it can be
read, listed and hashed. What compares two methods pairs them seed by seed. Where the compared rows have a floor (what data reads
against data), the answer is a table with the column `excess` beside `value`: by how much the larger operand exceeds its floor.

Conditions are columns of the table. Two of them have words beside values: dataset="first" is the first data set that jobs.yaml
lists for the level, and at="largest" or "smallest" is that end of the rows' axis.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from common.measure import statistics
from common.measure.statistics import curve, difference, furthest, log_slope, paired, per_seed, rank_of
from common.runs.entries import entries

Values = pd.Series | pd.DataFrame  # one number per seed, or columns `value` and what else `verdicts.verdict` takes
Statistic = Callable[[pd.DataFrame], Values]
By = Literal["largest", "smallest", "mean", "geometric_mean"]
# A method's name; conditions; several methods, of which the one with the smallest value counts (the best rival); or nothing more.
Operand = str | Mapping[str, Any] | tuple[str, ...] | None


def rows(experiment: str, **where: Any) -> "Rows":
    """Return the rows of an experiment whose columns have these values."""
    return Rows(experiment, where)


def combined(table: pd.DataFrame, by: By) -> pd.Series:
    """Return one number per seed from seeds x cells; what is unknown stays unknown."""
    if by == "geometric_mean":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.exp(np.log(table).mean(axis=1, skipna=False))
    take = {"largest": table.max, "smallest": table.min, "mean": table.mean}[by]
    return take(axis=1, skipna=False)


def reduced(parts: Mapping[Any, Values], by: By) -> Values:
    """Return several answers reduced to one, seed by seed; the smallest excess counts, for each must clear its floor."""
    columns = {name: part["value"] if isinstance(part, pd.DataFrame) else part for name, part in parts.items()}
    value = combined(statistics.paired(columns), by)
    excesses = {name: part["excess"] for name, part in parts.items() if isinstance(part, pd.DataFrame)}
    if not excesses:
        return value
    return statistics.paired({"value": value, "excess": combined(statistics.paired(excesses), "smallest")})


def over(by: By, *parts: Statistic) -> Statistic:
    """Return the largest, smallest, mean or geometric mean of several statistics, seed by seed."""

    def compute(metrics: pd.DataFrame) -> Values:
        return reduced({number: part(metrics) for number, part in enumerate(parts)}, by)

    return _described(compute, f"{by.replace('_', ' ')} of: {'; '.join(str(part.__doc__) for part in parts)}")


@dataclass(frozen=True)
class Rows:
    """Rows of the metrics table, and the statistics that are made of them."""

    experiment: str
    where: Mapping[str, Any]

    def __str__(self) -> str:
        return " ".join([self.experiment, *(f"{column}={value}" for column, value in self.where.items())])

    def also(self, **where: Any) -> "Rows":
        """Return those of the rows that meet more conditions."""
        return Rows(self.experiment, {**self.where, **where})

    def table(self, metrics: pd.DataFrame) -> pd.DataFrame:
        """Return the rows themselves."""
        found, where = metrics[metrics["experiment"] == self.experiment], dict(self.where)
        if where.get("dataset") == "first":
            where["dataset"] = first_data_set(found, self.experiment)
        end = where.pop("at", None)
        if where:  # one frame, not one for each condition
            found = found[np.logical_and.reduce([found[column] == value for column, value in where.items()])]
        if end in ("largest", "smallest"):
            end = found["at"].max() if end == "largest" else found["at"].min()
        return found if end is None else found[found["at"] == end]

    def per_seed(self, metrics: pd.DataFrame, what: Operand = None) -> pd.Series:
        """Return an operand's value by seed. Raises `MissingRows` if nothing was measured."""
        table = self.table(metrics)
        if isinstance(what, tuple):
            return combined(statistics.paired({name: self._of(table, {"method": name}) for name in what}), "smallest")
        return self._of(table, {"method": what} if isinstance(what, str) else what or {})

    def _of(self, table: pd.DataFrame, where: Mapping[str, Any]) -> pd.Series:
        shown = {"experiment": self.experiment, **({"metric": self.where["metric"]} if "metric" in self.where else {})}
        return per_seed(table, **{**shown, **where})

    def along(self, metrics: pd.DataFrame, method: str | None = None) -> pd.DataFrame:
        """Return seeds x points of the rows' axis."""
        return curve(self.table(metrics), **({"method": method} if method else {}))

    def value(self, what: Operand = None, *, each: tuple[str, ...] = (), by: By = "largest") -> Statistic:
        """Return an operand's value, reduced over every combination of the columns `each`."""
        return self._each(lambda rows, metrics: rows.per_seed(metrics, what), each, by, f"{self}{_named(what)}")

    def ratio(self, top: Operand, bottom: Operand, *, each: tuple[str, ...] = (), by: By = "geometric_mean") -> Statistic:
        """Return top / bottom, paired by seed, reduced over every combination of the columns `each`."""
        return self._each(
            lambda rows, metrics: rows._compared(metrics, top, bottom, statistics.ratio),
            each,
            by,
            f"{self}:{_named(top)} over{_named(bottom)}",
        )

    def difference(self, a: Operand, b: Operand, *, each: tuple[str, ...] = (), by: By = "largest") -> Statistic:
        """Return a - b, paired by seed, reduced over every combination of the columns `each`."""
        return self._each(
            lambda rows, metrics: rows._compared(metrics, a, b, difference),
            each,
            by,
            f"{self}:{_named(a)} less{_named(b)}",
        )

    def rank(self, method: str, among: tuple[str, ...]) -> Statistic:
        """Return the rank of a method among several, 1 = smallest; ties share the best."""

        def compute(metrics: pd.DataFrame) -> pd.Series:
            return rank_of(method, {name: self.per_seed(metrics, name) for name in among})

        return _described(compute, f"{self}: rank of {method} among {len(among)}, 1 = smallest")

    def log_slope(self, method: str | None = None, *, each: tuple[str, ...] = (), wanted: float = 0.0) -> Statistic:
        """Return the power of the axis with which the value goes: the slope of its logarithm against that of the axis.

        Of every combination of the columns `each`, the power that is furthest from the `wanted` one.
        """

        def slope(rows: "Rows", metrics: pd.DataFrame) -> pd.Series:
            table = rows.along(metrics, method)
            return log_slope(table.columns, table)

        def compute(metrics: pd.DataFrame) -> pd.Series:
            if not each:
                return slope(self, metrics)
            return furthest(paired({str(name): slope(self.also(**name), metrics) for name in self.cells(metrics, each)}), wanted)

        said = f", furthest from {wanted:g} over {' and '.join(each)}" if each else ""
        return _described(compute, f"{self}{_named(method)}: log-log slope along its axis{said}")

    def cells(self, metrics: pd.DataFrame, columns: tuple[str, ...]) -> list[dict[str, Any]]:
        """Return every combination of values that the columns have. Raises `MissingRows` if nothing was measured."""
        found = self.table(metrics)[list(columns)].drop_duplicates().sort_values(list(columns))
        if found.empty:
            raise statistics.MissingRows(f"no finished run has {self}")
        return [dict(zip(columns, values)) for values in found.itertuples(index=False, name=None)]

    def _compared(self, metrics: pd.DataFrame, a: Operand, b: Operand, of: Callable[[pd.Series, pd.Series], pd.Series]) -> Values:
        """Return what `of` makes of two operands, with the excess of the larger one over the floor where there is one."""
        operands = {"a": self.per_seed(metrics, a), "b": self.per_seed(metrics, b)}
        value = of(*operands.values())
        if "floor" not in metrics:
            return value
        of_floors = metrics.assign(value=metrics["floor"])
        floor = statistics.paired({"a": self.per_seed(of_floors, a), "b": self.per_seed(of_floors, b)}).max(axis=1)
        if floor.isna().all():
            return value
        return statistics.paired({"value": value, "excess": statistics.paired(operands).max(axis=1) - floor})

    def _each(self, of: Callable[["Rows", pd.DataFrame], Values], each: tuple[str, ...], by: By, said: str) -> Statistic:
        def compute(metrics: pd.DataFrame) -> Values:
            if not each:
                return of(self, metrics)
            return reduced({str(name): of(self.also(**name), metrics) for name in self.cells(metrics, each)}, by)

        said += f", {by.replace('_', ' ')} over {' and '.join(each)}" if each else ""
        return _described(compute, said)


def first_data_set(found: pd.DataFrame, experiment: str) -> str:
    """Return the first of the level's data sets that was run; claims are judged on it. Any name if none was."""
    papers = found["paper"].unique()
    listed = entries(f"replications.{papers[0]}")[experiment] if len(papers) else None
    names = [name for level in found["level"].unique() for name in (listed.sets(level) if listed else ())]
    return next((name for name in names if (found["dataset"] == name).any()), "none")


def _named(what: Operand) -> str:
    if isinstance(what, tuple):
        return f" the smallest of {', '.join(what)}"
    if isinstance(what, Mapping):
        return f" {' '.join(f'{column}={value}' for column, value in what.items())}"
    return f" {what}" if what else ""


def _described(compute: Statistic, said: str) -> Statistic:
    compute.__doc__ = said
    return compute
