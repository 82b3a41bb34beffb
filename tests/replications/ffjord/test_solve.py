"""Solves with a trace: closed forms, both ways to differentiate, what is counted."""

import math

import pytest
import torch
from torchdiffeq import odeint

from common.dynamics.divergence import exact_divergence, with_exact_divergence, with_hutchinson
from common.errors import SolverError
from replications.ffjord.free_form_flow import FlowSettings
from replications.ffjord.solving.solve import Evaluations, SolverSettings, push

F64 = torch.float64
A = torch.tensor([[0.3, -1.0, 0.2], [0.8, -0.6, 0.0], [0.1, 0.4, 0.7]], dtype=F64)
TIGHT = SolverSettings(rtol=1e-10, atol=1e-10)
SOLVERS = {
    "dopri5": TIGHT,
    "rk4": SolverSettings(method="rk4", steps=60),
    "dopri5 adjoint": SolverSettings(rtol=1e-10, atol=1e-10, backward="adjoint"),
    "rk4 adjoint": SolverSettings(method="rk4", steps=60, backward="adjoint"),
}


def points(*shape, seed=0):
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def linear(t, z):
    return z @ A.T, A.trace().expand(len(z))


def flow_field(*, layer="concatsquash", nonlinearity="tanh", hidden=(7, 4, 5), bottleneck=False, dim=3):
    settings = FlowSettings(hidden=hidden, layer=layer, nonlinearity=nonlinearity, bottleneck=bottleneck)
    field = settings.build(dim, seed=1).double().fields[0]
    for parameter in field.parameters():
        parameter.data *= 2
    return field


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("start", "end"), [(0.0, 0.7), (0.7, 0.0), (0.2, 0.9)])
def test_linear_field(name, start, end):
    z = points(4, 3)
    found = push(linear, z, start, end, SOLVERS[name])
    torch.testing.assert_close(found.z, z @ torch.linalg.matrix_exp((end - start) * A).T, rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(found.integral, (end - start) * A.trace().expand(4), rtol=1e-7, atol=1e-8)


def test_integral_along_a_curve():
    """dz/dt = cos t z with divergence D cos t: the integral is D (sin end - sin start)."""
    found = push(lambda t, z: (torch.cos(t) * z, 3 * torch.cos(t).expand(2)), points(2, 3), 0.5, 2.0, TIGHT)
    torch.testing.assert_close(found.integral, torch.full((2,), 3 * (math.sin(2.0) - math.sin(0.5)), dtype=F64))


@pytest.mark.parametrize("name", SOLVERS)
def test_gradients_against_the_closed_form(name):
    """L = sum(c z(T)) + sum(integral) of z' = a z: dL/dz = c e^{aT}, dL/da = T c z e^{aT} + D T."""
    a, z, c = torch.tensor(0.8, dtype=F64, requires_grad=True), points(4, 3).requires_grad_(), points(4, 3, seed=1)
    found = push(lambda t, z: (a * z, 3 * a.expand(len(z))), z, 0.0, 0.5, SOLVERS[name], parameters=[a])
    ((c * found.z).sum() + found.integral.sum()).backward()
    growth = math.exp(0.4)
    torch.testing.assert_close(z.grad, c * growth, rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(a.grad, 0.5 * growth * (c * z.detach()).sum() + 4 * 3 * 0.5, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("layer", ["concatsquash", "concat"])
@pytest.mark.parametrize("nonlinearity", ["tanh", "softplus", "silu"])
def test_the_chains_backward_pass_is_exact(layer, nonlinearity):
    """Its derivatives of a solve with fixed steps against finite differences."""
    field, z = flow_field(layer=layer, nonlinearity=nonlinearity, hidden=(3, 2)), points(2, 3).requires_grad_()
    names, values = zip(*field.named_parameters())
    solver = SolverSettings(method="rk4", steps=2)

    def solved(z, *values):
        traced = field.traced(field.seed(z, "exact"))
        with torch.no_grad():
            for name, value in zip(names, values):
                field.get_parameter(name).copy_(value)
        end, integral, _ = push(traced, z, 0.0, 0.5, solver)
        return (end**2).sum() + (integral * torch.tensor([1.0, -2.0], dtype=F64)).sum()

    solved(z, *values).backward()
    directions = [torch.randn_like(part) for part in (z, *values)]
    given = [part.detach().clone() for part in (z, *values)]
    slope = sum((part.grad * direction).sum() for part, direction in zip((z, *values), directions))
    ahead, behind = (solved(*(x + h * d for x, d in zip(given, directions))).detach() for h in (1e-6, -1e-6))
    assert float(slope) == pytest.approx(float(ahead - behind) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("trace", ["exact", "gaussian", "bottleneck", "exact bottleneck", "none"])
@pytest.mark.parametrize("method", ["dopri5", "rk4"])
def test_the_chains_tape_is_autograds(trace, method):
    field = flow_field(bottleneck="bottleneck" in trace)
    kind = {"bottleneck": "gaussian", "exact bottleneck": "exact"}.get(trace, trace)
    seed = field.seed(points(5, 3), kind, torch.Generator().manual_seed(0))
    traced, solver, found = field.traced(seed), SolverSettings(method=method, steps=5), []
    for which in (traced, lambda t, z: traced(t, z)):
        z = points(5, 3).requires_grad_()
        field.zero_grad()
        counted = Evaluations()
        end, integral, _ = push(which, z, 0.0, 0.5, solver, parameters=tuple(field.parameters()), evaluations=counted)
        (points(5, 3, seed=2) * end).sum().add((points(5, seed=3) * integral).sum()).backward()
        gradients = torch.cat([z.grad.flatten(), *(parameter.grad.flatten() for parameter in field.parameters())])
        found.append((end.detach(), integral.detach(), gradients, counted))
    for mine, theirs in zip(*(parts[:3] for parts in found)):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)
    assert found[0][3] == found[1][3]


def test_direct_and_adjoint_agree():
    field, found = flow_field(), []
    for backward in ("direct", "adjoint"):
        solver, z = SolverSettings(rtol=1e-10, atol=1e-10, backward=backward), points(5, 3).requires_grad_()
        field.zero_grad()
        end, integral, _ = push(field.traced(field.seed(z, "exact")), z, 0.0, 0.5, solver)
        (end.square().sum() + integral.sum()).backward()
        found.append(torch.cat([z.grad.flatten(), *(parameter.grad.flatten() for parameter in field.parameters())]))
    torch.testing.assert_close(found[0], found[1], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("backward", ["direct", "adjoint"])
def test_parameters_that_another_network_makes(backward):
    """A field whose matrix is no leaf of the graph, as amortised flows have; states are images."""
    encoder, z = points(4, 4, seed=1).requires_grad_(), points(2, 1, 2, 2).requires_grad_()
    matrix = torch.tanh(encoder)
    field = with_exact_divergence(lambda t, z: torch.sin(z.flatten(1) @ matrix).view_as(z))
    solver = SolverSettings(rtol=1e-9, atol=1e-9, backward=backward)
    end, integral, _ = push(field, z, 0.0, 0.5, solver, parameters=[matrix])
    assert end.shape == z.shape and integral.shape == (2,)
    (end.sum() + integral.sum()).backward()

    def loss(encoder):
        matrix = torch.tanh(encoder)

        def augmented(t, state):
            value, trace = exact_divergence(lambda t, z: torch.sin(z @ matrix), t, state[0])
            return value, trace

        states = odeint(augmented, (z.detach().flatten(1), z.new_zeros(2)), z.new_tensor([0.0, 0.5]), rtol=1e-9, atol=1e-9)
        return states[0][-1].sum() + states[1][-1].sum()

    again = encoder.detach().requires_grad_()
    loss(again).backward()
    torch.testing.assert_close(encoder.grad, again.grad, rtol=1e-6, atol=1e-8)


class Kink:
    """A field with a kink in time, so that steps are refused; it counts."""

    calls = 0

    def __call__(self, t, z):
        self.calls += 1
        turn, angle = torch.tanh(60 * (t - 0.3)), 3 * z + 4 * t
        return turn * torch.sin(angle), turn * 3 * torch.cos(angle).sum(1)


def test_evaluations_are_those_of_torchdiffeq():
    mine, theirs, z = Kink(), Kink(), points(6, 2)
    found = push(mine, z, 0.0, 0.8, SolverSettings(rtol=1e-6, atol=1e-7))
    times = torch.tensor([0.0, 0.8], dtype=F64)
    states = odeint(lambda t, state: theirs(t, state[0]), (z, z.new_zeros(6)), times, rtol=1e-6, atol=1e-7, method="dopri5")
    assert found.nfe == mine.calls and found.nfe % 6 == 2 and abs(mine.calls - theirs.calls) <= 6
    torch.testing.assert_close(found.z, states[0][-1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.integral, states[1][-1], rtol=1e-5, atol=1e-5)


def test_refused_steps_leave_no_trace():
    z, counted = points(6, 2).requires_grad_(), Evaluations()
    end, integral, nfe = push(Kink(), z, 0.0, 0.8, SolverSettings(rtol=1e-8, atol=1e-8), evaluations=counted)
    (end.sum() + integral.sum()).backward()
    assert counted.forward == nfe and counted.backward % 6 == 0 and counted.backward < nfe - 2
    again = points(6, 2).requires_grad_()
    fixed = push(Kink(), again, 0.0, 0.8, SolverSettings(method="rk4", steps=300))
    (fixed.z.sum() + fixed.integral.sum()).backward()
    torch.testing.assert_close(z.grad, again.grad, rtol=1e-5, atol=1e-6)


def test_counts():
    z, solver, counted = points(4, 3).requires_grad_(), SolverSettings(method="rk4", steps=5), Evaluations()
    end, _, nfe = push(linear, z, 0.0, 1.0, solver, evaluations=counted)
    assert nfe == counted.forward == 21 and counted.backward == 0
    end.sum().backward()
    assert (counted.forward, counted.backward) == (21, 20)
    counted.reset()
    adjoint = push(linear, z, 0.0, 1.0, solver.model_copy(update={"backward": "adjoint"}), evaluations=counted)
    assert adjoint.nfe == 20
    adjoint.z.sum().backward()
    assert (counted.forward, counted.backward) == (20, 20)


def test_error_falls_with_the_tolerance():
    field = flow_field()
    traced = field.traced(field.seed(points(20, 3), "exact"))
    with torch.no_grad():
        exact = push(traced, points(20, 3), 0.0, 1.0, SolverSettings(rtol=1e-12, atol=1e-12))
        errors = []
        for tolerance in (1e-3, 1e-5, 1e-7):
            found = push(traced, points(20, 3), 0.0, 1.0, SolverSettings(rtol=tolerance, atol=tolerance))
            errors.append(float((found.z - exact.z).abs().max() + (found.integral - exact.integral).abs().max()))
    assert errors[0] > 10 * errors[1] > 100 * errors[2] and errors[2] < 1e-6


def test_gradients_are_recorded_only_where_something_needs_them():
    field, z = flow_field(), points(3, 3)
    traced = field.traced(field.seed(z, "exact"))
    recorded = push(traced, z, 0.0, 0.5, TIGHT)
    with torch.no_grad():
        plain = push(traced, z, 0.0, 0.5, TIGHT)
    assert recorded.z.requires_grad and not plain.z.requires_grad and plain.nfe == recorded.nfe
    torch.testing.assert_close(plain.z, recorded.z.detach(), rtol=0, atol=0)
    torch.testing.assert_close(plain.integral, recorded.integral.detach(), rtol=1e-13, atol=1e-13)
    field.requires_grad_(False)
    assert not push(traced, z, 0.0, 0.5, TIGHT).z.requires_grad
    state = z.clone().requires_grad_()
    push(traced, state, 0.0, 0.5, TIGHT).z.sum().backward()
    assert state.grad is not None


def test_single_precision_stays():
    found = push(lambda t, z: (-z, -3 * torch.ones_like(z[:, 0])), points(2, 3).float(), 0.0, 1.0, SolverSettings())
    assert found.z.dtype == found.integral.dtype == torch.float32


def test_explosions_are_errors():
    with pytest.raises(SolverError, match="underflow of the step size at t = 1"):
        push(lambda t, z: (z**2, 2 * z.sum(1)), torch.ones(1, 1, dtype=F64), 0.0, 2.0, SolverSettings())
    with pytest.raises(SolverError, match="not finite"):
        push(lambda t, z: (z**4, z.sum(1)), 9 * torch.ones(1, 1), 0.0, 2.0, SolverSettings(method="rk4"))


def test_a_probe_stays_for_the_whole_solve():
    """A field whose estimate is fixed takes no more evaluations than the exact one by much."""
    field, z = flow_field(), points(50, 3)
    exact = push(field.traced(field.seed(z, "exact")), z, 0.0, 0.5, SolverSettings())
    noisy = push(with_hutchinson(field, points(50, 3, seed=4)), z, 0.0, 0.5, SolverSettings())
    assert noisy.nfe <= exact.nfe + 12
