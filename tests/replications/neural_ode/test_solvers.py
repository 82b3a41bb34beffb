"""The solvers against the matrix exponential."""

import pytest
import torch
from scipy.linalg import expm

from common.errors import SolverError
from replications.neural_ode.adams import adams
from replications.neural_ode.solvers import adaptive, fixed, step_grid

MATRIX = torch.tensor([[-0.4, 1.0, 0.0], [-1.0, -0.4, 0.5], [0.0, 0.2, 0.1]], dtype=torch.float64)
TIMES = torch.tensor([0.0, 0.5, 2.0], dtype=torch.float64)


def field(t, state):
    return state[0] @ MATRIX.T, -state[1]


def start():
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64), torch.ones(2, dtype=torch.float64)


def truth(time, z):
    return z @ torch.from_numpy(expm(MATRIX.numpy() * time)).T


@pytest.mark.parametrize("name", ["dopri5", "dopri8", "bosh3", "vode", "lsoda"])
def test_adaptive_solvers_reach_the_matrix_exponential_at_every_time(name):
    z, ones = start()
    found, decay = adaptive(name, 1e-8)(field, (z, ones), TIMES)
    assert found.shape == (3, 4, 3)
    for states, time in zip(found, TIMES.tolist()):
        assert torch.allclose(states, truth(time, z), atol=3e-6)
    assert torch.allclose(decay, torch.exp(-TIMES)[:, None].expand(3, 2), atol=3e-6)


@pytest.mark.parametrize("name", ["vode", "lsoda", "dopri5"])
def test_backwards_in_time(name):
    z, ones = start()
    back = adaptive(name, 1e-9)(field, (truth(2.0, z), ones), TIMES.flip(0))[0][-1]
    assert torch.allclose(back, z, atol=1e-5)


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("midpoint", 2), ("rk4", 4)])
def test_fixed_steps_have_their_order(name, order):
    z, ones = start()
    errors = [(fixed(name, steps)(field, (z, ones), TIMES[[0, 2]])[0][-1] - truth(2.0, z)).norm() for steps in (49, 98)]
    assert abs(float(torch.log2(errors[0] / errors[1])) - order) < 0.15


@pytest.mark.parametrize("steps", [1, 3, 10, 49])
def test_fixed_steps_are_as_many_as_asked_for(steps):
    calls = 0

    def counted(t, state):
        nonlocal calls
        calls += 1
        return field(t, state)

    fixed("euler", steps)(counted, start(), TIMES[[0, 2]])
    assert calls == steps


def test_adams_keeps_dtype_and_calls_with_tensors():
    seen = []

    def single(t, state):
        seen.append((t.dtype, state[0].dtype))
        return (-state[0],)

    (found,) = adams(single, (torch.ones(2),), torch.tensor([0.0, 1.0]), method="vode", rtol=1e-6, atol=1e-6)
    assert found.dtype == torch.float32 and set(seen) == {(torch.float32, torch.float32)}
    assert torch.allclose(found[-1], torch.exp(torch.tensor(-1.0)).expand(2), atol=1e-5)


@pytest.mark.parametrize("name", ["vode", "lsoda"])
def test_a_solution_that_explodes_is_an_error(name):
    blow_up = torch.tensor([0.0, 2.0], dtype=torch.float64)
    with pytest.raises(SolverError, match=name):
        adaptive(name, 1e-6)(lambda t, state: (state[0] ** 2,), (torch.ones(1, dtype=torch.float64),), blow_up)


def test_unknown_solvers_are_named():
    with pytest.raises(SolverError, match="dopri6"):
        adaptive("dopri6", 1e-3)
    with pytest.raises(SolverError, match="heun9"):
        fixed("heun9", 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("ends", [(0.0, 1.0), (0.1, 0.7), (0.7, 0.1), (-3.0, 5.5)])
def test_fixed_steps_take_any_interval_and_stop_at_every_time(ends, dtype):
    """Between the ends of steps too the result has the method's own accuracy."""
    times = torch.lerp(
        torch.tensor(ends[0], dtype=dtype), torch.tensor(ends[1], dtype=dtype), torch.tensor([0, 0.31, 0.5, 0.77, 1], dtype=dtype)
    )
    (found,) = fixed("rk4", 40)(lambda t, state: (torch.cos(t) * state[0],), (torch.ones(2, dtype=dtype),), times)
    exact = (times.sin() - times[0].sin()).exp()
    torch.testing.assert_close(found[:, 0], exact, rtol=1e-4, atol=0)


def test_fixed_steps_keep_their_number_where_no_time_lies_between():
    grid = step_grid(torch.tensor([0.0, 1.0], dtype=torch.float64), 10)
    assert len(grid) == 11 and grid[0] == 0 and grid[-1] == 1
    assert len(step_grid(torch.tensor([0.0, 0.3, 0.55, 1.0], dtype=torch.float64), 10)) == 12


def test_a_field_without_a_value_is_named():
    with pytest.raises(SolverError, match="rk4 with 4 steps: the result is not finite"):
        fixed("rk4", 4)(lambda t, state: (state[0] * float("nan"),), (torch.ones(2),), torch.tensor([0.0, 1.0]))
