"""The lean solver against torchdiffeq's dopri5: the same evaluations, at the same times, and the same states."""

import pytest
import torch
from torchdiffeq import odeint

from common.errors import SolverError
from replications.neural_ode.dormand_prince import dormand_prince
from replications.neural_ode.solvers import _runge_kutta, adaptive

TIMES = torch.tensor([0.0, 0.02, 0.5, 2.0], dtype=torch.float64)


def start(dtype=torch.float64):
    """Parts of several shapes, the last a number, as in the adjoint's state."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(shape, generator=generator, dtype=dtype) for shape in ((4, 3), (5,), ()))


class Recorded:
    """A field with a kink in time, so that steps are refused, and a record of when it was evaluated."""

    def __init__(self, scales=(1.0, 1.0, 1.0)):
        self.scales, self.times = scales, []

    def __call__(self, t, state):
        self.times.append(float(t))
        z, w, s = state
        a, b, c = self.scales
        return a * torch.sin(3 * z + 4 * t), b * torch.tanh(30 * (t - 0.7)) * w, c * s * torch.cos(5 * t)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-5, 1e-9])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("scales", [(1.0, 1.0, 1.0), (9.0, 0.1, 0.1), (0.1, 0.1, 9.0)])
def test_the_same_steps_and_states_as_torchdiffeq(tolerance, backwards, scales):
    times = TIMES.flip(0) if backwards else TIMES
    lean, whole = Recorded(scales), Recorded(scales)
    found = dormand_prince(lean, start(), times, tolerance=tolerance)
    expected = _runge_kutta(whole, start(), times, method="dopri5", tolerance=tolerance)
    assert len(lean.times) == len(whole.times)
    assert lean.times == pytest.approx(whole.times, rel=1e-4, abs=1e-4)
    for part, other in zip(found, expected):
        torch.testing.assert_close(part, other, rtol=1e-4, atol=1e-4)


def test_single_precision_keeps_its_dtype_and_its_steps():
    lean, whole = Recorded(), Recorded()
    times = TIMES.float()
    found = dormand_prince(lean, start(torch.float32), times, tolerance=1e-3)
    expected = _runge_kutta(whole, start(torch.float32), times, method="dopri5", tolerance=1e-3)
    assert len(lean.times) == len(whole.times) and {part.dtype for part in found} == {torch.float32}
    for part, other in zip(found, expected):
        torch.testing.assert_close(part, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("atol", "rtol"), [(1e-9, 1e-3), (1e-3, 1e-9)])
def test_two_tolerances(atol, rtol):
    lean, whole = Recorded(), Recorded()
    state = (1e3 * start()[0], *start()[1:])  # so large that the two are told apart
    found = dormand_prince(lean, state, TIMES, tolerance=atol, rtol=rtol)
    expected = odeint(whole, state, TIMES, method="dopri5", rtol=rtol, atol=atol)
    assert lean.times == pytest.approx(whole.times, rel=1e-4, abs=1e-4)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-4, atol=1e-4)


def test_a_state_that_does_not_move_arrives():
    found = dormand_prince(lambda t, state: (0 * state[0],), (torch.ones(3),), torch.tensor([0.0, 1.0]), tolerance=1e-3)
    assert torch.equal(found[0], torch.ones(2, 3))


def test_an_explosion_is_an_error():
    blow_up = torch.tensor([0.0, 2.0], dtype=torch.float64)
    with pytest.raises(SolverError, match="underflow of the step size at t = 1"):
        dormand_prince(lambda t, state: (state[0] ** 2,), (torch.ones(1, dtype=torch.float64),), blow_up, tolerance=1e-6)
    with pytest.raises(SolverError, match="underflow"):
        dormand_prince(lambda t, state: (state[0] * float("nan"),), (torch.ones(1),), blow_up, tolerance=1e-3)


def test_gradients_go_through_torchdiffeq():
    z = torch.ones(2, dtype=torch.float64, requires_grad=True)
    (found,) = adaptive("dopri5", 1e-8)(lambda t, state: (-state[0],), (z,), TIMES[[0, 3]])
    (gradient,) = torch.autograd.grad(found[-1].sum(), z)
    torch.testing.assert_close(gradient, torch.full((2,), -2.0, dtype=torch.float64).exp(), rtol=1e-6, atol=0)
