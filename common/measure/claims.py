"""A paper's claims, and how a metrics table answers them.

`replications/<paper>/paper.yaml` lists each claim with the paper's own number, where that number comes from, the statistic
that judges it (a function in the paper's `claims.py`: metrics table -> one number per seed) and the range [low, high] in
which the statistic's mean must lie. `judge` computes the statistic and reads the verdict off its 95 % interval:

    replicated | contradicted | inconclusive    by `common.measure.statistics.verdict`, at the claim's level or above
    not run                                     below that level, or where the rows are missing

A number that was measured below the claim's level is kept in the table, but it is never judged.
"""

import functools
import importlib
import importlib.util
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

# Not inside the functions: nothing but the report and the check of the papers imports this module.
import pandas as pd
from pydantic import BaseModel, ConfigDict, Discriminator, Field, PrivateAttr, Tag, ValidationError, model_validator

from common.errors import SettingsError
from common.measure.statistics import Interval, MissingRows, verdict
from common.runs.levels import Level, reaches
from common.runs.settings import ROOT, hint, load_yaml

CLAIM_COLUMNS = (
    *("paper", "claim", "number", "location", "statement", "grade", "reported", "source", "protocol"),
    *("measured", "low", "high", "n_seeds", "criterion", "unit", "verdict", "reason", "level", "command"),
)
# Best first; the report sorts and counts in this order.
VERDICTS = ("replicated", "contradicted", "inconclusive", "not run")
# What a reported number is worth, in the words that stand beside it. Memory is never shown as the paper's own number.
SOURCES = {
    "paper": "stated in the paper",
    "derived": "computed from the paper's numbers",
    "code": "from the authors' code",
    "figure": "read off a figure, ±10–20 %",
    "memory": "unverified, from memory",
}
GRADES = {
    "solid": "expected to hold at this scale",
    "fragile": "may depend on scale, budget or seeds",
    "qualitative": "the paper shows it without a number",
    "out-of-reach": "needs more compute than most readers have",
}
Source = Literal["paper", "derived", "code", "figure", "memory"]
Grade = Literal["solid", "fragile", "qualitative", "out-of-reach"]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Text = Annotated[str, Field(min_length=1)]
UNKNOWN = Interval(math.nan, math.nan, math.nan, 0)


class Block(BaseModel):
    """Base of the blocks of a paper.yaml: frozen, unknown keys are errors, and `value: 0.63` need not be quoted."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Reported(Block):
    """The paper's own number, where it comes from, and under which protocol it was measured."""

    value: Text
    source: Source
    protocol: Text


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
    statistic: Text
    range: tuple[float | None, float | None]
    unit: str = ""
    one_seed: bool | Text = False
    note: str = ""

    @model_validator(mode="after")
    def _range_can_fail(self) -> "Claim":
        low, high = self.range
        if low is None and high is None:
            raise ValueError("range is open at both ends, so no measurement could contradict it; give a bound")
        if low is not None and high is not None and low > high:
            raise ValueError(f"range [{low:g}, {high:g}] is empty; its first bound must not exceed the second")
        return self


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


class Deviation(Block):
    """Something done differently here, and why."""

    what: Text
    why: Text


class Paper(Block):
    """A paper: citation, idea, claims, its own tables, and our deviations."""

    id: str
    title: Text
    authors: list[Text] = Field(min_length=1)
    year: int
    venue: Text
    arxiv: Annotated[str, Field(pattern=r"^\d{4}\.\d{4,5}$")]
    summary: Text
    claims: list[Claim] = Field(min_length=1)
    reported_tables: list[ReportedTable] = []
    deviations: list[Deviation] = []
    _folder: Path = PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """The paper's folder, which also holds its claims.py and figures.py."""
        return self._folder

    @model_validator(mode="after")
    def _ids_are_unique(self) -> "Paper":
        seen: set[str] = set()
        for claim in self.claims:
            if claim.id in seen:
                raise ValueError(f"two claims have the id {claim.id!r}; rename one")
            seen.add(claim.id)
        return self


def load_paper(folder: Path) -> Paper:
    """Read and check `folder/paper.yaml`. Raises `SettingsError` naming the file, the claim, the key and the remedy."""
    file = folder / "paper.yaml"
    shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    content = load_yaml(file)
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
    if "reported" in path[:-1]:
        return Reported
    return {"claims": Claim, "reported_tables": ReportedTable, "deviations": Deviation}[str(path[0])]


