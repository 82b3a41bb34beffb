"""Cells of tables: the right rows, in the right order, as many digits as they deserve."""

import pandas as pd

from common.measure.table_cells import in_order, pivot

ROWS = pd.DataFrame(
    [("b", "x", "nll", 1.0), ("b", "x", "nll", 3.0), ("a", "y", "nll", 5.0), ("a", "x", "size", 62715), ("a", "x", "other", 7)],
    columns=["dataset", "method", "metric", "value"],
)


def test_rows_go_by_data_set_and_then_by_the_order_of_methods():
    ordered = in_order(ROWS, ["y", "x"])
    assert [*zip(ordered.dataset, ordered.method)] == [("a", "y"), ("a", "x"), ("a", "x"), ("b", "x"), ("b", "x")]


def test_cells_are_means_and_deviations_or_all_digits_and_a_dash_where_there_is_nothing():
    frame = pivot(ROWS, ["method"], {"nll": "NLL", "size": "size", "absent": "absent"}, {"size": "{:,.0f}"})
    assert frame.to_dict("list") == {
        "dataset": ["b", "a", "a"],
        "method": ["x", "y", "x"],
        "NLL": ["2 ± 1.4", "5", "–"],
        "size": ["–", "–", "62,715"],
    }


def test_without_data_sets_there_is_no_column_of_them_and_without_rows_no_line():
    assert [*pivot(ROWS.assign(dataset=""), ["method"], {"nll": "NLL"})] == ["method", "NLL"]
    assert len(pivot(ROWS, ["method"], {"absent": "absent"})) == 0
