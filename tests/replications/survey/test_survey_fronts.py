"""Fronts and choices within a budget, on cells whose answers can be read off."""

import numpy as np
import pandas as pd
import pytest

from replications.survey.fronts import averaged, best_within, cells_of, front, within


def cells(*lines):
    columns = ["method", "at", "seed", "nfe", "value", "each"]
    table = pd.DataFrame(lines, columns=columns)
    return table.assign(dataset="d", variant="m", axis="nfe", floor=0.1)


def test_only_measured_cells_count_and_their_milliseconds_are_of_one_sample():
    rows = pd.DataFrame(
        {
            "metric": ["mmd", "mmd", "mmd", "other"],
            "status": ["ok", "refused", "ok", "ok"],
            "method": ["a", "a", "data", "a"],
            "seconds": [2.0, np.nan, np.nan, 1.0],
            "n": [50, np.nan, 50, 50],
        }
    )
    found = cells_of(rows, "mmd")
    assert list(found.index) == [0] and found.each.tolist() == [40.0]


def test_a_front_falls_with_its_cost():
    table = cells(
        ("a", 5, 0, 5, 3.0, 9), ("b", 5, 0, 5, 2.0, 1), ("a", 9, 0, 9, 2.5, 2), ("b", 20, 0, 20, 1.0, 3), ("c", 20, 0, 20, 2.0, 4)
    )
    assert front(table, "nfe")[["method", "at"]].to_numpy().tolist() == [["b", 5], ["b", 20]]
    assert front(table, "each").method.tolist() == ["b", "b"]
    assert front(table.assign(nfe=np.nan), "nfe").empty


def test_within_a_budget_most_evaluations_count_and_not_the_best():
    table = cells(("a", 5, 0, 5, 1.0, 1), ("a", 20, 0, 19, 2.0, 1), ("a", 50, 0, 49, 0.5, 1), ("b", 50, 0, 49, 0.5, 1))
    assert within(table, 20)[["method", "at"]].to_numpy().tolist() == [["a", 20]]
    assert within(table, 49)[["method", "at"]].to_numpy().tolist() == [["a", 50], ["b", 50]]


def test_the_best_within_a_budget_is_chosen_by_the_mean_over_all_replicates():
    # at 5 evaluations better on average, at 20 in the first replicate; at 10 a replicate is missing
    both = (("a", 5, 0, 5, 2.0, 1), ("a", 5, 1, 5, 2.0, 1), ("a", 20, 0, 20, 1.0, 1), ("a", 20, 1, 20, 9.0, 1))
    # and another sampler, the best of all, has the first replicate alone
    table = cells(*both, ("a", 10, 0, 10, 0.1, 1), ("b", 10, 0, 10, 0.01, 1))
    found = best_within(table, 20)
    assert found["at"].tolist() == [5, 5] and found.seed.tolist() == [0, 1]
    assert best_within(table, 4).empty


def test_means_are_of_all_replicates_that_a_sampler_has():
    table = cells(("a", 5, 0, 5, 2.0, 1), ("a", 5, 1, 7, 4.0, 1), ("a", 20, 0, 20, 1.0, 1), ("own", 20, 0, 20, 1.0, 1))
    found = averaged(table)
    assert found.method.tolist() == ["a", "own"] and found.value.tolist() == [3.0, 1.0] and found.nfe.tolist() == [6, 20]
    assert found.replicates.tolist() == [2, 1]


@pytest.mark.parametrize("budget", [5, 20])
def test_a_sampler_without_a_budget_of_its_own_counts_by_what_it_took(budget):
    table = cells(("own", np.nan, 0, 12, 2.0, 1)).assign(axis="")
    assert len(within(table, budget)) == len(best_within(table, budget)) == (budget == 20)
