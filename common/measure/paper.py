"""What a paper.yaml says: citation, equations, claims (in `claim_blocks`), tables of the paper, our deviations; read and checked.

`kind` says how a verdict is given (common.measure.verdicts). What is changed after a claim was registered, or because an earlier
rule did not measure the statement, is an entry of its `amended` list; a claim that was given up stays in `withdrawn`.

    equations: [{latex: "...", says: what it means, where: "eq. 9"}]     two or three that carry the idea; MathML in the report
    summary_sheet: {scope: ..., methodology: ..., easy: ..., hard: ...}  the replication on a page; results come from the verdicts
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, PrivateAttr, Tag, ValidationError, model_validator

from common.errors import SettingsError
from common.measure.claim_blocks import flattened
from common.measure.verdicts import Kind
from common.runs.levels import Level
from common.runs.settings import ROOT, hint, load_yaml

# What a reported number is worth, in the words that stand beside it.
SOURCES = {
    "paper": "stated in the paper",
    "derived": "computed from the paper's numbers",
    "code": "from the authors' code",
    "figure": "read off a figure, ±10–20 %",
    "quoted": "unverified, quoted",
    "memory": "unverified, from memory",
}
UNVERIFIED = ("quoted", "memory")  # never shown as the paper's own numbers
GRADES = {
    "solid": "expected to hold at this scale",
    "fragile": "may depend on scale, budget or seeds",
    "qualitative": "the paper shows it without a number",
    "out-of-reach": "needs more compute than most readers have",
}
Source = Literal["paper", "derived", "code", "figure", "quoted", "memory"]
Grade = Literal["solid", "fragile", "qualitative", "out-of-reach"]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Text = Annotated[str, Field(min_length=1)]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]  # in quotes
OldVerdict = Literal["replicated", "contradicted", "inconclusive", "holds", "fails", "not run", "none"]


class Block(BaseModel):
    """Base of the blocks of a paper.yaml: frozen, unknown keys are errors, and `value: 0.63` need not be quoted."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Reported(Block):
    """The paper's own number, where it comes from, and under which protocol it was measured."""

    value: Text
    source: Source
    protocol: Text


class Amendment(Block):
    """A change of a claim's rule: when, why, and what the old rule was and said."""

    date: Day
    why: Text
    rule: Text
    verdict: OldVerdict


class Withdrawn(Amendment):
    """A claim that is no longer judged, with its last rule and verdict."""

    id: Slug


def _reported_kind(value: object) -> str:
    return "nothing" if value == "none" else "given"


class Claim(Block):
    """One claim, and the range that its statistic must lie in (inclusive, None = open)."""

    id: Slug
    number: Text
    location: Text
    statement: Text
    grade: Grade
    reported: Annotated[
        Annotated[Reported, Tag("given")] | Annotated[Literal["none"], Tag("nothing")], Discriminator(_reported_kind)
    ]
    level: Level
    kind: Kind
    statistic: Text
    range: tuple[float | None, float | None]
    unit: str = ""
    note: str = ""
    amended: list[Amendment] = []

    @model_validator(mode="after")
    def _range_can_fail(self) -> "Claim":
        low, high = self.range
        if low is None and high is None:
            raise ValueError("range is open at both ends, so no measurement could contradict it; give a bound")
        if low is not None and high is not None and low > high:
            raise ValueError(f"range [{low:g}, {high:g}] is empty; its first bound must not exceed the second")
        if self.kind == "positive" and any(bound is not None and bound <= 0 for bound in self.range):
            raise ValueError(f"range {list(self.range)}: the bounds of a positive claim must be above 0; open an end with null")
        return self

    @model_validator(mode="after")
    def _paper_satisfies_its_claim(self) -> "Claim":
        low, high = self.range
        for number in plain_numbers(self.reported):
            if not (-math.inf if low is None else low) <= number <= (math.inf if high is None else high):
                raise ValueError(
                    f"reported: the paper's own {number:g} does not lie in range {list(self.range)}; mend the range or the "
                    "statistic, or say in words what the number is"
                )
        return self


def plain_numbers(reported: Reported | str) -> list[float]:
    """Return the numbers of a report that is nothing but numbers, "0.78, 0.63" or "2.4"; empty if it is worded otherwise."""
    if isinstance(reported, str) or not re.fullmatch(r"[-+.\d e]+(, *[-+.\d e]+)*", reported.value):
        return []
    try:
        return [float(part) for part in reported.value.replace(" ", "").split(",")]
    except ValueError:
        return []


class ReportedTable(Block):
    """A table of the paper, shown beside ours."""

    title: Text
    location: Text
    source: Source
    protocol: Text
    columns: list[str]
    rows: list[list[int | float | str | None]]

    @model_validator(mode="after")
    def _rows_fit_columns(self) -> "ReportedTable":
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"the row of {row[0] if row else '?'} has {len(row)} cells for {len(self.columns)} columns")
        return self


class Finding(Block):
    """Claims that one figure or table answers: they stand beside it, and their verdicts together say what was found.

    A figure's or table's id may be given without the data set that ends it. What is in `more` is shown on demand.
    """

    id: Slug
    title: Text
    claims: list[Slug] = Field(min_length=1)
    figures: list[Slug] = []
    more: list[Slug] = []
    tables: list[Slug] = []


