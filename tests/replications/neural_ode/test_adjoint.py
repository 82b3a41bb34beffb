"""The adjoint against closed forms, against torchdiffeq's, and against gradients through a tight solve."""

import pytest
import torch
from torch import nn
from torchdiffeq import odeint_adjoint

from replications.neural_ode.adjoint import solve_ode, solve_ode_adjoint
from replications.neural_ode.solvers import Counting, adaptive

TOLERANCE = 1e-8


class Field(nn.Module):
    """A small field that depends on time."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.inward = nn.Parameter(torch.randn(4, 16, generator=generator, dtype=torch.float64))
        self.outward = nn.Parameter(0.3 * torch.randn(16, 3, generator=generator, dtype=torch.float64))

    def forward(self, t, z):
        return torch.tanh(torch.cat([z, t.expand(len(z), 1)], 1) @ self.inward) @ self.outward


class Linear(nn.Module):
    """dz/dt = A z, whose flow is exp(A t)."""

    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor([[-0.5, 1.2], [-1.0, 0.3]], dtype=torch.float64))

    def forward(self, t, z):
        return z @ self.matrix.T


class InTime(nn.Module):
    """dz/dt = r t z, so z(t1) = z(t0) exp(r (t1² - t0²) / 2)."""

    def __init__(self):
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(0.7, dtype=torch.float64))

    def forward(self, t, z):
        return self.rate * t * z


def problem(field=None):
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    times = torch.tensor([0.1, 0.4, 1.0], dtype=torch.float64, requires_grad=True)
    weights = torch.randn(3, 5, 3, generator=generator, dtype=torch.float64)
    return field or Field(), z, times, weights


def gradients(states, weights, wanted):
    return torch.autograd.grad((weights * states**2).sum(), wanted)


def relative(found, true):
    return float((found - true).norm() / true.norm())


@pytest.mark.parametrize("solver", ["dopri5", "vode", "lsoda"])
def test_all_gradients_equal_those_through_a_tight_solve(solver):
    field, z, times, weights = problem()
    wanted = [z, times, *field.parameters()]
    found = gradients(solve_ode_adjoint(field, z, times, adaptive(solver, TOLERANCE)), weights, wanted)
    true = gradients(solve_ode(field, z, times, adaptive("dopri5", 1e-10)), weights, wanted)
    assert all(relative(a, b) < 1e-4 for a, b in zip(found, true))
    assert all((a != 0).all() for a in found), "every parameter, state and time has a gradient"


@pytest.mark.parametrize("with_times", [True, False])
def test_equals_torchdiffeq_with_as_many_evaluations(with_times):
    field, z, times, weights = problem()
    times = times.detach().requires_grad_(with_times)
    wanted = [z, *field.parameters(), *([times] if with_times else [])]
    ours, theirs = Counting(field), Counting(field)
    found = gradients(solve_ode_adjoint(ours, z, times, adaptive("dopri5", 1e-6)), weights, wanted)
    states = odeint_adjoint(theirs, z, times, rtol=1e-6, atol=1e-6, method="dopri5")
    expected = gradients(states, weights, wanted)
    assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-12) for a, b in zip(found, expected))
    assert ours.calls == theirs.calls


def test_error_shrinks_with_the_tolerance():
    field, z, times, weights = problem()
    wanted = list(field.parameters())
    true = gradients(solve_ode(field, z, times, adaptive("dopri5", 1e-10)), weights, wanted)
    errors = [
        relative(gradients(solve_ode_adjoint(field, z, times, adaptive("dopri5", tolerance)), weights, wanted)[0], true[0])
        for tolerance in (1e-3, 1e-5, 1e-7)
    ]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]


def test_linear_field_in_closed_form():
    field = Linear()
    z = torch.tensor([[1.0, -2.0]], dtype=torch.float64, requires_grad=True)
    times = torch.tensor([0.2, 1.1], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([[0.3, -1.4]], dtype=torch.float64)  # loss = weight . z(t1), so a(t1) = weight
    end = solve_ode_adjoint(field, z, times, adaptive("dopri5", 1e-10))[-1]
    found = torch.autograd.grad((weight * end).sum(), [z, times, field.matrix])
    flow = torch.linalg.matrix_exp(field.matrix.detach() * 0.9)
    at_start = weight @ flow
    assert torch.allclose(found[0], at_start, rtol=1e-7)
    # dL/dt1 = a(t1) . f(z1), dL/dt0 = -a(t0) . f(z0); equal and opposite, as only the difference of the times counts
    slope_end = (weight * field(None, end)).sum().detach()
    slope_start = (at_start * field(None, z)).sum().detach()
    assert torch.allclose(found[1], torch.stack([-slope_start, slope_end]), rtol=1e-7)
    assert torch.allclose(slope_start, slope_end, rtol=1e-7)
    matrix = field.matrix.detach().clone().requires_grad_()
    expected = torch.autograd.grad((weight * (z.detach() @ torch.linalg.matrix_exp(matrix * 0.9).T)).sum(), matrix)[0]
    assert torch.allclose(found[2], expected, rtol=1e-6)


def test_explicit_time_in_closed_form():
    field = InTime()
    z = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    times = torch.tensor([0.5, 1.5], dtype=torch.float64, requires_grad=True)
    end = solve_ode_adjoint(field, z, times, adaptive("dopri5", 1e-10))[-1].sum()
    found = torch.autograd.grad(end, [z, times, field.rate])
    value, rate = 2 * torch.exp(0.7 * (1.5**2 - 0.5**2) / torch.tensor(2.0, dtype=torch.float64)), 0.7
    assert torch.allclose(found[0], value[None] / 2, rtol=1e-7)
    assert torch.allclose(found[1], value * torch.tensor([-rate * 0.5, rate * 1.5], dtype=torch.float64), rtol=1e-7)
    assert torch.allclose(found[2], value * (1.5**2 - 0.5**2) / 2, rtol=1e-6)


def test_backwards_in_time():
    field, z, times, weights = problem()
    wanted = [z, times, *field.parameters()]
    found = gradients(solve_ode_adjoint(field, z, times.flip(0), adaptive("dopri5", TOLERANCE)), weights, wanted)
    true = gradients(solve_ode(field, z, times.flip(0), adaptive("dopri5", 1e-10)), weights, wanted)
    assert all(relative(a, b) < 1e-4 for a, b in zip(found, true))
