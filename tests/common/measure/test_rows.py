"""The vocabulary of statistics, on small tables whose answers are known."""

import math

import numpy as np
import pandas as pd
import pytest

from common.measure.rows import combined, over, rows
from common.measure.statistics import MissingRows


def table(*cells, experiment="look"):
    """Cells are (method, value, seed) and, where they matter, more columns."""
    shared = {"experiment": experiment, "metric": "m", "dataset": "d", "variant": "", "at": math.nan, "status": "ok"}
    frame = [{**shared, "method": m, "value": v, "seed": s, **(more[0] if more else {})} for m, v, s, *more in cells]
    return pd.DataFrame(frame).assign(paper="flow_matching", level="laptop")


LOOK = rows("look", metric="m")


def test_methods_are_paired_by_seed():
    found = table(("a", 6.0, 0), ("b", 2.0, 0), ("a", 9.0, 1), ("b", 3.0, 1), ("a", 5.0, 2))
    assert LOOK.value("a")(found).to_dict() == {0: 6, 1: 9, 2: 5}
    assert LOOK.ratio("a", "b")(found).to_dict() == {0: 3, 1: 3}
    assert LOOK.difference("a", "b")(found).to_dict() == {0: 4, 1: 6}
    assert LOOK.rank("a", ("a", "b"))(found).to_dict() == {0: 2, 1: 2}


def test_of_several_methods_the_best_of_each_seed_counts():
    found = table(("a", 6.0, 0), ("b", 2.0, 0), ("c", 3.0, 0), ("a", 8.0, 1), ("b", 9.0, 1), ("c", 4.0, 1))
    assert LOOK.ratio("a", ("b", "c"))(found).to_dict() == {0: 3, 1: 2}


def test_operands_may_differ_in_any_column():
    few, many = {"at": 30}, {"at": 100}
    found = table(("a", 6.0, 0, few), ("a", 2.0, 0, many), ("b", 9.0, 0, few))
    assert LOOK.also(method="a").ratio(few, many)(found).to_dict() == {0: 3}


def test_cells_are_compared_one_by_one_and_then_reduced():
    """The ratio of every cell, not of the means."""
    cells = [("a", 1.0, 0, {"at": 8}), ("b", 2.0, 0, {"at": 8}), ("a", 1.0, 0, {"at": 16}), ("b", 8.0, 0, {"at": 16})]
    found = table(*cells)
    assert LOOK.ratio("a", "b", each=("at",))(found)[0] == pytest.approx(0.25)
    assert LOOK.ratio("a", "b", each=("at",), by="largest")(found)[0] == 0.5
    assert LOOK.difference("b", "a", each=("variant", "at"), by="smallest")(found)[0] == 1
    assert LOOK.difference("b", "a", each=("at",), by="mean")(found)[0] == 4
    with pytest.raises(MissingRows):
        LOOK.ratio("a", "b", each=("at",))(table(*cells[:-1]))


def test_words_for_the_ends_of_the_axis_and_the_first_data_set():
    found = table(*(("a", float(k), 0, {"at": k}) for k in (1, 5, 20)))
    assert [LOOK.also(at=end).value("a")(found)[0] for end in ("smallest", "largest")] == [1, 20]
    judged = table(("fm_ot", 7.0, 0, {"dataset": "other"}), ("fm_ot", 3.0, 0, {"dataset": "digits"}), experiment="table1")
    assert rows("table1", dataset="first", metric="m").value("fm_ot")(judged)[0] == 3


def test_a_power_law_has_its_power():
    found = table(*(("a", 5 * k**-0.5, 0, {"at": k}) for k in (4, 16, 64)))
    assert LOOK.log_slope("a")(found)[0] == pytest.approx(-0.5)
    assert LOOK.along(found, "a").columns.tolist() == [4, 16, 64]


