"""What a paper claims, and the verdicts.

`paper.yaml` holds every claim with the paper's own number, where that number comes from, the statistic that judges it and the
range that it must lie in, written before the run. The verdict is computed here and nowhere else.
"""

import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field, model_validator

from common.errors import RetraceError
from common.levels import Level, reaches
from common.settings import ROOT, Settings, load_yaml, validated
from common.statistics import MissingRows, verdict

Source = Literal["paper", "derived", "code", "figure", "memory"]
# how a number of each source is called where it is shown; one from memory is never shown as the paper's
SOURCE_WORDS: dict[str, str] = {
    "paper": "stated in the paper",
    "derived": "computed from the paper's numbers",
    "code": "from the authors' code",
    "figure": "read off a figure, ±10–20 %",
    "memory": "unverified, from memory",
}
COLUMNS = (
    *("paper", "claim", "number", "location", "statement", "grade", "reported", "source", "protocol", "measured", "low", "high"),
    *("n_seeds", "criterion", "unit", "verdict", "reason", "level", "command"),
)


class Reported(Settings):
    """The paper's own number."""

    value: str | float
    source: Source
    protocol: str


class Claim(Settings):
    """One claim, and what judges it."""

    id: str
    number: str = Field(description="the claim's number in the paper's list")
    location: str
    statement: str
    grade: Literal["solid", "fragile", "qualitative", "out-of-reach"]
    reported: Reported | Literal["none"]
    level: Level
    statistic: str
    range: tuple[float | None, float | None]
    unit: str = ""
    one_seed: bool | str = False
    note: str = ""

    @model_validator(mode="after")
    def _bounds(self) -> "Claim":
        low, high = self.range
        if low is not None and high is not None and low > high:
            raise ValueError(f"range of {self.id}: {low} is above {high}; swap them")
        return self


class ReportedTable(Settings):
    """A table of the paper, shown beside ours."""

    title: str
    location: str
    source: Source
    protocol: str
    columns: list[str]
    rows: list[list[Any]]


class Deviation(Settings):
    """What we do differently, and why."""

    what: str
    why: str


class Paper(Settings):
    """A paper: citation, claims, its own tables, our deviations."""

    id: str
    title: str
    authors: list[str]
    year: int
    venue: str
    arxiv: str
    summary: str
    claims: list[Claim]
    reported_tables: tuple[ReportedTable, ...] = ()
    deviations: list[Deviation]

    @model_validator(mode="after")
    def _unique(self) -> "Paper":
        ids = [claim.id for claim in self.claims]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"claims: id {twice[0]!r} is used twice; rename one")
        return self


def load_paper(folder: Path) -> Paper:
    """Return a paper's description, checked; errors name the file and the key."""
    file = folder / "paper.yaml"
    shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    return validated(Paper, load_yaml(file), where=str(shown))


def judge(paper: Paper, metrics: pd.DataFrame, level: str) -> pd.DataFrame:
    """Return one row per claim (COLUMNS), judged on the metrics of this level."""
    statistics = importlib.import_module(f"replications.{paper.id}.claims")
    mine = metrics[metrics["level"] == level]
    rows = [_judged(claim, getattr(statistics, claim.statistic), mine, level) for claim in paper.claims]
    command = f"snakemake {paper.id} --cores --config level={level}"
    return pd.DataFrame([{"paper": paper.id, "command": command, **row} for row in rows], columns=list(COLUMNS))


def criterion(low: float | None, high: float | None) -> str:
    """Return a range in words of mathematics."""
    if low is None:
        return f"≤ {high:g}"
    if high is None:
        return f"≥ {low:g}"
    return f"= {low:g}" if low == high else f"{low:g} to {high:g}"


def _judged(claim: Claim, statistic: Callable[[pd.DataFrame], pd.Series], metrics: pd.DataFrame, level: str) -> dict[str, Any]:
    none = claim.reported == "none"
    row: dict[str, Any] = {
        "claim": claim.id,
        **{key: getattr(claim, key) for key in ("number", "location", "statement", "grade", "unit")},
        "reported": "none" if none else claim.reported.value,
        "source": "" if none else claim.reported.source,
        "protocol": "" if none else claim.reported.protocol,
        "criterion": criterion(*claim.range),
        "level": level,
        **dict.fromkeys(("measured", "low", "high"), math.nan),
        "n_seeds": 0,
    }
    if not reaches(level, claim.level):
        return row | {"verdict": "not run", "reason": f"needs level {claim.level}"}
    try:
        values = statistic(metrics)
        found = verdict(values, *claim.range, one_seed_ok=bool(claim.one_seed))
    except MissingRows as missing:
        return row | {"verdict": "not run", "reason": f"its runs are missing or failed: {missing}"}
    except (RetraceError, ArithmeticError, KeyError, ValueError, IndexError) as error:
        return row | {"verdict": "not run", "reason": f"its statistic failed: {type(error).__name__}: {error}"}
    reason = found.reason + (f"; {claim.one_seed}" if isinstance(claim.one_seed, str) else "")
    interval = found.interval
    measured = {"measured": interval.mean, "low": interval.low, "high": interval.high, "n_seeds": interval.n}
    return row | measured | {"verdict": found.word, "reason": reason}
