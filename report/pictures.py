"""Figures and tables of a paper, made safe for the page: a drawing that fails becomes a notice in its own place."""

import base64
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D

from common.measure.claims import finished_rows, paper_module
from common.measure.figures import Figure, Runs, Table, style
from common.measure.paper import Paper
from report.collect import Collection

# Drawings up to this size go in as SVG, sharp at any zoom; scatter plots are smaller, and faster to show, as PNG.
SVG_LIMIT = 60_000
MANY_POINTS = 3000  # of about 70 bytes each in an SVG
PIXELS_PER_INCH = 96
View = TypeVar("View")


@dataclass(frozen=True)
class Picture:
    """A figure as a data URI, with its size in CSS pixels so that the page does not jump while it loads."""

    id: str
    title: str
    caption: str
    alt: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Problem:
    """What stands in the place of a figure or table that could not be made."""

    message: str
    id: str = ""


def pictures(paper: Paper, collection: Collection, out: Path) -> list[Picture | Problem]:
    """Return the paper's figures, drawn from the runs present."""
    runs = Runs(collection.runs, paper.id)
    with style():
        return _attempt(lambda: paper_module(paper.folder, "figures").figures(runs), encode)


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


def encode(figure: Figure) -> Picture:
    """Return a figure as a picture, and close it."""
    drawing = figure.figure
    try:
        width, height = (round(inches * PIXELS_PER_INCH) for inches in drawing.get_size_inches())
        # laid out once: every save would do it again, which costs as much as drawing
        drawing.draw_without_rendering()
        drawing.set_layout_engine("none")
        kind, content = "svg+xml", b"" if _crowded(drawing) else _save(drawing, "svg", {"Date": None})
        if not content or len(content) > SVG_LIMIT:
            kind, content = "png", _save(drawing, "png", {"Software": None})
    finally:
        plt.close(drawing)
    uri = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return Picture(figure.id, figure.title, figure.caption, figure.alt, uri, width, height)


def _crowded(drawing: Any) -> bool:
    """Return whether a drawing has so many points that there is no need to see how large its SVG becomes."""
    lines = sum(len(line.get_xdata(orig=False)) for line in drawing.findobj(Line2D))
    return lines + sum(len(dots.get_offsets()) for dots in drawing.findobj(PathCollection)) > MANY_POINTS


def _save(drawing: Any, kind: str, metadata: dict[str, None]) -> bytes:
    # no date and no version in the file: the same runs give the same page
    stream = io.BytesIO()
    drawing.savefig(stream, format=kind, metadata=metadata, facecolor="white")
    return stream.getvalue()