def test_of_several_powers_the_one_furthest_from_the_wanted_one_counts():
    """Of each combination of the columns, by seed, and with its sign."""
    laws = {("d", ""): (-1.2, -1.0), ("d", "mean"): (-0.5, -1.1), ("e", ""): (-1.3, 2.0)}
    cells = [
        ("a", 5 * k**power, seed, {"dataset": dataset, "variant": variant, "at": k})
        for (dataset, variant), powers in laws.items()
        for seed, power in enumerate(powers)
        for k in (4, 16, 64)
    ]
    found = table(*cells)
    slope = LOOK.log_slope("a", each=("dataset", "variant"), wanted=-1.0)
    assert slope(found).to_list() == pytest.approx([-0.5, 2.0])
    assert LOOK.also(dataset="d").log_slope("a", each=("variant",))(found).to_list() == pytest.approx([-1.2, -1.1])
    lacking = table(*(cell for cell in cells if cell[2] == 0 or cell[3]["dataset"] == "d"))
    assert slope(lacking).to_dict() == {0: pytest.approx(-0.5)}, "a seed that lacks one of them is left out"
    assert slope.__doc__ == "look metric=m a: log-log slope along its axis, furthest from -1 over dataset and variant"


def test_the_combinations_that_columns_have():
    found = table(("b", 1.0, 0), ("a", 1.0, 0, {"at": 8}), ("a", 1.0, 1, {"at": 8}), ("a", 1.0, 0, {"at": 4}))
    assert LOOK.also(method="a").cells(found, ("method", "at")) == [{"method": "a", "at": 4}, {"method": "a", "at": 8}]
    assert LOOK.cells(found, ("method",)) == [{"method": "a"}, {"method": "b"}]
    with pytest.raises(MissingRows, match="look metric=m method=c"):
        LOOK.also(method="c").log_slope(each=("variant",))(found)


def test_several_statistics_are_reduced_seed_by_seed():
    found = table(("a", 6.0, 0), ("b", 2.0, 0), ("a", 1.0, 1), ("b", 3.0, 1))
    worst = over("largest", LOOK.value("a"), LOOK.value("b"))
    assert worst(found).to_dict() == {0: 6, 1: 3}


def test_what_is_unknown_stays_unknown():
    cells = pd.DataFrame({"x": [1.0, 4.0], "y": [np.nan, 9.0]})
    for by in ("largest", "smallest", "mean", "geometric_mean"):
        assert math.isnan(combined(cells, by)[0])
    assert combined(cells, "geometric_mean")[1] == pytest.approx(6)


def test_what_was_not_measured_is_named():
    found = table(("a", 6.0, 0), ("b", 2.0, 0, {"status": "refused"}))
    with pytest.raises(MissingRows, match="experiment = 'look', metric = 'm', method = 'b'"):
        LOOK.ratio("a", "b")(found)
    with pytest.raises(MissingRows):
        rows("elsewhere").value()(found)


def test_a_comparison_carries_what_exceeds_the_floor():
    """The larger operand over the larger floor; of several cells the least clear one."""
    cells = [("a", 6.0, 0, {"at": 8, "floor": 1.0}), ("b", 2.0, 0, {"at": 8, "floor": 1.5})]
    found = LOOK.ratio("a", "b")(table(*cells))
    assert found.to_dict("list") == {"value": [3.0], "excess": [4.5]}
    assert LOOK.difference("b", "a")(table(*cells)).to_dict("list") == {"value": [-4.0], "excess": [4.5]}
    cells += [("a", 3.0, 0, {"at": 16, "floor": 2.0}), ("b", 2.0, 0, {"at": 16, "floor": 2.0})]
    several = LOOK.ratio("a", "b", each=("at",), by="largest")
    assert several(table(*cells)).to_dict("list") == {"value": [3.0], "excess": [1.0]}
    both = over("largest", several, LOOK.also(at=16).difference("a", "b"))
    assert both(table(*cells)).to_dict("list") == {"value": [3.0], "excess": [1.0]}


def test_rows_without_a_floor_are_compared_without_one():
    cells = table(("a", 6.0, 0), ("b", 2.0, 0))
    assert LOOK.ratio("a", "b")(cells).to_dict() == LOOK.ratio("a", "b")(cells.assign(floor=math.nan)).to_dict() == {0: 3.0}


def test_every_statistic_says_what_it_is():
    assert (
        LOOK.ratio("a", ("b", "c"), each=("at",)).__doc__ == "look metric=m: a over the smallest of b, c, geometric mean over at"
    )
    assert LOOK.also(at=3).difference({"variant": "x"}, "b").__doc__ == "look metric=m at=3: variant=x less b"
    assert LOOK.rank("a", ("a", "b")).__doc__ == "look metric=m: rank of a among 2, 1 = smallest"
