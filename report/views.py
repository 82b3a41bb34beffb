"""What the templates show: claims, tables and papers, laid out but not yet marked up."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from common.measure.figures import RunFolder, Table
from common.measure.paper import SOURCES, UNVERIFIED, Claim, Paper, ReportedTable
from report import pictures
from report.certainty import Certainty, Registration, certainty, registered
from report.collect import Collection, Unfinished
from report.cost import ExperimentCost, by_experiment
from report.findings import belongs, findings_of, in_words, outcome, said
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
    def unverified(self) -> bool:
        """Whether the reported number must not be shown as the paper's own."""
        return self.row.source in UNVERIFIED

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
    kinds: Sequence[str] = ()  # of the rows: a method, or a floor or baseline beside them


@dataclass(frozen=True)
class FindingView:
    """Claims with the figures and tables that answer them, and what their verdicts say together."""

    id: str
    title: str
    claims: Sequence[ClaimView]
    outcome: str
    words: str
    figures: Sequence[Any] = ()
    more: Sequence[Any] = ()  # figures on demand
    tables: Sequence[Any] = ()


@dataclass(frozen=True)
class Summary:
    """What the first page says of a paper: its findings by outcome, its counts and its claims."""

    paper: Paper
    findings: Sequence[FindingView]
    counts: Counter

    @property
    def claims(self) -> list[ClaimView]:
        """All claims, finding by finding."""
        return [claim for finding in self.findings for claim in finding.claims]

    @property
    def said(self) -> list[tuple[str, list[FindingView]]]:
        """The findings by outcome, with the words that introduce them."""
        return said([(finding.outcome, finding) for finding in self.findings])


@dataclass(frozen=True)
class PaperView:
    """Everything that one paper's page shows; `figures` and `tables` are those of no finding, `advice` may be None."""

    summary: Summary
    registration: Registration
    certainty: Certainty
    advice: Any
    figures: Sequence[Any]
    tables: Sequence[Any]
    reported: Sequence[Grid]
    experiments: Sequence[ExperimentCost]
    unfinished: Sequence[Unfinished]

    @property
    def paper(self) -> Paper:
        """The paper."""
        return self.summary.paper

    @property
    def pictures(self) -> list[pictures.Picture]:
        """Every figure that could be drawn."""
        drawn = [figure for finding in self.summary.findings for figure in (*finding.figures, *finding.more)] + list(self.figures)
        return [figure for figure in drawn if isinstance(figure, pictures.Picture)]

    @property
    def grids(self) -> list[Grid]:
        """Every measured table that could be made."""
        tables = [table for finding in self.summary.findings for table in finding.tables] + list(self.tables)
        return [table for table in tables if isinstance(table, Grid) and table.frame is not None]


def summary(paper: Paper, claims: pd.DataFrame, drawn: Sequence[Any] = (), tables: Sequence[Any] = ()) -> Summary:
    """Lay out a paper's findings, with those of its figures and tables that belong to them."""
    own = claims[claims["paper"] == paper.id]
    views = {claim.id: claim_view(claim, row) for claim, row in zip(paper.claims, own.itertuples(index=False), strict=True)}
    found = []
    for finding in findings_of(paper):
        listed = [views[name] for name in finding.claims]
        verdicts = [view.row.verdict for view in listed]
        places = ((drawn, finding.figures), (drawn, finding.more), (tables, finding.tables))
        shown = [[item for item in items if belongs(item.id, names)] for items, names in places]
        found.append(FindingView(finding.id, finding.title, listed, outcome(verdicts), in_words(verdicts), *shown))
    return Summary(paper, found, Counter(view.row.verdict for view in views.values()))


def paper_view(paper: Paper, claims: pd.DataFrame, collection: Collection, out: Path) -> PaperView:
    """Lay out one paper's page in the folder `out`, where its figures are written; tables name the CSV file that holds them."""
    mine: list[RunFolder] = [run for run in collection.runs if run.info.get("paper") == paper.id]
    drawn = pictures.pictures(paper, collection, out)
    tables = [_measured_grid(table) for table in pictures.tables(paper, collection)]
    found = summary(paper, claims, drawn, tables)
    placed = [item for finding in found.findings for item in (*finding.figures, *finding.more, *finding.tables)]
    return PaperView(
        found,
        registered(paper, claims, mine),
        certainty(claims),
        pictures.advice(paper, collection),
        [item for item in drawn if item not in placed],
        [item for item in tables if item not in placed],
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
        claim.id,
        MARKS[row.verdict],
        mean,
        interval,
        strip(claim.range, row.measured, row.low, row.high, logarithmic=claim.kind == "positive"),
        row.verdict != "not run",
    )


def _measured_grid(table: Table | pictures.Problem) -> Grid | pictures.Problem:
    if isinstance(table, pictures.Problem):
        return table
    rows = [[_cell(value) for value in row] for row in table.frame.itertuples(index=False, name=None)]
    columns = [str(column) for column in table.frame.columns]
    file = f"tables/{table.id}.csv"
    return Grid(table.id, table.title, table.caption, columns, rows, _numeric(rows, len(columns)), table.frame, file, table.kinds)


def reported_grid(table: ReportedTable, anchor: str) -> Grid:
    """Lay out a table of the paper; a column's numbers get as many decimals as its most exact one (YAML drops zeros)."""
    columns = [_even_decimals([row[i] for row in table.rows]) for i in range(len(table.columns))]
    rows = [list(row) for row in zip(*columns)]
    words, of_paper = SOURCES[table.source], f"The paper's {table.location}"
    where = words[0].upper() + words[1:] if table.source in UNVERIFIED else f"{of_paper}, {words}"
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
