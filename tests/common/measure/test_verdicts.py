"""The rule of verdicts: by hand, at its edges, and on simulated replicates whose truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from common.errors import RetraceError
from common.measure.verdicts import COARSE, REPLICATES, Interval, interval, survivors, verdict

CLOSE_BY = [0.64, 0.65, 0.66, 0.67, 0.68]  # mean 0.66, s = 0.0158114, half a width of 0.0150745

# -- intervals


def test_interval_of_three_numbers_by_hand():
    # mean 2, s = 1, t_{0.95, 2} = 2.919986
    found = interval([1, 2, 3])
    assert found.mean == 2 and found.n == 3
    assert found.high - 2 == pytest.approx(2.919986 / math.sqrt(3), rel=1e-6)
    assert 2 - found.low == pytest.approx(2.919986 / math.sqrt(3), rel=1e-6)


def test_interval_agrees_with_scipy_at_another_confidence():
    x = np.random.default_rng(0).normal(3.0, 2.0, 7)
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.8)
    found = interval(x, 0.8)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_interval_covers_the_truth_as_often_as_it_says():
    x = np.random.default_rng(1).normal(5.0, 1.0, (2000, 4))
    covered = [found.low <= 5 <= found.high for found in map(interval, x)]
    assert np.mean(covered) == pytest.approx(0.90, abs=0.02)  # three standard errors


def test_degenerate_intervals():
    assert interval([0.1, 0.1, 0.1]) == Interval(0.1, 0.1, 0.1, 3)
    for values, n in (([4.0], 1), ([1.0, math.nan, 2.0], 3), ([1.0, math.inf], 2), ([], 0)):
        found = interval(values)
        assert math.isnan(found.low) and math.isnan(found.high) and found.n == n
    assert interval([4.0]).mean == 4.0
    with pytest.raises(RetraceError, match="confidence = 90"):
        interval([1.0, 2.0], 90.0)


def test_what_all_replicates_share_widens_the_interval_by_its_variance():
    alone, shared = interval(CLOSE_BY), interval(CLOSE_BY, error=0.02)
    assert (shared.high - shared.mean) / (alone.high - alone.mean) == pytest.approx(
        math.hypot(np.std(CLOSE_BY, ddof=1) / math.sqrt(5), 0.02) / (np.std(CLOSE_BY, ddof=1) / math.sqrt(5))
    )
    assert interval([0.5] * 5, error=0.1).high == pytest.approx(0.5 + stats.t.ppf(0.95, 4) * 0.1)
    assert verdict("real", CLOSE_BY, 0.6, None).word == "replicated"
    assert verdict("real", CLOSE_BY, 0.6, None, error=0.1).word == "inconclusive"


# -- real and positive


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.5, 0.8, "replicated"),
        (None, 0.8, "replicated"),
        (0.5, None, "replicated"),
        (0.8, None, "contradicted"),
        (None, 0.5, "contradicted"),
        (0.8, 0.9, "contradicted"),
        (0.66, 0.8, "inconclusive"),
        (None, 0.66, "inconclusive"),
        (0.655, 0.665, "inconclusive"),
    ],
)
def test_words(low, high, word):
    assert verdict("real", CLOSE_BY, low, high).word == verdict("positive", CLOSE_BY, low, high).word == word


@pytest.mark.parametrize("kind", ["real", "positive"])
def test_bounds_are_inclusive(kind):
    assert verdict(kind, [1] * 5, None, 1.0).word == "replicated"
    assert verdict(kind, [0.7] * 5, 0.7, 0.7).word == "replicated", "rounding in a logarithm moves nothing off its bound"
    assert verdict(kind, [1] * 5, 1.0 + 1e-9, None).word == "contradicted"
    found = verdict("real", CLOSE_BY, 0, None).interval
    assert verdict("real", CLOSE_BY, found.low, found.high).word == "replicated"
    assert verdict("real", CLOSE_BY, None, found.low).word == "inconclusive", "it touches the range"


def test_a_positive_number_is_judged_on_its_logarithm():
    values = [0.1, 0.2, 0.4, 0.8, 1.6]
    found = verdict("positive", values, None, 1.0)
    logs = interval(np.log(values))
    assert found.interval.mean == pytest.approx(0.4), "the geometric mean"
    assert (found.interval.low, found.interval.high) == pytest.approx((math.exp(logs.low), math.exp(logs.high)))
    assert found.word == "inconclusive" and verdict("real", values, None, 1.7).word == "replicated"
    assert found.reason == "90% interval of the geometric mean [0.1407, 1.137] lies partly in (-∞, 1]"
    # halves and doubles are as far from 1, which they are not on the numbers' own scale
    halves, doubles = [0.4, 0.45, 0.5, 0.55, 0.6], [1 / x for x in (0.4, 0.45, 0.5, 0.55, 0.6)]
    assert verdict("positive", halves, 0.3, 1).p == pytest.approx(verdict("positive", doubles, 1, 1 / 0.3).p)


def test_a_positive_number_that_is_not_positive():
    assert verdict("positive", [0.5, 0.5, 0.5, 0.5, 0.0], None, 1).reason == "not positive: 1 of 5 replicates"
    assert verdict("positive", [0.5] * 4 + [-1.0], None, 1).word == "inconclusive"
    for bounds in ((0, 1), (-1, None), (None, 0)):
        with pytest.raises(RetraceError, match="bounds of a positive claim must be above 0"):
            verdict("positive", [0.5] * 5, *bounds)


def test_reasons_give_the_numbers():
    assert verdict("real", CLOSE_BY, 0, 1).reason == "90% interval [0.6449, 0.6751] lies in [0, 1]"
    assert verdict("real", CLOSE_BY, None, 0.5).reason == "90% interval [0.6449, 0.6751] lies outside (-∞, 0.5]"
    assert verdict("real", CLOSE_BY, 0.65, None).reason == "90% interval [0.6449, 0.6751] lies partly in [0.65, ∞)"


@pytest.mark.parametrize("kind", ["real", "positive", "event"])
def test_fewer_than_five_replicates_say_nothing_whatever_the_values(kind):
    for n in range(REPLICATES):
        found = verdict(kind, [0.5] * n, 0.1, 1)
        assert found.word == "inconclusive" and found.reason == f"n = {n}: at least 5 replicates are needed"
        assert found.interval.n == n and math.isnan(found.p)
    assert verdict(kind, [0.5] * 2, 0.1, 1).interval.mean == pytest.approx(0.5)
    assert verdict(kind, [0.5] * REPLICATES, 0.1, 1).word == "replicated"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", ["real", "positive", "event"])
def test_values_that_are_not_finite(kind, bad):
    for values in ([0.5, 0.5, 0.5, 0.5, bad], [bad]):
        found = verdict(kind, values, 0.1, None)
        assert found.word == "inconclusive" and found.reason.startswith("not finite: 1 of")


@pytest.mark.parametrize("kind", ["check", "event", "positive", "real"])
def test_a_range_that_cannot_decide_is_an_error(kind):
    with pytest.raises(RetraceError, match=r"range \[1, 0\] is empty"):
        verdict(kind, [0.5] * 5, 1, 0)
    with pytest.raises(RetraceError, match="open at both ends"):
        verdict(kind, [0.5] * 5, None, None)


# -- checks and events


def test_a_check_holds_only_if_every_replicate_is_in_the_range():
    assert verdict("check", [1e-9, 1e-8], None, 1e-6).word == "holds"
    assert verdict("check", [0.5], 0, 1).word == "holds", "an identity needs no five replicates"
    for values in ([1e-9, 2e-6], [1e-9, math.nan], [math.inf], []):
        assert verdict("check", values, None, 1e-6).word == "fails"
    found = verdict("check", [1e-9, 1e-8, 2e-6], None, 1e-6)
    assert found.reason == "2 of 3 replicates lie in (-∞, 1e-06]" and math.isnan(found.p)
    assert (found.interval.low, found.interval.high, found.interval.n) == (1e-9, 2e-6, 3)


def test_an_event_is_judged_by_count():
    assert verdict("event", [1, 1, 1, 1, 1], None, 1).word == "replicated"
    assert verdict("event", [2, 3, 2, 2, 5], None, 1).word == "contradicted"
    mixed = verdict("event", [1, 1, 1, 1, 2], None, 1)
    assert mixed.word == "inconclusive" and mixed.reason == "4 of 5 replicates lie in (-∞, 1]"
    assert (mixed.interval.low, mixed.interval.high) == (1, 2)
    assert verdict("event", [1] * 5, None, 1).p == pytest.approx(1 / 32)
    assert mixed.p == pytest.approx(6 / 32)
    assert not verdict("event", [1] * 5, None, 1).close


# -- p-values, and what is close


def test_p_values_agree_with_scipys_tests():
    greater, less = (
        stats.ttest_1samp(CLOSE_BY, bound, alternative=side).pvalue for bound, side in ((0.6, "greater"), (0.7, "less"))
    )
    assert verdict("real", CLOSE_BY, 0.6, None).p == pytest.approx(greater)
    assert verdict("real", CLOSE_BY, 0.6, 0.7).p == pytest.approx(max(greater, less)), "both bounds must be passed"
    outside = stats.ttest_1samp(CLOSE_BY, 0.5, alternative="greater").pvalue
    assert verdict("real", CLOSE_BY, 0.1, 0.5).p == pytest.approx(outside), "and either one left"
    assert verdict("real", [1.0] * 5, 0, None).p == verdict("real", [1.0] * 5, 2, None).p == pytest.approx(1 / 32)


@pytest.mark.parametrize("bounds", [(0.6, None), (None, 0.7), (0.6, 0.7), (0.65, 0.69), (None, 0.655), (0.7, 0.8), (0.1, 0.6)])
@pytest.mark.parametrize("kind", ["real", "positive"])
def test_a_word_is_given_exactly_where_its_p_value_allows_it(kind, bounds):
    found = verdict(kind, CLOSE_BY, *bounds)
    assert (found.word != "inconclusive") == (found.p <= 0.05)


def test_a_verdict_within_one_width_of_a_bound_is_close():
    # the interval is [0.6449, 0.6751], 0.0301 wide
    for bound, close in ((0.62, True), (0.61, False)):
        assert verdict("real", CLOSE_BY, bound, None).close == close
    for bound, close in ((0.70, True), (0.71, False)):
        assert verdict("real", CLOSE_BY, bound, None).word == "contradicted"
        assert verdict("real", CLOSE_BY, bound, None).close == close
    assert verdict("real", CLOSE_BY, 0.1, 0.70).close
    assert not verdict("real", CLOSE_BY, 0.65, None).close, "it is inconclusive"


def test_survivors_are_benjamini_and_hochbergs():
    # of 4 tests the k-th smallest p-value must not exceed k/4 of 5 %: 0.0125, 0.025, 0.0375, 0.05
    assert survivors([0.04, 0.01, 0.02, 0.9]) == [False, True, True, False]
    assert survivors([0.04, 0.03, 0.049, 0.045]) == [True] * 4, "the largest that passes takes the smaller ones along"
    assert survivors([0.03, 0.9]) == [False, False] and survivors([]) == []


# -- floors


def test_a_comparison_at_its_floor_is_too_coarse_whatever_it_says():
    ratios = [0.5, 0.52, 0.51, 0.49, 0.5]
    clear, noise = [0.3, 0.4, 0.35, 0.3, 0.33], [0.1, -0.1, 0.05, -0.05, 0.02]
    assert verdict("positive", ratios, None, 1, excess=clear).word == "replicated"
    for excess in (noise, [-x for x in clear], [0.3, 0.3, 0.3, 0.3, math.nan]):
        found = verdict("positive", ratios, None, 1, excess=excess)
        assert found.word == "inconclusive" and found.reason.startswith(COARSE) and math.isnan(found.p)
    assert verdict("event", [1] * 5, None, 1, excess=noise).word == "inconclusive"


# -- promised error rates, on simulated data

RUNS = 1000
THREE_ERRORS = 3 * math.sqrt(0.05 * 0.95 / RUNS)


def share(word, kind, values, low, high):
    return np.mean([verdict(kind, line, low, high).word == word for line in values])


@pytest.fixture(scope="module")
def normal():
    return np.random.default_rng(7).normal(size=(RUNS, REPLICATES))


@pytest.mark.parametrize("kind", ["real", "positive"])
def test_at_the_bound_false_verdicts_are_as_rare_as_promised(normal, kind):
    values, bound = (normal, 0.0) if kind == "real" else (np.exp(0.3 * normal), 1.0)
    for word, bounds in (("replicated", (bound, None)), ("contradicted", (None, bound)), ("replicated", (None, bound))):
        found = share(word, kind, values, *bounds)
        assert found == pytest.approx(0.05, abs=THREE_ERRORS)


def test_a_range_as_narrow_as_the_spread_is_not_replicated_by_chance(normal):
    assert share("replicated", "real", normal, 0.0, 1.0) <= 0.05 + THREE_ERRORS


def test_power_at_two_spreads(normal):
    assert share("replicated", "real", normal + 2, 0.0, None) >= 0.85
    assert share("contradicted", "real", normal - 2, 0.0, None) >= 0.85
    assert share("replicated", "positive", np.exp(0.3 * (normal - 2)), None, 1.0) >= 0.85


def test_events_as_likely_as_not_are_rarely_replicated():
    coins = np.random.default_rng(8).integers(0, 2, (RUNS, REPLICATES))
    found = share("replicated", "event", coins, 1, None)
    assert found == pytest.approx(1 / 32, abs=THREE_ERRORS) and found <= 0.05
    assert share("contradicted", "event", coins, 1, None) <= 0.05


def test_most_survivors_are_true(normal):
    """Nine of ten claims sit at their bound; of what survives, no more than about one in twenty may be one of them."""
    truth = np.arange(RUNS) % 10 == 0
    p_values = [verdict("real", line + 3 * true, 0.0, None).p for line, true in zip(normal, truth)]
    alive = np.array(survivors(p_values))
    assert np.mean(~truth[alive]) <= 0.08 and np.mean(alive[truth]) > 0.5
