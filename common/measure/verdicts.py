"""The rule of verdicts: a claim's kind, its range and one number per replicate -> a word, the reason, and how sure that is.

    check       theorems, identities, what holds by construction    every replicate in the range: holds, else fails
    event       ranks, orders, counts, accuracies near their end    all replicates in the range: replicated; none: contradicted
    positive    ratios, errors, times, variances                    logarithms of values and bounds, then as real
    real        differences, slopes, nats                           the mean's 90 % Student-t interval

With x_1..x_n from n replicates the interval is mean ± t_{0.95, n-1} sqrt(s^2 / n + e^2), s^2 being the sample variance and e the
standard error of what all replicates share (0 where each draws its own test items): a one-sided 5 % test at each bound. Inside
the range: replicated; outside: contradicted; otherwise inconclusive. All but checks need REPLICATES numbers, and checks are no
replications. A comparison of two distances that does not clear their floor, what data reads against data, is inconclusive
whatever the interval says: the measurement is too coarse.

Each test's p-value, the smallest error rate at which its word could have been given, goes through Benjamini and Hochberg's
procedure (1995) in the report.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from common.errors import RetraceError

REPLICATES = 5
ERROR_RATE = 0.05  # of a false verdict at each bound
CONFIDENCE = 1 - 2 * ERROR_RATE
COARSE = "the measurement is too coarse"

# In the words that stand beside a verdict.
KINDS = {
    "check": "a theorem, an identity or a construction: every replicate must lie in the range; no replication",
    "event": "ranks, orders and counts: all replicates in the range, or none",
    "positive": "ratios, errors and times: the interval of the geometric mean, by logarithms",
    "real": "differences and slopes: the interval of the mean",
}
Kind = Literal["check", "event", "positive", "real"]
Word = Literal["replicated", "contradicted", "inconclusive", "holds", "fails"]
Bound = float | int | None


@dataclass(frozen=True)
class Interval:
    """Centre over `n` replicates (geometric mean of a `positive` claim) and its interval; NaN where there is none.

    Of checks and events, which are judged replicate by replicate, `low` and `high` are the smallest and the largest value.
    """

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Verdict:
    """The word, one short sentence with the numbers behind it, and what was judged.

    `p` is the p-value of the test that the word is read off, NaN where there was none. A verdict is `close` if its interval lies
    within one of its own widths of a bound: another machine or other seeds might not repeat it.
    """

    word: Word
    reason: str
    interval: Interval
    p: float = math.nan
    close: bool = False


def verdict(
    kind: Kind, values: Iterable[Any], low: Bound, high: Bound, *, error: float = 0.0, excess: Iterable[Any] | None = None
) -> Verdict:
    """Judge whether a claim's numbers, one per replicate, say that it lies in [low, high]; None leaves an end open.

    `error` is the standard error of what the replicates share, on the scale that is judged (of the logarithm if `positive`).
    `excess` is, per replicate, by how much the larger of two compared distances exceeds its floor. Raises `RetraceError` for an
    empty range, or a bound that a positive number cannot have.
    """
    least, most = -math.inf if low is None else float(low), math.inf if high is None else float(high)
    if not least <= most:
        raise RetraceError(f"range [{low}, {high}] is empty: its first bound must not exceed the second")
    if most - least == math.inf and least == -most:
        raise RetraceError("the range is open at both ends, so no measurement could contradict it; give a bound")
    x = np.asarray(list(values), dtype=np.float64)
    if kind == "check":
        return _check(x, least, most)
    if unfit := _unfit(kind, x):
        return Verdict("inconclusive", unfit, Interval(_mean(kind, x), math.nan, math.nan, len(x)))
    found = _event(x, least, most) if kind == "event" else _test(kind, x, least, most, error)
    if excess is not None and not clears_floor(excess):
        reason = f"{COARSE}: what is compared does not clear what data reads against data; more samples, not more replicates"
        return Verdict("inconclusive", reason, found.interval)
    return found


def clears_floor(excess: Iterable[Any]) -> bool:
    """Return whether a distance exceeds its floor: the mean excess over replicates is above 0 at the 5 % level."""
    x = np.asarray(list(excess), dtype=np.float64)
    return bool(np.isfinite(x).all() and interval(x).low > 0)


def interval(values: Iterable[Any], confidence: float = CONFIDENCE, *, error: float = 0.0) -> Interval:
    """Return the Student-t interval of the mean of `values`, one number per replicate; `error` as in `verdict`.

    Equal values give a point; one value, or one that is not finite, gives NaN bounds; no value gives NaN throughout.
    """
    if not 0 < confidence < 1:
        raise RetraceError(f"confidence = {confidence}: must lie between 0 and 1, e.g. 0.9")
    x = np.asarray(list(values), dtype=np.float64)
    if len(x) < 2 or not np.isfinite(x).all():
        return Interval(float(x.mean()) if len(x) else math.nan, math.nan, math.nan, len(x))
    if (x == x[0]).all() and not error:  # exactly a point: rounding in the mean would move it off a bound that it meets
        return Interval(float(x[0]), float(x[0]), float(x[0]), len(x))
    from scipy.special import stdtrit  # Student's quantile; scipy.stats.t.ppf is the same a hundred times slower

    half = float(stdtrit(len(x) - 1, (1 + confidence) / 2)) * _scale(x, error)
    return Interval(float(x.mean()), float(x.mean() - half), float(x.mean() + half), len(x))


def survivors(p_values: Sequence[float]) -> list[bool]:
    """Return which of all tests of a report survive Benjamini and Hochberg's procedure at a false discovery rate of 5 %."""
    from scipy.stats import false_discovery_control

    if not len(p_values):
        return []
    return [bool(p <= ERROR_RATE) for p in false_discovery_control(np.clip(p_values, 0.0, 1.0))]


