"""Is mine right? The claims of a run against the committed reference of its level, one by one.

    agrees               the same verdict, and a number that agrees with the reference's
    close                a number that agrees, and another verdict where one of the numbers lies near a bound: no difference
    differs              another verdict, or a number that does not agree
    suspiciously better  a number on the good side of the reference's interval by more than three times its room
    not comparable       not run or without a number in one of the two, judged by another rule, or missing in one

A number agrees if it lies in the reference's interval, widened on each side by its room: the wider of the two runs' intervals,
but at most five times the reference's. Two runs of five replicates that differ in their seeds alone then disagree in one or two
claims of a thousand; by the reference's own width it would be one in a hundred, and every other run that is right would fail. Of
checks and events the interval spans the replicates. Claims of kind `positive`, and checks that ask for at most a positive number
(errors), are compared by their logarithms. A check of which all replicates of the reference gave one value has nothing random in
it: that value is asked for again, exactly if it is a whole number, else to one part in 10^9, for another processor may add in
another order, which moves the last digits of a float64.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from common.errors import RetraceError
from common.measure.claims import CLAIM_COLUMNS
from common.runs.levels import LEVELS
from common.runs.settings import ROOT, shown
from report.numbers import DASH, estimate, plural

REFERENCES = ROOT / "results" / "reference"
Word = Literal["agrees", "not comparable", "close", "suspiciously better", "differs"]
WORDS: tuple[Word, ...] = ("agrees", "not comparable", "close", "suspiciously better", "differs")  # the worst last
FAILING = ("suspiciously better", "differs")
ROUNDING = 1e-9  # relative
SUSPICIOUS = 3.0  # times the room
WIDEST = 5.0
RULE = ("kind", "criterion", "level", "unit")
NUMBERS = ("measured", "low", "high", "n_seeds", "p_value")


@dataclass(frozen=True)
class Line:
    """One claim in both tables; `here` and `there` are its lines of claims.csv, None where it is missing."""

    word: Word
    reason: str
    paper: str
    claim: str
    here: Any
    there: Any

    @property
    def fails(self) -> bool:
        """Whether this line alone makes a run another one than the reference."""
        return self.word in FAILING

    @property
    def shown_here(self) -> str:
        """The number of this run with its interval, or a dash."""
        return _shown(self.here)

    @property
    def shown_there(self) -> str:
        """The reference's number with its interval, or a dash."""
        return _shown(self.there)


def agreement(claims: pd.DataFrame, reference: pd.DataFrame) -> list[Line]:
    """Return a line for each claim of either table (both have CLAIM_COLUMNS), in the order of `claims`."""
    tables = ({(row.paper, row.claim): row for row in table.itertuples(index=False)} for table in (claims, reference))
    here, there = tables
    return [Line(*_compare(here.get(key), there.get(key)), *key, here.get(key), there.get(key)) for key in {**here, **there}]


def _compare(here: Any, there: Any) -> tuple[Word, str]:
    """Return the word and its reason for one claim."""
    if apart := _apart(here, there):
        return "not comparable", apart
    if there.kind == "check" and there.low == there.high:
        same = _same(here.measured, there.measured)
        outside = "" if same else f"all replicates of the reference gave {there.measured:.10g}, here {here.measured:.10g}"
    else:
        value, low, high = (_scaled(x, there) for x in (here.measured, there.low, there.high))
        room = _room(*(_scaled(x, there) for x in (here.low, here.high)), low, high)
        beyond = max(low - value, value - high, 0.0)
        if math.isfinite(value) and beyond <= ROUNDING * abs(value):  # the mean of equal numbers may lie beside all of them
            beyond = 0.0
        if beyond > SUSPICIOUS * room > 0 and _one_sided(there) and (value < low) == _small_is_good(there):
            return "suspiciously better", f"{_times(beyond, room)} beyond the reference's interval, on the good side"
        outside = f"{_times(beyond, room)} beyond the reference's interval" if beyond > room else ""
    if outside:
        return "differs", outside
    if here.verdict == there.verdict:
        return "agrees", ""
    turned = f"{here.verdict} here, {there.verdict} in the reference"
    near = [where for where, row in (("here", here), ("in the reference", there)) if _near_a_bound(row)]
    return ("close", f"{turned}; near a bound {' and '.join(near)}") if near else ("differs", turned)


