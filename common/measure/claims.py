"""How a metrics table answers a paper's claims.

`replications/<paper>/paper.yaml` (common.measure.paper) lists each claim with the paper's own number, the statistic that
judges it (a function in the paper's `claims.py`: metrics table -> one number per seed) and the range [low, high] in which
the statistic's mean must lie. `judge` computes the statistic and reads the verdict off its 95 % interval:

    replicated | contradicted | inconclusive    by `common.measure.statistics.verdict`, at the claim's level or above
    not run                                     below that level, or where the rows are missing

A number that was measured below the claim's level is kept in the table, but it is never judged.
"""

import functools
import importlib
import importlib.util
import math
from pathlib import Path
from types import ModuleType
from typing import Any

# Not inside the functions: nothing but the report and the check of the papers imports this module.
import pandas as pd

from common.errors import SettingsError
from common.measure.paper import Claim, Paper, Reported
from common.measure.statistics import Interval, MissingRows, verdict
from common.runs.levels import reaches
from common.runs.settings import ROOT, hint

CLAIM_COLUMNS = (
    *("paper", "claim", "number", "location", "statement", "grade", "reported", "source", "protocol"),
    *("measured", "low", "high", "n_seeds", "criterion", "unit", "verdict", "reason", "level", "command"),
)
# Best first; the report sorts and counts in this order.
VERDICTS = ("replicated", "contradicted", "inconclusive", "not run")
UNKNOWN = Interval(math.nan, math.nan, math.nan, 0)


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


def check_statistics(paper: Paper) -> None:
    """Raise `SettingsError` unless every claim's statistic is in the paper's claims.py."""
    module = paper_module(paper.folder, "claims")
    for claim in paper.claims:
        if not callable(getattr(module, claim.statistic, None)):
            known = [name for name, value in vars(module).items() if callable(value) and name[0] != "_" and name[0].islower()]
            raise SettingsError(
                f"{paper.folder.name}/paper.yaml: claims {claim.id!r}: statistic: claims.py has no "
                f"{claim.statistic!r}{hint(claim.statistic, known)}"
            )


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