def _unfit(kind: Kind, x: np.ndarray) -> str:
    """Return why these numbers cannot be judged, or nothing."""
    if wrong := int((~np.isfinite(x)).sum()):
        return f"not finite: {wrong} of {_replicates(len(x))}"
    if kind == "positive" and (wrong := int((x <= 0).sum())):
        return f"not positive: {wrong} of {_replicates(len(x))}"
    if len(x) < REPLICATES:
        return f"n = {len(x)}: at least {REPLICATES} replicates are needed"
    return ""


def _mean(kind: Kind, x: np.ndarray) -> float:
    if kind == "positive" and len(x) and np.isfinite(x).all() and (x > 0).all():
        return float(np.exp(np.log(x).mean()))
    return float(x.mean()) if len(x) else math.nan


def _check(x: np.ndarray, least: float, most: float) -> Verdict:
    inside = int(((least <= x) & (x <= most)).sum())  # NaN is in no range
    word: Word = "holds" if len(x) and inside == len(x) else "fails"
    return Verdict(word, _counted(inside, len(x), least, most), _extremes(x))


def _event(x: np.ndarray, least: float, most: float) -> Verdict:
    """Judge by count. The p-value is that of as many replicates on one side if either were equally likely."""
    from scipy.stats import binomtest

    n, inside = len(x), int(((least <= x) & (x <= most)).sum())
    word: Word = {n: "replicated", 0: "contradicted"}.get(inside, "inconclusive")
    p = binomtest(max(inside, n - inside), n, 0.5, alternative="greater").pvalue
    return Verdict(word, _counted(inside, n, least, most), _extremes(x), float(p))


def _test(kind: Kind, x: np.ndarray, least: float, most: float, error: float) -> Verdict:
    if kind == "positive":
        if not (least == -math.inf or least > 0) or most <= 0:
            raise RetraceError(f"range {_range(least, most)}: the bounds of a positive claim must be above 0, or open")
        x, least, most = np.log(x), *(math.log(bound) if math.isfinite(bound) else bound for bound in (least, most))
    found = interval(x, error=error)
    word, relation = _compare(found, least, most)
    p = min(_p_inside(x, least, most, error), _p_outside(x, least, most, error))
    close = word != "inconclusive" and _distance(found, least, most) <= found.high - found.low
    if kind == "positive":
        found = Interval(*(math.exp(end) for end in (found.mean, found.low, found.high)), found.n)
        least, most = (math.exp(bound) if math.isfinite(bound) else bound for bound in (least, most))
    of = " of the geometric mean" if kind == "positive" else ""
    shown = f"{CONFIDENCE:.0%} interval{of} [{_number(found.low)}, {_number(found.high)}]"
    return Verdict(word, f"{shown} {relation} {_range(least, most)}", found, p, close)


def _compare(found: Interval, least: float, most: float) -> tuple[Word, str]:
    if least <= found.low and found.high <= most:
        return "replicated", "lies in"
    if found.high < least or found.low > most:
        return "contradicted", "lies outside"
    return "inconclusive", "lies partly in"


def _distance(found: Interval, least: float, most: float) -> float:
    """Return how far an interval's nearer end lies from the nearest bound."""
    return min(abs(end - bound) for end in (found.low, found.high) for bound in (least, most) if math.isfinite(bound))


def _p_inside(x: np.ndarray, least: float, most: float, error: float) -> float:
    """Return the larger p-value of both one-sided tests that the mean is beyond a bound: two tests, both must be passed."""
    return max(_p(x, sign * bound, sign, error) for sign, bound in ((1, least), (-1, -most)) if math.isfinite(bound))


def _p_outside(x: np.ndarray, least: float, most: float, error: float) -> float:
    """Return the smaller p-value of the tests that the mean lies in the range."""
    return min(_p(x, sign * bound, sign, error) for sign, bound in ((-1, -least), (1, most)) if math.isfinite(bound))


def _p(x: np.ndarray, bound: float, sign: int, error: float) -> float:
    """Return the p-value of "sign * mean <= sign * bound" against "above"; of equal values that of a count."""
    from scipy.special import stdtr

    gap, scale = sign * (x.mean() - bound), _scale(x, error)
    if scale == 0:  # no spread to test with: as an event
        return 0.5 ** len(x) if gap >= 0 else 1.0
    return float(stdtr(len(x) - 1, -gap / scale))


def _scale(x: np.ndarray, error: float) -> float:
    """Return the standard error of the mean of x; 0 of equal values, whatever rounding makes of them."""
    return 0.0 if (x == x[0]).all() and not error else math.hypot(float(x.std(ddof=1)) / math.sqrt(len(x)), error)


def _extremes(x: np.ndarray) -> Interval:
    return Interval(float(x.mean()), float(x.min()), float(x.max()), len(x)) if len(x) else Interval(*[math.nan] * 3, 0)


def _counted(inside: int, n: int, least: float, most: float) -> str:
    return f"{inside} of {_replicates(n)} {'lies' if inside == 1 else 'lie'} in {_range(least, most)}"


def _range(least: float, most: float) -> str:
    left = "(-∞" if least == -math.inf else f"[{_number(least)}"
    return f"{left}, ∞)" if most == math.inf else f"{left}, {_number(most)}]"


def _number(x: float) -> str:
    return f"{x:.4g}"


def _replicates(n: int) -> str:
    return "1 replicate" if n == 1 else f"{n} replicates"