def _apart(here: Any, there: Any) -> str:
    """Return why two lines cannot be compared, or nothing."""
    if here is None or there is None:
        return "the reference has no such claim" if there is None else "this run has no such claim"
    if other := [key for key in RULE if getattr(here, key) != getattr(there, key)]:
        return f"the reference was judged by another rule: {', '.join(f'{key} {getattr(there, key)}' for key in other)}"
    rows = {"here": here, "in the reference": there}
    if missing := [where for where, row in rows.items() if row.verdict == "not run"]:
        return f"not run {' and '.join(missing)}"
    if missing := [where for where, row in rows.items() if not math.isfinite(row.measured)]:
        return f"no number {' and '.join(missing)}"
    return "" if math.isfinite(there.high - there.low) else "the reference has no interval"


def _scaled(x: float, row: Any) -> float:
    """Return a number on the scale on which a claim's numbers are compared; what has no logarithm lies below all others."""
    error = row.kind == "check" and row.criterion.startswith("at most") and row.low > 0
    if row.kind != "positive" and not error:
        return x
    return math.log(x) if x > 0 else -math.inf


def _room(low_here: float, high_here: float, low: float, high: float) -> float:
    """Return how far from the reference's interval a number may lie."""
    here, there = high_here - low_here, high - low
    here = here if math.isfinite(here) else 0.0
    return max(there, min(here, WIDEST * there)) if there else here


def _same(a: float, b: float) -> bool:
    return a == b if float(b).is_integer() else math.isclose(a, b, rel_tol=ROUNDING)


def _one_sided(row: Any) -> bool:
    return row.criterion.startswith(("at most", "at least"))


def _small_is_good(row: Any) -> bool:
    return row.criterion.startswith("at most")


def _near_a_bound(row: Any) -> bool:
    """Return whether a verdict might turn: marked close, or inconclusive because a bound lies among its numbers."""
    return row.close == "yes" or (row.verdict == "inconclusive" and math.isfinite(row.p_value))


def _times(beyond: float, room: float) -> str:
    return f"{beyond / room:.2g} times its room" if room and math.isfinite(beyond) else "out of all proportion"


def read_claims(file: Path) -> pd.DataFrame:
    """Return a claims.csv with CLAIM_COLUMNS, numbers as float64 with NaN for empty. Raises `RetraceError` naming the file."""
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        if list(table.columns) != list(CLAIM_COLUMNS):
            raise ValueError(f"its columns are {', '.join(table.columns)}")
        return table.assign(**{column: [float(text or "nan") for text in table[column]] for column in NUMBERS})
    except FileNotFoundError:
        raise RetraceError(f"{shown(file)} does not exist; the workflow writes a run's claims.csv: make report") from None
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise RetraceError(f"{shown(file)}: is not a table of claims ({error}); take it back from git, or make report") from None


def reference_file(level: str, folder: Path = REFERENCES) -> Path | None:
    """Return the claims.csv of a level's committed reference, None if it has none; of several machines' the first by name."""
    return next(iter(sorted(folder.glob(f"{level}-*/claims.csv"))), None)


def check(level: str, results: Path, reference: Path | None = None, folder: Path = REFERENCES) -> int:
    """Print how a run compares with its level's reference, or the one in the folder `reference`; return the exit status.

    0 if nothing differs, 1 if something does. Raises `RetraceError` if there is nothing to compare.
    """
    file = reference / "claims.csv" if reference else reference_file(level, folder)
    if file is None:
        have = [name for name in LEVELS if reference_file(name, folder)]
        raise RetraceError(f"{shown(folder)}: level {level} has no reference; {', '.join(have) or 'no level'} has one")
    lines = agreement(read_claims(results / level / "claims.csv"), read_claims(file))
    print("\n".join(table(lines)))
    print(f"{summary(lines)}\nReference: {shown(file.parent)}")
    if all(line.word == "not comparable" for line in lines):
        raise RetraceError("no claim can be compared; run the level first: make report")
    return 1 if any(line.fails for line in lines) else 0


def table(lines: Sequence[Line]) -> Iterator[str]:
    """Yield the lines of a table for the terminal, the worst last."""
    cells = [("", "claim", "here", "reference", "")]
    for line in sorted(lines, key=lambda line: WORDS.index(line.word)):
        cells.append((line.word, f"{line.paper}/{line.claim}", line.shown_here, line.shown_there, line.reason))
    widths = [max(map(len, column)) for column in zip(*cells)]
    yield from ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells)


def _shown(row: Any) -> str:
    return " ".join(filter(None, estimate(row.measured, row.low, row.high))) if row else DASH


def summary(lines: Sequence[Line]) -> str:
    """Return the counts in one sentence."""
    counts = Counter(line.word for line in lines)
    several = {"agrees": "agree", "differs": "differ"}
    found = ", ".join(f"{n} {word if n == 1 else several.get(word, word)}" for word in WORDS if (n := counts[word]))
    return f"{plural(len(lines), 'claim')}: {found or 'none'}."
