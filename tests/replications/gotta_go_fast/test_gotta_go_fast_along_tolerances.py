"""Statistics along tolerances, on tables whose answer is known."""

import math

import pandas as pd
import pytest

from common.measure.rows import rows
from common.measure.statistics import MissingRows
from common.runs.folders import COLUMNS
from replications.gotta_go_fast import along_tolerances as along

TOLERANCES = (0.1, 0.01, 0.02)  # in an order of their own
ERROR, OTHER = (rows("toy", dataset="vp", metric=metric) for metric in ("error", "noise"))
COST = rows("toy", dataset="vp", metric="nfe_max", axis="tolerance")


def row(method, value, at=math.nan, *, nfe=math.nan, floor=math.nan, metric="error", dataset="vp"):
    axis = "" if math.isnan(at) else "tolerance"
    labels = {"method": method, "axis": axis, "at": at, "metric": metric, "dataset": dataset}
    return {**labels, "value": value, "nfe": nfe, "floor": floor}


def table(*measured):
    """Return the rows of two seeds, among the same of another data set and metric."""
    others = [each | {key: "another", "value": 0.001} for each in measured for key in ("metric", "dataset")]
    defaults = dict.fromkeys(COLUMNS, "") | {"experiment": "toy", "status": "ok"}
    return pd.DataFrame([{**defaults, **each, "seed": seed} for seed in (0, 1) for each in (*measured, *others)])


def of(method, numbers, **more):
    return [row(method, number, at, **more) for at, number in numbers.items()]


def both(found):
    assert found.index.tolist() == [0, 1] and found.iloc[0] == found.iloc[1]
    return found.iloc[0]


def test_values_stand_under_their_tolerances():
    metrics = table(*of("ggf", {0.01: 1.0, 0.02: 2.0, 0.1: 3.0}), *of("other", {0.01: 9.0, 0.02: 9.0, 0.1: 9.0}))
    found = along.values(ERROR, "ggf", TOLERANCES, metrics)
    assert found.columns.tolist() == list(TOLERANCES) and found.to_numpy().tolist() == [[3.0, 1.0, 2.0]] * 2
    with pytest.raises(MissingRows):
        along.values(ERROR, "ggf", (0.01, 0.05), metrics)


def test_ratios_at_each_tolerance():
    metrics = table(*of("a", {0.1: 6.0, 0.01: 2.0, 0.02: 8.0}), *of("b", {0.1: 2.0, 0.01: 4.0, 0.02: 1.0}))
    assert both(along.ratios(ERROR, "a", "b", TOLERANCES)(metrics)) == 0.5
    assert both(along.ratios(ERROR, "a", "b", TOLERANCES, "largest")(metrics)) == 8
    assert both(along.ratios(ERROR, "a", "b", TOLERANCES, "geometric_mean")(metrics)) == pytest.approx(12 ** (1 / 3))


@pytest.mark.parametrize(("a", "found"), [((1.0, 1.25, 0.5), 0.5), ((1.0, 1.75, 0.5), 1.75), ((0.75, 1.0, 1.125), 0.75)])
def test_the_ratio_that_is_furthest_from_one_on_either_side(a, found):
    metrics = table(*of("a", dict(zip(TOLERANCES, (4 * each for each in a)))), *of("b", dict.fromkeys(TOLERANCES, 4.0)))
    assert both(along.furthest_ratio(ERROR, "a", "b", TOLERANCES)(metrics)) == found


def test_powers_of_the_tolerance():
    a, b = ({at: 3 * at**power for at in TOLERANCES} for power in (-0.6, 0.25))
    metrics = table(*of("a", a), *of("b", b))
    assert along.slope(ERROR, "a", TOLERANCES)(metrics).tolist() == pytest.approx([-0.6] * 2)
    assert along.slope(ERROR, "a", TOLERANCES, "b")(metrics).tolist() == pytest.approx([-0.85] * 2)


def test_evaluations_stand_beside_the_rows():
    metrics = table(row("a", 1.0, nfe=300), row("b", 2.0, nfe=100), row("a", 1.0, 0.1, nfe=20))
    assert both(along.evaluations(ERROR.also(axis=""), "a", metrics)) == 300


