"""What was found: verdicts of claims that belong together, counted and said in a sentence. Computed, never typed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from common.measure.paper import Finding, Paper
from report.numbers import plural

# An outcome's word, and what a paper's sentence says before the findings that had it, in this order.
OUTCOMES = {
    "held": "Held here",
    "mixed": "Mixed",
    "undecided": "Undecided",
    "did not hold": "Did not hold",
    "not run": "Not run at this level",
}


def findings_of(paper: Paper) -> Sequence[Finding]:
    """Return the paper's findings, or a single one of all its claims where it names none."""
    return paper.findings or [Finding(id="all-claims", title="Claims", claims=[claim.id for claim in paper.claims])]


def outcome(verdicts: Sequence[str]) -> str:
    """Return a finding's outcome from the verdicts of its claims: of the judged ones, or of checks where there are no others."""
    count = Counter(verdicts)
    good, bad, unsure = count["replicated"], count["contradicted"] + count["fails"], count["inconclusive"]
    if not good + bad + unsure:
        return "held" if count["holds"] else "not run"
    if not bad and not unsure:
        return "held"
    if good:
        return "mixed"
    return "did not hold" if bad else "undecided"


def in_words(verdicts: Sequence[str]) -> str:
    """Return the counts as a sentence: "3 of 5 statements held, 1 did not, 1 is undecided; 2 checks hold"."""
    count = Counter(verdicts)
    judged = count["replicated"] + count["contradicted"] + count["inconclusive"]
    parts = []
    if judged:
        held = f"{count['replicated']} of {plural(judged, 'statement')} held"
        if count["replicated"] == judged:
            held = {1: "The one statement held", 2: "Both statements held"}.get(judged, f"All {judged} statements held")
        rest = [f"{count['contradicted']} did not"] * bool(count["contradicted"])
        undecided = count["inconclusive"]
        rest += [f"{undecided} {'is' if undecided == 1 else 'are'} undecided"] * bool(undecided)
        parts.append(", ".join([held, *rest]))
    if checks := count["holds"] + count["fails"]:
        holding = "holds" if checks == 1 else "hold"
        parts.append(
            f"{plural(checks, 'check')} {holding}"
            if not count["fails"]
            else f"{count['fails']} of {plural(checks, 'check')} fail"
        )
    if count["not run"]:
        parts.append(f"{count['not run']} not run at this level")
    return "; ".join(parts) + "."


def said(outcomes: Sequence[tuple[str, Any]]) -> list[tuple[str, list[Any]]]:
    """Group findings, given as (outcome, finding), by outcome: what a paper's sentence on the first page lists."""
    return [(words, group) for word, words in OUTCOMES.items() if (group := [item for found, item in outcomes if found == word])]


def belongs(identifier: str, names: Sequence[str]) -> bool:
    """Return whether a figure or table is one of those named, whose data set may have been left off."""
    return any(identifier == name or identifier.startswith(f"{name}-") for name in names)
