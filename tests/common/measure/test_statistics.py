import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from common.errors import RetraceError
from common.measure.statistics import (
    Interval,
    MissingRows,
    curve,
    difference,
    interval,
    log_slope,
    per_seed,
    rank_of,
    ratio,
    verdict,
)
from common.runs.folders import COLUMNS


def table(*rows: dict) -> pd.DataFrame:
    blank = dict.fromkeys(COLUMNS, "") | {"nfe": math.nan, "status": "ok", "metric": "nll", "method": "fm_ot"}
    return pd.DataFrame([blank | row for row in rows], columns=COLUMNS)


def seeds(*values: float, first: int = 0) -> pd.Series:
    return pd.Series(values, index=range(first, first + len(values)))


# -- intervals


def test_interval_of_three_numbers_by_hand():
    # mean 2, s = 1, t_{0.975, 2} = 4.302653
    found = interval([1, 2, 3])
    assert found.mean == 2 and found.n == 3
    assert found.high - 2 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert 2 - found.low == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)


def test_interval_agrees_with_scipy_at_another_confidence():
    x = np.random.default_rng(0).normal(3.0, 2.0, 7)
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.8)
    found = interval(x, 0.8)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_interval_covers_the_truth_as_often_as_it_says():
    x = np.random.default_rng(1).normal(5.0, 1.0, (2000, 4))
    covered = [found.low <= 5 <= found.high for found in map(interval, x)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)  # three standard errors


def test_degenerate_intervals():
    assert interval([0.1, 0.1, 0.1]) == Interval(0.1, 0.1, 0.1, 3)
    for values, n in (([4.0], 1), ([1.0, math.nan, 2.0], 3), ([1.0, math.inf], 2), ([], 0)):
        found = interval(values)
        assert math.isnan(found.low) and math.isnan(found.high) and found.n == n
    assert interval([4.0]).mean == 4.0
    with pytest.raises(RetraceError, match="confidence = 95"):
        interval([1.0, 2.0], 95.0)


# -- verdicts


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.5, 0.8, "replicated"),
        (None, 0.8, "replicated"),
        (0.5, None, "replicated"),
        (None, None, "replicated"),
        (0.8, None, "contradicted"),
        (None, 0.5, "contradicted"),
        (0.8, 0.9, "contradicted"),
        (0.66, 0.8, "inconclusive"),
        (None, 0.66, "inconclusive"),
        (0.655, 0.665, "inconclusive"),
    ],
)
def test_words(low, high, word):
    assert verdict([0.64, 0.66, 0.68], low, high).word == word


def test_bounds_are_inclusive():
    assert verdict([1, 1, 1], None, 1.0).word == "replicated"
    assert verdict([1, 1, 1], 1.0, 1.0).word == "replicated"
    assert verdict([1, 1, 1], 1.0 + 1e-9, None).word == "contradicted"
    found = interval([0.64, 0.66, 0.68])
    assert verdict([0.64, 0.66, 0.68], found.low, found.high).word == "replicated"
    assert verdict([0.64, 0.66, 0.68], None, found.low).word == "inconclusive", "it touches the range"


def test_reasons_give_the_numbers():
    values = [0.64, 0.66, 0.68]
    assert verdict(values, 0, 1).reason == "95% interval [0.6103, 0.7097] lies in [0, 1]"
    assert verdict(values, None, 0.5).reason == "95% interval [0.6103, 0.7097] lies outside (-∞, 0.5]"
    assert verdict(values, 0.65, None).reason == "95% interval [0.6103, 0.7097] lies partly in [0.65, ∞)"


def test_fewer_than_three_seeds():
    assert verdict([], 0, 1).reason == "0 seeds; at least 3 are needed"
    assert verdict([0.5], 0, 1).reason == "1 seed; at least 3 are needed"
    two = verdict([0.5, 0.5], 0, 1)
    assert two.word == "inconclusive" and two.reason == "2 seeds; at least 3 are needed" and two.interval.mean == 0.5


def test_one_seed_is_judged_as_a_point_where_that_is_allowed():
    inside = verdict([0.5], 0, 1, one_seed_ok=True)
    assert inside.word == "replicated" and inside.reason == "one seed: 0.5 lies in [0, 1]" and inside.interval.n == 1
    assert verdict([1.5], 0, 1, one_seed_ok=True).word == "contradicted"
    assert verdict([], 0, 1, one_seed_ok=True).reason == "0 seeds; at least 3 are needed"
    # with two, their spread counts: t with one degree of freedom is wide
    assert verdict([0.4, 0.6], 0, 1, one_seed_ok=True).word == "inconclusive"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite(bad):
    for values in ([0.5, 0.5, bad], [bad]):
        found = verdict(values, None, None, one_seed_ok=True)
        assert found.word == "inconclusive" and found.reason.startswith("not finite: 1 of")


