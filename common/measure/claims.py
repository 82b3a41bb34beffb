"""How a metrics table answers a paper's claims.

`replications/<paper>/paper.yaml` (common.measure.paper) lists each claim with the paper's own number, the statistic that
judges it (a function in the paper's `claims.py`: metrics table -> one number per replicate), the range [low, high] that the
numbers must lie in, and its kind, which says how the verdict is read off them:

    replicated | contradicted | inconclusive    by `common.measure.verdicts.verdict`, at the claim's level or above
    holds | fails                               the same for checks, which are no replications
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
from typing import Any

# Not inside the functions: nothing but the report and the check of the papers imports this module.
import pandas as pd

from common.errors import SettingsError
from common.measure.claim_lint import lint
from common.measure.paper import Claim, Paper, Reported
from common.measure.registration import changes
from common.measure.statistics import MissingRows
from common.measure.verdicts import Interval, Verdict, survivors, verdict
from common.runs.levels import reaches
from common.runs.settings import ROOT, hint

CLAIM_COLUMNS = (
    *("paper", "claim", "number", "location", "statement", "grade", "reported", "source", "protocol", "kind"),
    *("measured", "low", "high", "n_seeds", "criterion", "unit", "verdict", "reason", "p_value", "survives", "close"),
    *("registered", "amendments", "level", "command"),
)
# Best first; the report sorts and counts in this order. Checks are counted apart.
JUDGED = ("replicated", "contradicted", "inconclusive", "not run")
VERDICTS = ("replicated", "holds", "contradicted", "fails", "inconclusive", "not run")
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
    """Raise `SettingsError` unless every claim's statistic is in the paper's claims.py and reads what some experiment writes."""
    module = paper_module(paper.folder, "claims")
    for claim in paper.claims:
        if not callable(getattr(module, claim.statistic, None)):
            known = [name for name, value in vars(module).items() if callable(value) and name[0] != "_" and name[0].islower()]
            raise SettingsError(
                f"{paper.folder.name}/paper.yaml: claims {claim.id!r}: statistic: claims.py has no "
                f"{claim.statistic!r}{hint(claim.statistic, known)}"
            )
    if problems := lint(paper):
        raise SettingsError("\n".join(problems))


def judge(paper: Paper, metrics: pd.DataFrame, level: str) -> pd.DataFrame:
    """Return one row per claim with the columns CLAIM_COLUMNS.

    `metrics` is the table of a level with any papers in it; only finished rows of this paper and level count. Unknown
    numbers are NaN. A statistic that raises costs its own claim the verdict and no other.
    """
    rows, changed = finished_rows(metrics, paper.id, level), changes(paper).parts
    lines = [_row(paper, claim, rows, level) | {"registered": _registered(changed, claim)} for claim in paper.claims]
    return pd.DataFrame(lines, columns=list(CLAIM_COLUMNS))


def _registered(changed: Mapping[str, Sequence[str]], claim: Claim) -> str:
    """Return "as registered", or what has changed since."""
    if not (parts := changed.get(claim.id, ["not registered"])):
        return "as registered"
    return parts[0] if parts[0] in ("not registered", "registered later") else f"changed: {', '.join(parts)}"


def discoveries(claims: pd.DataFrame) -> pd.DataFrame:
    """Return the claims of a whole report with `survives` filled in, for those that were tested (common.measure.verdicts)."""
    tested = claims["p_value"].notna()
    alive = pd.Series(survivors(claims.loc[tested, "p_value"].tolist()), index=claims.index[tested], dtype=object)
    return claims.assign(survives=alive.reindex(claims.index).map({True: "yes", False: "no"}).fillna(""))


def finished_rows(metrics: pd.DataFrame, paper: str, level: str, *, status: str = "ok") -> pd.DataFrame:
    """Return what statistics and tables see: the rows of one paper's finished runs at one level."""
    mine = (metrics["paper"] == paper) & (metrics["level"] == level) & (metrics["status"] == status)
    return metrics[mine].astype({"seed": int})


def _row(paper: Paper, claim: Claim, rows: pd.DataFrame, level: str) -> dict[str, Any]:
    word, reason, answer = _answer(paper, claim, rows, level)
    found = answer.interval if answer else UNKNOWN
    given = claim.reported if isinstance(claim.reported, Reported) else None
    return {
        **{key: getattr(claim, key) for key in ("number", "location", "statement", "grade", "kind", "unit")},
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
        "p_value": answer.p if answer and word != "not run" else math.nan,
        "survives": "",
        "close": "yes" if answer and answer.close and word != "not run" else "",
        "amendments": len(claim.amended),
        "level": claim.level,
        "command": rerun_command(paper.id, level if reaches(level, claim.level) else claim.level),
    }


def _answer(paper: Paper, claim: Claim, rows: pd.DataFrame, level: str) -> tuple[str, str, Verdict | None]:
    """Return the verdict's word, its reason, and what the numbers say by themselves if there are any."""
    reached, needs = reaches(level, claim.level), f"needs level {claim.level}"
    try:
        values = _measure(paper, claim, rows)
    except MissingRows as error:
        return "not run", f"its runs are missing or failed: {error}" if reached else needs, None
    except Exception as error:  # any mistake in one statistic: name it, judge the other claims
        failure = f"its statistic failed: {type(error).__name__}: {error}"
        return ("inconclusive", failure, None) if reached else ("not run", f"{needs}; {failure}", None)
    error = float(values["error"].mean()) if "error" in values else 0.0
    answer = verdict(claim.kind, values["value"], *claim.range, error=error, excess=values.get("excess"))
    return ("not run", needs, answer) if not reached else (answer.word, answer.reason, answer)


def _measure(paper: Paper, claim: Claim, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the statistic's answer as a table: `value` per seed, and `excess` or `error` if it gives them."""
    if rows.empty:
        raise MissingRows("no finished run of this paper")
    statistic = getattr(paper_module(paper.folder, "claims"), claim.statistic, None)
    if statistic is None:
        raise SettingsError(f"{paper.folder.name}/claims.py has no function {claim.statistic}")
    values = statistic(rows)
    if not isinstance(values, pd.Series | pd.DataFrame):
        raise TypeError(f"{claim.statistic} must return a pandas Series indexed by seed, not {type(values).__name__}")
    if values.empty:
        raise MissingRows("no seed has all that the statistic compares")
    return values.to_frame("value") if isinstance(values, pd.Series) else values


def criterion(bounds: tuple[float | None, float | None]) -> str:
    """Return a range in words: "from 0.5 to 0.8", "at most 1", "at least 0", "exactly 1"."""
    low, high = (None if bound is None else f"{bound:.10g}" for bound in bounds)
    if low is None or high is None:
        return f"at most {high}" if low is None else f"at least {low}"
    return f"exactly {low}" if low == high else f"from {low} to {high}"


def rerun_command(paper: str, level: str) -> str:
    """Return the command with which a reader runs what a claim is judged on."""
    return f"snakemake {paper} --cores all --config level={level}"
