"""How sure verdicts are: how many false ones to expect, which survive many tests, which are close, what was registered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from common.errors import RetraceError
from common.measure import registration
from common.measure.figures import RunFolder
from common.measure.paper import Paper
from common.measure.verdicts import ERROR_RATE


@dataclass(frozen=True)
class Certainty:
    """Of all tests behind a report's verdicts: `given` ended in a verdict, `survive` Benjamini and Hochberg's procedure.

    `false` is the number of false verdicts to expect at most: 5 % of the tests, whatever is true.
    """

    tests: int
    given: int
    survive: int
    false: float
    close: Sequence[Any]


@dataclass(frozen=True)
class Registration:
    """A paper's registration as its page says it; `other_seeds` are base seeds of runs that were not registered."""

    date: str
    base_seed: int | None
    amendments: int
    since: int
    changed: int
    other_seeds: Sequence[int]


def certainty(claims: pd.DataFrame) -> Certainty:
    """Return it for the claims of a report (`common.measure.claims.CLAIM_COLUMNS`)."""
    tested = claims[claims["p_value"].notna()]
    given = tested[tested["verdict"] != "inconclusive"]
    return Certainty(
        len(tested),
        len(given),
        int((given["survives"] == "yes").sum()),
        ERROR_RATE * len(tested),
        list(claims[claims["close"] == "yes"].itertuples(index=False)),
    )


def registered(paper: Paper, claims: pd.DataFrame, runs: Sequence[RunFolder]) -> Registration:
    """Return what a paper's page says of its registration; `claims` are its lines of claims.csv."""
    try:
        lock = registration.read(paper)
    except RetraceError:
        lock = None
    amendments = int(claims["amendments"].sum()) + len(paper.withdrawn)
    if lock is None:
        return Registration("", None, amendments, 0, 0, [])
    then = {name: claim.amendments for name, claim in lock.claims.items()}
    since = sum(max(0, len(claim.amended) - then.get(claim.id, 0)) for claim in paper.claims)
    changed = int((claims["registered"] != "as registered").sum())
    seeds = {run.info.get("base_seed") for run in runs if isinstance(run.info.get("base_seed"), int)}
    return Registration(lock.date, lock.base_seed, amendments, since, changed, sorted(seeds - {lock.base_seed}))