class Deviation(Block):
    """Something done differently here, and why."""

    what: Text
    why: Text


class Equation(Block):
    """One of the few equations that carry the idea: its LaTeX, what it says in a sentence, and where it stands in the paper."""

    latex: Text
    says: Text
    where: Text


class SummarySheet(Block):
    """The replication on a page, as tracks on reproducibility ask for it; its results are computed from the verdicts."""

    scope: Text
    methodology: Text
    easy: Text
    hard: Text


class Paper(Block):
    """A paper: citation, idea, claims, its own tables, and our deviations."""

    id: str
    title: Text
    authors: list[Text] = Field(min_length=1)
    year: int
    venue: Text
    arxiv: Annotated[str, Field(strict=True, pattern=r"^\d{4}\.\d{4,5}$")]  # in quotes: 2105.14080 as a number loses its zero
    surveys: bool = Field(default=False, description="it compares the suite's papers, so it comes after them whatever its date")
    summary: Text
    numbered: int = Field(ge=1, description="how many claims we count in the paper; each has an entry with its number")
    claims: list[Claim] = Field(min_length=1)
    findings: list[Finding] = []
    headline: Slug | None = Field(default=None, description="the figure that stands for the paper on the report's first page")
    withdrawn: list[Withdrawn] = []
    reported_tables: list[ReportedTable] = []
    deviations: list[Deviation] = []
    equations: list[Equation] = []
    summary_sheet: SummarySheet | None = None
    _folder: Path = PrivateAttr(default=Path())

    @property
    def place(self) -> tuple[bool, str]:
        """What papers are sorted by: time, for an arXiv number starts with year and month, and a survey of them last."""
        return self.surveys, self.arxiv

    @property
    def folder(self) -> Path:
        """The paper's folder, which also holds its claims.py and figures.py."""
        return self._folder

    @model_validator(mode="after")
    def _ids_are_unique(self) -> "Paper":
        seen: set[str] = set()
        for claim in (*self.claims, *self.withdrawn):
            if claim.id in seen:
                raise ValueError(f"two claims have the id {claim.id!r}; rename one, or take it off one of the lists")
            seen.add(claim.id)
        return self

    @model_validator(mode="after")
    def _every_claim_is_in_one_finding(self) -> "Paper":
        known, placed = [claim.id for claim in self.claims], [name for finding in self.findings for name in finding.claims]
        for name in placed:
            if name not in known:
                raise ValueError(f"findings: there is no claim {name!r}{hint(name, known)}")
            if placed.count(name) > 1:
                raise ValueError(f"findings: claim {name!r} is listed {placed.count(name)} times; keep one")
        if missing := [name for name in known if self.findings and name not in placed]:
            raise ValueError(f"findings: claim {missing[0]!r} is in none; add it to the one whose figure or table answers it")
        return self


def load_paper(folder: Path) -> Paper:
    """Read and check `folder/paper.yaml`. Raises `SettingsError` naming the file, the claim, the key and the remedy."""
    file = folder / "paper.yaml"
    shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    content = load_yaml(file)
    if isinstance(content, Mapping) and isinstance(content.get("claims"), list):
        content = {**content, "claims": [claim for block in content["claims"] for claim in flattened(block, str(shown))]}
    try:
        paper = Paper.model_validate(content)
    except ValidationError as error:
        raise SettingsError("\n".join(f"{shown}: {_explain(problem, content)}" for problem in error.errors())) from None
    if paper.id != folder.name:
        raise SettingsError(f"{shown}: id: {paper.id!r} must be the folder's name, {folder.name!r}")
    paper._folder = folder
    return paper


def _explain(problem: Mapping[str, Any], content: Any) -> str:
    """Return one line for one problem of a paper.yaml."""
    # "given" and "nothing" are this module's words for the two forms of `reported`; nobody wrote them
    path = [part for part in problem["loc"] if part not in ("given", "nothing")]
    start = f"{_place(path, content)}: " if path else ""
    if problem["type"] == "extra_forbidden":
        return f"{start}unknown key{hint(str(path[-1]), _model_at(path).model_fields)}"
    if problem["type"] == "missing":
        return f"{start}missing; add it"
    got = "" if problem["type"] == "value_error" else f"; got {problem['input']!r}"
    return f"{start}{problem['msg'].removeprefix('Value error, ')}{got}"


def _place(path: Sequence[str | int], content: Any) -> str:
    """Return where a problem is, with a list's item called by its id or title rather than by its position."""
    item = content[path[0]][path[1]] if len(path) > 1 and isinstance(path[1], int) else None
    name = (item.get("id") or item.get("title")) if isinstance(item, Mapping) else None
    if not name:
        return ".".join(map(str, path))
    return ": ".join([f"{path[0]} {name!r}", *filter(None, [".".join(map(str, path[2:]))])])


def _model_at(path: Sequence[str | int]) -> type[Block]:
    """Return the block that a key belongs to, for the list of known keys."""
    if len(path) == 1:
        return Paper
    for key, model in (("reported", Reported), ("amended", Amendment)):
        if key in path[:-1]:
            return model
    blocks = {
        "claims": Claim,
        "withdrawn": Withdrawn,
        "reported_tables": ReportedTable,
        "deviations": Deviation,
        "findings": Finding,
        "equations": Equation,
        "summary_sheet": SummarySheet,
    }
    return blocks[str(path[0])]
