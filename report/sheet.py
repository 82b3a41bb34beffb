"""The replication on one page, as tracks on reproducibility ask for it: scope, method, results, what was easy, what was hard."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from common.measure.claims import JUDGED
from common.measure.paper import Paper
from report.numbers import plural


@dataclass(frozen=True)
class Sheet:
    """The parts of the page in order, each a heading and its text."""

    parts: Sequence[tuple[str, str]]


def sheet(paper: Paper, claims: pd.DataFrame, level: str) -> Sheet | None:
    """Return a paper's page, None if its paper.yaml has no `summary_sheet`; `claims` is claims.csv of this paper or of all."""
    texts = paper.summary_sheet
    if texts is None:
        return None
    found = results(claims[claims["paper"] == paper.id], level)
    return Sheet(
        [
            ("Scope of reproducibility", texts.scope),
            ("Methodology", texts.methodology),
            ("Results", found),
            ("What was easy", texts.easy),
            ("What was difficult", texts.hard),
        ]
    )


def results(own: pd.DataFrame, level: str) -> str:
    """Return what the verdicts on one paper's claims amount to: how many of each, and where in the paper they stand."""
    counts, reached = Counter(own["verdict"]), own[own["verdict"] != "not run"]
    checks = counts["holds"] + counts["fails"]
    judged = sum(counts[word] for word in JUDGED if word != "not run")
    if not len(reached):
        return f"None of {plural(len(own), 'claim')} was judged at level {level}."
    said = [f"At level {level}, of {plural(judged, 'judged claim')} {_each(own)}."] if judged else []
    if checks:
        said.append(f"Of {plural(checks, 'check')} {counts['holds']} {'holds' if counts['holds'] == 1 else 'hold'}.")
    if counts["not run"]:
        needs = Counter(own[own["verdict"] == "not run"]["level"])
        levels = ", ".join(f"{count} that level {name} judges" for name, count in needs.items())
        said.append(f"Not run: {plural(counts['not run'], 'claim')}, {levels}.")
    return " ".join(said)


def _each(own: pd.DataFrame) -> str:
    """Return "3 were replicated (Table 1, Figure 4), 1 was contradicted (Figure 3)"."""
    parts = []
    for word in JUDGED:
        places = list(dict.fromkeys(own[own["verdict"] == word]["location"]))
        if places and word != "not run":
            count = int((own["verdict"] == word).sum())
            parts.append(f"{count} {'was' if count == 1 else 'were'} {word} ({'; '.join(places)})")
    return ", ".join(parts)
