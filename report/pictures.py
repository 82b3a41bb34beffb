"""Figures and tables of a paper, made safe for the page: a drawing that fails becomes a notice in its own place."""

import inspect
import multiprocessing
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from common.measure.claims import finished_rows, paper_module
from common.measure.figures import Advice, Runs, Table, style
from common.measure.paper import Paper
from report.collect import Collection
from report.encode import Picture, encode

View = TypeVar("View")
DRAWERS = 2  # processes
TASKS: list[Callable[[], Any]] = []


@dataclass(frozen=True)
class Problem:
    """What stands in the place of a figure or table that could not be made."""

    message: str
    id: str = ""


def pictures(paper: Paper, collection: Collection, out: Path) -> list[Picture | Problem]:
    """Draw the paper's figures from the runs present; write `out/figures/<id>.svg|png|csv` and return what the page shows."""
    runs = Runs(collection.runs, paper.id)
    with style():
        items = _listed(lambda: paper_module(paper.folder, "figures").figures(runs))
        return _side_by_side([partial(_made, item, partial(encode, out=out)) for item in items])


def tables(paper: Paper, collection: Collection) -> list[Table | Problem]:
    """Return the paper's tables, made from the rows of its finished runs, and from those refused if it asks for them."""
    rows = finished_rows(collection.metrics, paper.id, collection.level)

    def made() -> Iterable[Any]:
        make = paper_module(paper.folder, "figures").tables
        if len(inspect.signature(make).parameters) < 2:
            return make(rows)
        return make(rows, finished_rows(collection.metrics, paper.id, collection.level, status="refused"))

    return _attempt(made, _checked)


def advice(paper: Paper, collection: Collection) -> Advice | Problem | None:
    """Return the paper's advice, made from the rows of its finished runs; None if it gives none."""
    rows = finished_rows(collection.metrics, paper.id, collection.level)
    try:
        give = getattr(paper_module(paper.folder, "figures"), "advice", None)
        return give(rows) if give else None
    except Exception as error:
        return _problem(error)


def _attempt(items: Callable[[], Iterable[Any]], finish: Callable[[Any], View]) -> list[View | Problem]:
    """Return every item finished, or a `Problem` in its place; an item may be a function that makes it."""
    return [_made(item, finish) for item in _listed(items)]


def _listed(items: Callable[[], Iterable[Any]]) -> list[Any]:
    """Return the items; a generator that raises is over, and a `Problem` stands for what it would have given next."""
    found: list[Any] = []
    try:
        for item in items():
            found.append(item)
    except Exception as error:
        found.append(_problem(error))
    return found


def _made(item: Any, finish: Callable[[Any], View]) -> View | Problem:
    try:
        return item if isinstance(item, Problem) else finish(item() if callable(item) else item)
    except Exception as error:
        return _problem(error)


def _side_by_side(tasks: Sequence[Callable[[], View | Problem]]) -> list[View | Problem]:
    """Return what the tasks return, done by two processes where a process can be forked: a drawing takes half a second."""
    if len(tasks) < 2 or "fork" not in multiprocessing.get_all_start_methods() or sys.platform == "darwin":
        return [task() for task in tasks]
    TASKS[:] = tasks  # the children inherit them, so that nothing but the numbers is sent
    try:
        with ProcessPoolExecutor(DRAWERS, multiprocessing.get_context("fork")) as pool:
            return list(pool.map(_task, range(len(tasks))))
    finally:
        TASKS.clear()


def _task(number: int) -> Any:
    return TASKS[number]()


def _problem(error: Exception) -> Problem:
    return Problem(f"{type(error).__name__}: {error}")


def _checked(table: Table) -> Table:
    if not isinstance(table.frame, pd.DataFrame):
        raise TypeError(f"table {table.id}: frame must be a DataFrame, not {type(table.frame).__name__}")
    if not re.fullmatch(r"[\w.=-]+", table.id):
        raise ValueError(f"table id {table.id!r} names a file: use letters, digits and hyphens")
    return table
