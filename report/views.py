"""What the templates show: claims, tables and papers, laid out but not yet marked up."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from common.measure.figures import RunFolder, Table
from common.measure.paper import SOURCES, Claim, Paper, ReportedTable
from report import pictures
from report.certainty import Registration, registered
from report.collect import Collection, Unfinished
from report.cost import ExperimentCost, by_experiment
from report.numbers import DASH, estimate, number
from report.strip import Strip, strip

MARKS = {"replicated": "✓", "holds": "=", "contradicted": "✗", "fails": "≠", "inconclusive": "?", "not run": "–"}


@dataclass(frozen=True)
class ClaimView:
    """A claim with its verdict; `row` is its line of claims.csv."""

    claim: Claim
    row: Any
    anchor: str
    mark: str
    mean: str
    interval: str
    strip: Strip | None
    judged: bool

    @property
    def from_memory(self) -> bool:
        """Whether the reported number must not be shown as the paper's own."""
        return self.row.source == "memory"

    @property
    def source(self) -> str:
        """Where the reported number comes from, in words."""
        return SOURCES.get(self.row.source, "")


@dataclass(frozen=True)
class Grid:
    """A table ready to be set: header, rows of texts, and which columns hold numbers."""

    id: str
    title: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[bool]
    frame: pd.DataFrame | None = None
    file: str = ""


@dataclass(frozen=True)
class PaperView:
    """Everything that one paper's section shows."""

    paper: Paper
    claims: Sequence[ClaimView]
    counts: Counter
    registration: Registration
    figures: Sequence[Any]
    tables: Sequence[Any]
    reported: Sequence[Grid]
    experiments: Sequence[ExperimentCost]
    unfinished: Sequence[Unfinished]


def paper_view(paper: Paper, claims: pd.DataFrame, collection: Collection, out: Path) -> PaperView:
    """Lay out one paper, its figures' files below `out`. Tables name the CSV file beside the page that holds them."""
    own = claims[claims["paper"] == paper.id]
    views = [claim_view(claim, row) for claim, row in zip(paper.claims, own.itertuples(index=False), strict=True)]
    mine: list[RunFolder] = [run for run in collection.runs if run.info.get("paper") == paper.id]
    return PaperView(
        paper,
        views,
        Counter(view.row.verdict for view in views),
        registered(paper, own, mine),
        pictures.pictures(paper, collection, out),
        [_measured_grid(paper, table) for table in pictures.tables(paper, collection)],
        [reported_grid(table, f"reported-{i}") for i, table in enumerate(paper.reported_tables, 1)],
        by_experiment(mine),
        [run for run in collection.unfinished if run.paper == paper.id],
    )


def claim_view(claim: Claim, row: Any) -> ClaimView:
    """Lay out one claim and its line of claims.csv."""
    mean, interval = estimate(row.measured, row.low, row.high)
    return ClaimView(
        claim,
        row,
        f"{row.paper}-{claim.id}",
        MARKS[row.verdict],
        mean,
        interval,
        strip(claim.range, row.measured, row.low, row.high, logarithmic=claim.kind == "positive"),
        row.verdict != "not run",
    )


def _measured_grid(paper: Paper, table: Table | pictures.Problem) -> Grid | pictures.Problem:
    if isinstance(table, pictures.Problem):
        return table
    rows = [[_cell(value) for value in row] for row in table.frame.itertuples(index=False, name=None)]
    columns = [str(column) for column in table.frame.columns]
    file = f"tables/{paper.id}-{table.id}.csv"
    return Grid(table.id, table.title, table.caption, columns, rows, _numeric(rows, len(columns)), table.frame, file)


def reported_grid(table: ReportedTable, anchor: str) -> Grid:
    """Lay out a table of the paper; a column's numbers get as many decimals as its most exact one (YAML drops zeros)."""
    columns = [_even_decimals([row[i] for row in table.rows]) for i in range(len(table.columns))]
    rows = [list(row) for row in zip(*columns)]
    where = {"memory": "Unverified, from memory"}.get(table.source, f"The paper's {table.location}, {SOURCES[table.source]}")
    caption = f"{where}: {table.protocol}."
    return Grid(anchor, table.title, caption, table.columns, rows, _numeric(rows, len(table.columns)))


def _even_decimals(cells: Sequence[int | float | str | None]) -> list[str]:
    decimals = max((len(repr(cell).partition(".")[2]) for cell in cells if isinstance(cell, float)), default=0)
    return [f"{x:.{decimals}f}".replace("-", "−") if isinstance(x, float) else _cell(x) for x in cells]


def _cell(value: Any) -> str:
    if value is None or value is pd.NA:
        return DASH
    # NumPy's integers too, but no bool
    if pd.api.types.is_integer(value):
        return str(value).replace("-", "−")
    return number(float(value)) if pd.api.types.is_float(value) else str(value)


def _numeric(rows: Sequence[Sequence[str]], columns: int) -> list[bool]:
    def is_number(text: str) -> bool:
        return text == DASH or text.lstrip("−-+≈<>≤≥ ")[:1].isdigit()

    return [bool(rows) and all(is_number(row[i]) for row in rows) for i in range(columns)]