@pytest.mark.parametrize(
    ("floor", "error", "good"),
    [(0.5, 4.4, True), (0.5, 4.6, False), (0.5, 0.1, True), (2.0, 5.9, True), (2.0, 6.1, False)],
)
def test_as_good_is_a_tenth_more_or_three_floors_of_the_rival(floor, error, good):
    """The rival has 4: a tenth more is 4.4, and three floors are 1.5 or 6."""
    solver = of("ggf", {0.1: error, 0.01: 0.0, 0.02: 99.0}, floor=50.0)
    metrics = table(*solver, row("rival", 4.0, floor=floor), row("rival", 99.0, 0.1, floor=99.0))
    found = along.as_good(ERROR, "ggf", "rival", TOLERANCES, metrics, 1.1001)
    assert found.to_numpy().tolist() == [[good, True, False]] * 2


def test_the_error_of_what_was_given_up_is_worse_than_any():
    measured = table(
        row("a", 4.0, 0.1), row("b", math.nan, 0.1) | {"status": "refused"}, row("c", 2.0, 0.1) | {"status": "failed"}
    )
    found = along.given_up(measured)
    assert both(ERROR.per_seed(found, "b")) == math.inf and both(ERROR.per_seed(found, "a")) == 4
    with pytest.raises(MissingRows):
        ERROR.per_seed(found, "c")
    assert (measured["status"] == "refused").any(), "the table itself is left as it is"


def saved(errors, noises, *, most=(1.25, 2.0), nfe=None):
    """A rival of errors 4 and 10 and of 120 evaluations; the solver's are given at 0.1, 0.01 and 0.02."""
    spent = dict(zip(TOLERANCES, nfe or (20.0, 80.0, 40.0)))
    parts = [of("ggf", dict(zip(TOLERANCES, errors)), nfe=7.0), of("ggf", dict(zip(TOLERANCES, noises)), metric="noise", nfe=7.0)]
    parts += [of("ggf", spent, metric="nfe_max", nfe=7.0), of("euler", dict.fromkeys(TOLERANCES, 1.0), metric="nfe_max")]
    parts.append([row("rival", 4.0, nfe=120, floor=0.1), row("rival", 10.0, nfe=120, floor=0.1, metric="noise")])
    metrics = table(*(each for part in parts for each in part))
    return both(along.saving(list(zip((ERROR, OTHER), most)), COST, TOLERANCES, "rival")(metrics))


@pytest.mark.parametrize(
    ("errors", "noises", "found"),
    [
        ((5.0, 4.0, 5.0), (20.0, 10.0, 20.0), 6.0),  # as good as may be, everywhere
        ((5.1, 4.0, 5.0), (20.0, 10.0, 20.0), 3.0),  # one measure alone is too much
        ((5.0, 4.0, 5.0), (20.1, 10.0, 20.0), 3.0),  # and the other
        ((5.1, 4.0, 5.0), (20.0, 10.0, 20.1), 1.5),
        ((5.1, 4.0, 5.1), (20.0, 20.1, 20.0), 1.0),  # never as good by both
    ],
)
def test_what_is_saved_at_no_loss_by_any_measure(errors, noises, found):
    assert saved(errors, noises) == found


def test_more_evaluations_than_the_rival_are_no_saving():
    assert saved((9.0, 4.0, 9.0), (10.0, 10.0, 10.0), nfe=(20.0, 240.0, 40.0)) == 0.5


def test_what_is_made_of_the_rows_says_so():
    said = [
        along.ratios(ERROR, "a", "b", (0.1, 0.02)).__doc__,
        along.furthest_ratio(ERROR, "a", "b", (0.1, 0.02)).__doc__,
        along.slope(ERROR, "a", (0.1, 0.02), "b").__doc__,
    ]
    assert all("a" in text and "b" in text and "0.02" in text for text in said)
    assert "over" not in (along.slope(ERROR, "a", (0.1,)).__doc__ or "").partition("over tolerances")[0]
    text = along.saving([(ERROR, 1.1), (OTHER, 1.25)], COST, (0.1,), "rival").__doc__
    assert "metric=error (up to 1.1 times)" in text and "metric=noise (up to 1.25 times)" in text and "rival" in text
