"""The numbers behind a figure as a table in long form, for those who take the figure away."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

# what tells the rows of a metrics table apart, and what they measured
ROW = ("dataset", "method", "variant", "seed", "metric", "axis", "at", "nfe", "value", "error", "unit")


def measured(rows: pd.DataFrame, *metrics: str) -> pd.DataFrame:
    """Return the rows of these metrics with the columns that say something about any of them."""
    mine = rows[rows.metric.isin(metrics)]
    empty = mine.isna() | (mine == "")
    return mine[[column for column in ROW if not empty[column].all()]].reset_index(drop=True)


def stacked(
    parts: Mapping[Hashable, Iterable[np.ndarray]], keys: Sequence[str], columns: Sequence[str], digits: int = 4
) -> pd.DataFrame:
    """Return parts below one another, with the names that each goes by (one, or a tuple) in front of its rows.

    A part is one array [n] for each of the columns: points [n, 2] go in as `points.T`. Numbers are rounded to `digits`
    significant ones: a plot shows no more, and a file of points is half as large.
    """

    def frames() -> Iterator[pd.DataFrame]:
        for names, arrays in parts.items():
            labels = dict(zip(keys, names if isinstance(names, tuple) else (names,), strict=True))
            values = {column: _rounded(np.asarray(array), digits) for column, array in zip(columns, arrays, strict=True)}
            yield pd.DataFrame({**labels, **values}, columns=[*keys, *columns])

    return pd.concat(frames(), ignore_index=True)


def _rounded(values: np.ndarray, digits: int) -> np.ndarray:
    """Return floats with so many significant digits, anything else as it is."""
    return np.array([float(f"{x:.{digits}g}") for x in values]) if values.dtype.kind == "f" else values
