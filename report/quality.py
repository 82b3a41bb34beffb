"""What a reader should know before trusting a paper's numbers: failed, missing and unsafe ones, the gravest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from common.measure.claims import finished_rows
from common.measure.paper import Paper
from common.measure.verdicts import COARSE
from common.runs.levels import reaches
from report import cost
from report.certainty import Registration
from report.collect import Collection
from report.numbers import plural

Severity = Literal["serious", "caution", "note"]
SEVERITIES: dict[Severity, str] = {
    "serious": "something is wrong or missing",
    "caution": "a number that says less than it seems to",
    "note": "good to know when comparing",
}


@dataclass(frozen=True)
class Concern:
    """One line of the list; `anchor` is the place on the page that shows more, empty if there is none.

    What several claims share is one line; `claims` are then their ids, which are their anchors too.
    """

    severity: Severity
    text: str
    anchor: str = ""
    claims: Sequence[str] = ()


def concerns(paper: Paper, claims: pd.DataFrame, collection: Collection, lock: Registration) -> list[Concern]:
    """Return what is to be said of a paper's runs and claims (claims.csv of this paper or of all), the gravest first."""
    own = claims[claims["paper"] == paper.id]
    found = [*_runs(paper, collection), *_claims(own, collection.level), *_rows(paper, collection)]
    found += _origin(paper, lock, collection)
    return sorted(found, key=lambda concern: list(SEVERITIES).index(concern.severity))


def _runs(paper: Paper, collection: Collection) -> Iterator[Concern]:
    mine = [run for run in collection.unfinished if run.paper == paper.id]
    for status, did in (("failed", "failed"), ("not run", "did not start")):
        if names := [run.experiment for run in mine if run.status == status]:
            yield Concern("serious", f"{plural(len(names), 'run')} of {_names(names)} {did}.", "unfinished")


def _claims(own: pd.DataFrame, level: str) -> Iterator[Concern]:
    reached = own["level"].map(lambda needed: reaches(level, needed))
    kinds: Sequence[tuple[Severity, pd.Series, str]] = (
        ("serious", own["verdict"] == "fails", "Checks that fail, which must hold by theory"),
        ("serious", own["reason"].str.contains("its statistic failed", regex=False), "Statistics that raised an error"),
        ("serious", reached & (own["verdict"] == "not run"), "Not run, although this level judges them"),
        ("caution", own["reason"].str.startswith(COARSE), "Differences that do not clear what data reads against data"),
        ("caution", own["reason"].str.startswith("n = "), "Too few replicates for a verdict"),
        ("caution", own["reason"].str.startswith("not "), "Values of which no interval can be made"),
        (
            "note",
            own["close"] == "yes",
            "Intervals that end within their own width of a bound; another machine might not repeat them",
        ),
    )
    for severity, mask, text in kinds:
        if rows := list(own[mask & ~_needs_more(own)].itertuples(index=False)):
            yield Concern(severity, f"{text}:", claims=[str(row.claim) for row in rows])


def _needs_more(own: pd.DataFrame) -> pd.Series:
    """Return which claims wait for a larger level: that is no defect of this run."""
    return (own["verdict"] == "not run") & own["reason"].str.startswith("needs level")


def _rows(paper: Paper, collection: Collection) -> Iterator[Concern]:
    metrics = collection.metrics
    mine = metrics[(metrics["paper"] == paper.id) & (metrics["level"] == collection.level)]
    if len(refused := mine[mine["status"] == "refused"]):
        reasons = "; ".join(dict.fromkeys(refused["message"]))
        yield Concern("caution", f"{plural(len(refused), 'number')} could not be measured as asked: {reasons}.")
    done = finished_rows(metrics, paper.id, collection.level)
    if len(unknown := done[~np.isfinite(done["value"])]):
        yield Concern("serious", f"Not finite: {plural(len(unknown), 'number')} of {_names(unknown['experiment'])}.")
    if len(below := done[(done["floor"] > 0) & (done["value"] <= done["floor"]) & (done["method"] != "data")]):
        what = _names(f"{row.metric} of {row.method}" for row in below.itertuples(index=False))
        count = plural(len(below), "distance")
        yield Concern("note", f"{count} no larger than what data reads against data, so they tell nothing apart: {what}.")


def _origin(paper: Paper, lock: Registration, collection: Collection) -> Iterator[Concern]:
    runs = [run for run in collection.runs if run.info.get("paper") in (paper.id, "common")]
    if not lock.date:
        yield Concern("caution", "The claims were not registered before the run.", "certainty")
    if lock.changed and lock.date:
        yield Concern("caution", f"{plural(lock.changed, 'claim')} judged by another rule than registered.", "certainty")
    if lock.other_seeds:
        seeds = ", ".join(map(str, lock.other_seeds))
        yield Concern("serious", f"Runs used base seed {seeds}; registered is {lock.base_seed}.", "certainty")
    commits = cost.distinct(runs, "commit")
    if len(commits) > 1:
        yield Concern("caution", f"The runs come from {len(commits)} states of the code: {', '.join(commits)}.", "provenance")
    if "+" in "".join(commits):
        yield Concern("caution", "Files differed from the commit when the runs were made.", "provenance")
    if len(machines := cost.machines(runs)) > 1:
        yield Concern("note", f"The runs come from {len(machines)} machines or set-ups: seconds do not compare.", "machine")


def _names(words: Any) -> str:
    return ", ".join(dict.fromkeys(map(str, words)))
