import math

import numpy as np
import pandas as pd
import pytest

from common.errors import RetraceError
from common.measure.statistics import MissingRows, curve, difference, furthest, log_slope, paired, per_seed, rank_of, ratio
from common.runs.folders import COLUMNS


def table(*rows: dict) -> pd.DataFrame:
    blank = dict.fromkeys(COLUMNS, "") | {"nfe": math.nan, "status": "ok", "metric": "nll", "method": "fm_ot"}
    return pd.DataFrame([blank | row for row in rows], columns=COLUMNS)


def seeds(*values: float, first: int = 0) -> pd.Series:
    return pd.Series(values, index=range(first, first + len(values)))


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


def test_the_furthest_from_a_wanted_value_keeps_its_sign():
    columns = pd.DataFrame({"a": [-1.5, -1.0, 3.0], "b": [-0.9, 1.5, 2.0]}, index=[3, 5, 8])
    assert furthest(columns, -1.0).to_dict() == {3: -1.5, 5: 1.5, 8: 3.0}
    assert furthest(columns, 2.9).to_dict() == {3: -1.5, 5: -1.0, 8: 2.0}
    assert furthest(columns[["b"]], 2.0).to_list() == [-0.9, 1.5, 2.0]


def test_of_two_that_are_as_far_the_first_counts_and_what_is_unknown_stays_unknown():
    assert furthest(pd.DataFrame({"a": [0.5], "b": [1.5]}), 1.0).item() == 0.5
    assert furthest(pd.DataFrame({"a": [1.5], "b": [0.5]}), 1.0).item() == 1.5
    for cells in ({"a": [math.nan], "b": [9.0]}, {"a": [9.0], "b": [math.nan]}, {"a": [math.nan], "b": [math.nan]}):
        assert furthest(pd.DataFrame(cells), 1.0).isna().all()
    assert furthest(pd.DataFrame({"a": [9.0], "b": [-math.inf]}), 1.0).item() == -math.inf


def test_nothing_to_compare_is_nothing_measured():
    with pytest.raises(MissingRows, match="no finished run has any of what is compared"):
        paired({})


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
