"""Figures and tables of a paper, made safe for the page: a drawing that fails becomes a notice in its own place."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from common.measure.claims import finished_rows, paper_module
from common.measure.figures import Runs, Table, style
from common.measure.paper import Paper
from report.collect import Collection
from report.encode import Picture, encode

View = TypeVar("View")


@dataclass(frozen=True)
class Problem:
    """What stands in the place of a figure or table that could not be made."""

    message: str
    id: str = ""


def pictures(paper: Paper, collection: Collection, out: Path) -> list[Picture | Problem]:
    """Draw the paper's figures from the runs present; write `out/figures/<id>.svg|png|csv` and return what the page shows."""
    runs = Runs(collection.runs, paper.id)
    with style():
        return _attempt(lambda: paper_module(paper.folder, "figures").figures(runs), lambda figure: encode(figure, out))


def tables(paper: Paper, collection: Collection) -> list[Table | Problem]:
    """Return the paper's tables, made from the rows of its finished runs."""
    rows = finished_rows(collection.metrics, paper.id, collection.level)
    return _attempt(lambda: paper_module(paper.folder, "figures").tables(rows), _checked)


def _attempt(items: Callable[[], Iterable[Any]], finish: Callable[[Any], View]) -> list[View | Problem]:
    """Return every item finished, or a `Problem` in its place; an item may be a function that makes it."""
    made: list[View | Problem] = []
    sequence: Iterator[Any] = iter(())
    try:
        sequence = iter(items())
        for item in sequence:
            try:
                made.append(finish(item() if callable(item) else item))
            except Exception as error:
                made.append(_problem(error))
    except Exception as error:  # a generator that raises is over: what it would have given next is lost
        made.append(_problem(error))
    return made


def _problem(error: Exception) -> Problem:
    return Problem(f"{type(error).__name__}: {error}")


def _checked(table: Table) -> Table:
    if not isinstance(table.frame, pd.DataFrame):
        raise TypeError(f"table {table.id}: frame must be a DataFrame, not {type(table.frame).__name__}")
    if not re.fullmatch(r"[\w.=-]+", table.id):
        raise ValueError(f"table id {table.id!r} names a file: use letters, digits and hyphens")
    return table
