"""Tolerance, scaled error and next step against values computed by hand."""

import math

import pytest
import torch

from common.errors import SolverError
from replications.gotta_go_fast.step_size import Control, next_step, scaled_error, tolerance

F64 = torch.float64


def rows(*values):
    return torch.tensor(values, dtype=F64)


@pytest.mark.parametrize(
    ("previous", "expected"),
    [("compared", [0.3, 0.6, 0.05]), ("state", [0.2, 0.5, 0.9]), ("none", [0.2, 0.1, 0.05])],
)
def test_the_tolerance_is_the_larger_of_absolute_and_relative(previous, expected):
    compared, before, state = rows([-2.0, 1.0, 0.1]), rows([3.0, -6.0, 0.2]), rows([0.0, -5.0, 9.0])
    found = tolerance(Control(0.1, 0.05, previous=previous), compared, before, state)
    torch.testing.assert_close(found, rows(expected))


def test_the_scaled_error_is_per_sample_and_by_component():
    error, delta = rows([[0.3, -0.4], [0.0, 0.0]], [[-2.0, 1.0], [1.0, 0.0]]), rows([[0.1, 0.1], [1.0, 1.0]], [[1.0, 0.5]] * 2)
    rms = scaled_error(Control(0.1, 0.1), error, delta)
    torch.testing.assert_close(rms, rows(math.sqrt((9 + 16) / 4), math.sqrt((4 + 4 + 1) / 4)))
    torch.testing.assert_close(scaled_error(Control(0.1, 0.1, norm="max"), error, delta), rows(4.0, 2.0))
    assert scaled_error(Control(0.1, 0.1), error.float(), delta.float()).dtype == F64


def test_the_next_step():
    control = Control(0.1, 0.1, safety=0.8, power=0.5)
    scaled, left = rows(4.0, 0.25, 0.25, 0.0), rows(9.0, 9.0, 0.02, 9.0)
    found = next_step(control, rows(0.1, 0.1, 0.1, 0.1), scaled, left, 1e-6)
    torch.testing.assert_close(found, rows(0.8 * 0.1 / 2, 0.8 * 0.1 * 2, 0.02, 9.0))
    assert Control(0.1, 0.1).safety == Control(0.1, 0.1).power == 0.9, "the published ones"


def test_nothing_shorter_than_the_least_remains():
    control, left = Control(0.1, 0.1, safety=1.0), rows(0.1 + 0.9e-6, 0.1 + 1.1e-6)
    torch.testing.assert_close(
        next_step(control, rows(0.1, 0.1), rows(1.0, 1.0), left, 1e-6), rows(0.1 + 0.9e-6, 0.1), rtol=1e-12, atol=0
    )


def test_what_is_no_number_gives_no_step():
    found = next_step(Control(0.1, 0.1), rows(0.1, 0.1), rows(math.nan, math.inf), rows(1.0, 1.0), 1e-6)
    assert found[0].isnan() and found[1] == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"atol": 0.0}, "atol must be above 0; got 0"),
        ({"rtol": -0.1}, "rtol must not be negative"),
        ({"rtol": math.nan}, "rtol must not be negative; got nan"),
        ({"safety": 0.0}, "safety must be above 0"),
        ({"power": -1.0}, "power must be above 0"),
        ({"norm": "l2"}, "no norm 'l2'; choose one of rms, max"),
        ({"previous": "lower"}, "no previous 'lower'; choose one of compared, state, none"),
    ],
)
def test_impossible_values_are_named(wrong, message):
    with pytest.raises(SolverError, match=message):
        Control(**{"rtol": 0.1, "atol": 0.1, **wrong}).checked()
