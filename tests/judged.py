"""What tests of a paper's statistics share: tables whose answer is known, and whether a claim holds of a number."""

from collections.abc import Iterable
from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd

from common.measure.paper import Paper, load_paper
from common.measure.rows import Values
from common.measure.verdicts import verdict
from common.runs.folders import COLUMNS
from common.runs.settings import ROOT


class Judged(NamedTuple):
    """A paper's claims beside the module of their statistics."""

    paper: Paper
    claims: ModuleType

    def table(self, *rows: dict[str, Any]) -> pd.DataFrame:
        """Return a metrics table of two seeds with the same rows."""
        defaults = dict.fromkeys(COLUMNS, "") | {"paper": self.paper.id, "level": "laptop", "status": "ok"}
        defaults |= dict.fromkeys(("nfe", "at", "floor", "error"), float("nan"))
        return pd.DataFrame([defaults | {"seed": seed} | row for seed in (0, 1) for row in rows])

    def value(self, statistic: str, *rows: dict[str, Any]) -> float:
        """Return what a statistic makes of both seeds, which must agree."""
        found = self._found(statistic, rows)
        return _of_both(found["value"] if isinstance(found, pd.DataFrame) else found)

    def clears(self, statistic: str, *rows: dict[str, Any]) -> float | None:
        """Return by how much it says that the larger operand exceeds its floor, alike for both seeds; None if it has no floor."""
        found = self._found(statistic, rows)
        return _of_both(found["excess"]) if isinstance(found, pd.DataFrame) else None

    def _found(self, statistic: str, rows: Iterable[dict[str, Any]]) -> Values:
        return getattr(self.claims, statistic)(self.table(*rows))

    def inside(self, statistic: str, number: float) -> bool:
        """Return whether the claim that the statistic judges holds of a number."""
        (claim,) = [claim for claim in self.paper.claims if claim.statistic == statistic]
        kind = "check" if claim.kind == "check" else "event"
        return verdict(kind, [number] * 5, *claim.range).word in ("holds", "replicated")


def _of_both(found: pd.Series) -> float:
    assert found.index.tolist() == [0, 1] and found.iloc[0] == found.iloc[1]
    return found.iloc[0]


def judged(claims: ModuleType) -> Judged:
    """Return a paper's claims and statistics, from its module of statistics."""
    return Judged(load_paper(ROOT / "replications" / claims.__name__.split(".")[1]), claims)