@functools.cache
def paper_module(folder: Path, name: str) -> ModuleType:
    """Return the module `name` of a paper: `replications.<paper>.<name>`, or that file of a folder elsewhere."""
    if folder == ROOT / "replications" / folder.name:
        return importlib.import_module(f"replications.{folder.name}.{name}")
    file = folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{folder.name}_{name}", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise SettingsError(f"{file} does not exist; every paper needs one")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def judge(paper: Paper, metrics: pd.DataFrame, level: str) -> pd.DataFrame:
    """Return one row per claim with the columns CLAIM_COLUMNS.

    `metrics` is the table of a level with any papers in it; only finished rows of this paper and level count. Unknown
    numbers are NaN. A statistic that raises costs its own claim the verdict and no other.
    """
    rows = finished_rows(metrics, paper.id, level)
    return pd.DataFrame([_row(paper, claim, rows, level) for claim in paper.claims], columns=list(CLAIM_COLUMNS))


def finished_rows(metrics: pd.DataFrame, paper: str, level: str) -> pd.DataFrame:
    """Return what statistics and tables see: the rows of one paper's finished runs at one level."""
    mine = (metrics["paper"] == paper) & (metrics["level"] == level) & (metrics["status"] == "ok")
    return metrics[mine].astype({"seed": int})


def _row(paper: Paper, claim: Claim, rows: pd.DataFrame, level: str) -> dict[str, Any]:
    word, reason, found = _answer(paper, claim, rows, level)
    given = claim.reported if isinstance(claim.reported, Reported) else None
    return {
        **{key: getattr(claim, key) for key in ("number", "location", "statement", "grade", "unit")},
        "paper": paper.id,
        "claim": claim.id,
        "reported": given.value if given else "none",
        "source": given.source if given else "",
        "protocol": given.protocol if given else "",
        "measured": found.mean,
        "low": found.low,
        "high": found.high,
        "n_seeds": found.n,
        "criterion": criterion(claim.range),
        "verdict": word,
        "reason": reason,
        "level": claim.level,
        "command": rerun_command(paper.id, level if reaches(level, claim.level) else claim.level),
    }


def _answer(paper: Paper, claim: Claim, rows: pd.DataFrame, level: str) -> tuple[str, str, Interval]:
    """Return the verdict's word, its reason and the interval."""
    reached, needs = reaches(level, claim.level), f"needs level {claim.level}"
    try:
        values = _measure(paper, claim, rows)
    except MissingRows as error:
        return "not run", f"its runs are missing or failed: {error}" if reached else needs, UNKNOWN
    except Exception as error:  # any mistake in one statistic: name it, judge the other claims
        failure = f"its statistic failed: {type(error).__name__}: {error}"
        return ("inconclusive", failure, UNKNOWN) if reached else ("not run", f"{needs}; {failure}", UNKNOWN)
    answer = verdict(values, *claim.range, one_seed_ok=bool(claim.one_seed))
    if not reached:
        return "not run", needs, answer.interval
    excuse = f" ({claim.one_seed})" if isinstance(claim.one_seed, str) and answer.interval.n == 1 else ""
    return answer.word, answer.reason + excuse, answer.interval


def _measure(paper: Paper, claim: Claim, rows: pd.DataFrame) -> pd.Series:
    if rows.empty:
        raise MissingRows("no finished run of this paper")
    statistic = getattr(paper_module(paper.folder, "claims"), claim.statistic, None)
    if statistic is None:
        raise SettingsError(f"{paper.folder.name}/claims.py has no function {claim.statistic}")
    values = statistic(rows)
    if not isinstance(values, pd.Series):
        raise TypeError(f"{claim.statistic} must return a pandas Series indexed by seed, not {type(values).__name__}")
    if values.empty:
        raise MissingRows("no seed has all that the statistic compares")
    return values


def criterion(bounds: tuple[float | None, float | None]) -> str:
    """Return a range in words: "from 0.5 to 0.8", "at most 1", "at least 0", "exactly 1"."""
    low, high = (None if bound is None else f"{bound:.10g}" for bound in bounds)
    if low is None or high is None:
        return f"at most {high}" if low is None else f"at least {low}"
    return f"exactly {low}" if low == high else f"from {low} to {high}"


def rerun_command(paper: str, level: str) -> str:
    """Return the command with which a reader runs what a claim is judged on."""
    return f"snakemake {paper} --cores all --config level={level}"