def test_an_empty_range_is_an_error():
    with pytest.raises(RetraceError, match=r"range \[1, 0\] is empty"):
        verdict([0.5] * 3, 1, 0)


# -- rows


def test_per_seed_selects_and_sorts():
    metrics = table(
        {"seed": 1, "value": 4.0},
        {"seed": 0, "value": 3.0},
        {"seed": 0, "value": 9.0, "method": "fm_vp"},
        {"seed": 2, "value": 9.0, "status": "failed"},
    )
    found = per_seed(metrics, metric="nll", method="fm_ot")
    assert found.to_dict() == {0: 3.0, 1: 4.0} and list(found.index) == [0, 1]
    assert found.dtype == np.float64 and found.index.name == "seed"


def test_per_seed_compares_numbers_and_empty_cells(tmp_path):
    table({"seed": 0, "value": 3.0, "nfe": 8}, {"seed": 0, "value": 4.0, "nfe": 16, "variant": "a"}).to_csv(
        tmp_path / "metrics.csv", index=False
    )
    metrics = pd.read_csv(tmp_path / "metrics.csv")
    assert per_seed(metrics, nfe=8).to_dict() == per_seed(metrics, variant="").to_dict() == {0: 3.0}


def test_missing_rows_name_the_conditions():
    metrics = table({"seed": 0, "value": 3.0}, {"seed": 1, "value": 3.0, "method": "fm_vp", "status": "failed"})
    with pytest.raises(MissingRows, match=r"no finished run has metric = 'nll', method = 'score'$"):
        per_seed(metrics, metric="nll", method="score")
    with pytest.raises(MissingRows, match=r"method = 'fm_vp' \(1 failed\)"):
        per_seed(metrics, method="fm_vp")
    with pytest.raises(MissingRows):
        per_seed(table(), metric="nll")
    with pytest.raises(RetraceError, match="no column 'objective'"):
        per_seed(metrics, objective="fm_ot")


def test_clashing_rows_say_in_what_they_differ():
    metrics = table(*({"seed": 3, "value": 1.0, "variant": f"K={k}", "dataset": "digits"} for k in (1, 5)))
    with pytest.raises(RetraceError, match=r"2 rows of seed 3 have metric = 'nll'; they differ in variant: K=1, K=5\. Add"):
        per_seed(metrics, metric="nll")
    with pytest.raises(RetraceError, match="in the table twice"):
        per_seed(table({"seed": 0, "value": 1.0}, {"seed": 0, "value": 1.0}))


def test_comparisons_pair_the_seeds_that_both_have():
    a, b = seeds(2.0, 6.0, 12.0), seeds(3.0, 4.0, 5.0, first=1)
    assert ratio(a, b).to_dict() == {1: 2.0, 2: 3.0}
    assert difference(a, b).to_dict() == {1: 3.0, 2: 8.0}
    with pytest.raises(MissingRows, match="seeds of a: 0; b: 5"):
        ratio(seeds(1.0), seeds(1.0, first=5))


def test_rank_is_one_for_the_smallest_and_shared_by_ties():
    values = {"a": seeds(1.0, 2.0, 3.0), "b": seeds(2.0, 2.0, 1.0), "c": seeds(3.0, 1.0, 2.0)}
    assert rank_of("a", values).to_list() == [1, 2, 3]
    assert rank_of("b", values).to_list() == [2, 2, 1]


def test_log_slope_finds_the_order_of_a_power_law():
    rows = [{"seed": s, "nfe": n, "value": (s + 1) * n**-2.0, "metric": "error"} for n in (16, 4, 8) for s in (0, 1)]
    errors = curve(table(*rows), "nfe", metric="error")
    assert list(errors.columns) == [4, 8, 16]
    assert log_slope(errors.columns, errors).to_list() == pytest.approx([-2, -2])
    assert log_slope([4, 8, 16], errors).to_list() == pytest.approx([-2, -2])
    assert log_slope(errors, errors**3).to_list() == pytest.approx([3, 3])
    assert log_slope(errors.columns, errors - errors.max().max()).isna().all()


def test_log_slope_is_the_least_squares_one():
    y = pd.DataFrame([[1.0, 5.0, 2.0, 9.0]], columns=[1, 2, 4, 9])
    expected = np.polyfit(np.log([1, 2, 4, 9]), np.log([1, 5, 2, 9]), 1)[0]
    assert log_slope(y.columns, y).item() == pytest.approx(expected)


def test_a_curve_leaves_out_seeds_that_lack_a_point():
    metrics = table(*({"seed": s, "nfe": n, "value": 1.0} for s, n in [(0, 4), (0, 8), (1, 4)]))
    assert list(curve(metrics, "nfe", metric="nll").index) == [0]
    with pytest.raises(MissingRows, match="a value of nfe"):
        curve(metrics, "nfe", metric="fid")
    with pytest.raises(MissingRows, match="at least two points"):
        log_slope([4], curve(metrics[metrics.nfe == 4], "nfe", metric="nll"))
