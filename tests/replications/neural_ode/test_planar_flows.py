"""Planar CNF and planar flow: traces, determinants and densities against autograd and quadrature."""

import math

import pytest
import torch

from common.dynamics.divergence import with_exact_divergence
from common.dynamics.likelihood import flow_log_density
from replications.neural_ode import planar_solve
from replications.neural_ode.flow_training import negative_log_likelihood, reverse_kl
from replications.neural_ode.planar_cnf import (
    PlanarCNF,
    base_log_density,
    field_and_trace,
    log_density,
    runge_kutta,
    sample,
    solve,
)
from replications.neural_ode.planar_flow import PlanarFlow
from replications.neural_ode.planar_solve import Units
from replications.neural_ode.target_energies import ENERGIES, log_normaliser


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def cnf():
    return PlanarCNF([3, 8], generator=generator()).double()


@pytest.fixture(scope="module")
def points():
    return 1.5 * torch.randn(2, 20, 2, generator=generator(1), dtype=torch.float64)


TIME = torch.tensor(0.3, dtype=torch.float64)


def field_of(cnf, model):
    alone = cnf.only(model)
    return lambda t, x: field_and_trace(alone, t, x[None])[0][0]


def test_trace_is_autograds(cnf, points):
    x = points.clone().requires_grad_()
    velocity, trace = field_and_trace(cnf, TIME, x)
    rows = [torch.autograd.grad(column.sum(), x, retain_graph=True)[0] for column in velocity.unbind(-1)]
    torch.testing.assert_close(trace, rows[0][..., 0] + rows[1][..., 1])


def test_field_is_the_papers(cnf, points):
    """Eq. 10: the sum over units of s_n(t) u_n(t) tanh(w_n(t) . x + b_n(t))."""
    features = torch.tanh(TIME * cnf.frequency + cnf.phase)
    theta = cnf.base + (features @ cnf.drift).reshape(cnf.base.shape)
    w, u, b, gate = theta[..., :2], theta[..., 2:4], theta[..., 4], theta[..., 5]
    hidden = torch.tanh(torch.einsum("mbd,mud->mbu", points, w) + b[:, None])
    expected = torch.einsum("mbu,mu,mud->mbd", hidden, torch.sigmoid(gate) * cnf.on[..., 0], u)
    torch.testing.assert_close(field_and_trace(cnf, TIME, points)[0], expected)


def test_gradients_of_the_steps_are_numerical_ones(cnf, points):
    def both(x, *parts):
        return planar_solve.runge_kutta(Units(*parts), x, -0.3)

    units = cnf.units_at(torch.linspace(0, 1, 7, dtype=torch.float64))
    inputs = [points[:, :3].transpose(1, 2), *units]
    assert torch.autograd.gradcheck(both, [part.detach().clone().requires_grad_() for part in inputs])


def test_time_moves_the_units(cnf, points):
    early, late = (field_and_trace(cnf, TIME + shift, points)[0] for shift in (-0.3, 0.7))
    assert (early - late).abs().max() > 1e-2


def test_a_narrow_model_ignores_the_other_units(cnf, points):
    outward = cnf.units_at(TIME[None]).outward[0]
    assert (outward[0, :, 3:] == 0).all() and (outward[1] != 0).all()
    same = field_and_trace(cnf.only(1), TIME, points[1:])
    both = field_and_trace(cnf, TIME, points)
    torch.testing.assert_close(same, (both[0][1:], both[1][1:]))


@pytest.mark.parametrize("model", [0, 1])
def test_density_agrees_with_the_jacobian_of_the_flow_map(cnf, points, model):
    x = points[model].clone().requires_grad_()
    alone = cnf.only(model)
    end, integral = runge_kutta(alone, x[None], 0.0, 1.0, 60)
    rows = [torch.autograd.grad(column.sum(), x, retain_graph=True)[0] for column in end[0].unbind(1)]
    determinants = torch.linalg.slogdet(torch.stack(rows, 1))[1]
    torch.testing.assert_close(integral[0], determinants, atol=1e-6, rtol=0)
    found = log_density(alone, points[model][None], tolerance=1e-9).log_density[0]
    torch.testing.assert_close(found, base_log_density(end[0]) + determinants, atol=1e-6, rtol=0)


def test_density_agrees_with_the_common_likelihood(cnf, points):
    times = torch.tensor([0.0, 1.0], dtype=torch.float64)
    field = with_exact_divergence(field_of(cnf, 1))
    common = flow_log_density(field, points[1], base_log_density, times, rtol=1e-9, atol=1e-9).log_density
    torch.testing.assert_close(log_density(cnf.only(1), points[1:], tolerance=1e-9).log_density[0], common, atol=1e-6, rtol=0)


def test_density_integrates_to_one(cnf):
    axis = (torch.arange(140, dtype=torch.float64) + 0.5) * 0.1 - 7
    grid = torch.cartesian_prod(axis, axis).expand(2, -1, -1)
    total = log_density(cnf, grid, tolerance=1e-6).log_density.exp().sum(1) * 0.01
    torch.testing.assert_close(total, torch.ones(2, dtype=torch.float64), atol=1e-4, rtol=0)


def test_linear_field_has_the_closed_forms_sign():
    """tanh(e z) / e is z for small e: dx/dt = a x, so log q(x) = log N(e^a x) + 2 a, and not - 2 a."""
    rate, small = 0.7, 1e-4
    flow = PlanarCNF([2], generator=generator()).double()
    for parameter in (flow.drift, flow.base):
        parameter.data.zero_()
    eye = torch.eye(2, dtype=torch.float64)
    flow.base.data[0] = torch.cat([small * eye, 2 * rate / small * eye, torch.zeros(2, 2, dtype=torch.float64)], 1)
    x = torch.tensor([[[0.5, -1.0]]], dtype=torch.float64)
    expected = base_log_density(math.exp(rate) * x) + 2 * rate
    torch.testing.assert_close(log_density(flow, x, tolerance=1e-10).log_density, expected, atol=1e-6, rtol=0)


def test_sampling_reverses_the_density_solve(cnf, points):
    samples, log_q, _ = sample(cnf, points, tolerance=1e-9)
    density = log_density(cnf, samples, tolerance=1e-9)
    torch.testing.assert_close(density.latent, points, atol=1e-6, rtol=0)
    torch.testing.assert_close(density.log_density, log_q, atol=1e-6, rtol=0)


def test_training_steps_converge_to_the_adaptive_solve(cnf, points):
    exact = solve(cnf, points, (1.0, 0.0), tolerance=1e-11)
    errors = []
    for steps in (8, 16):
        with torch.no_grad():
            x, integral = runge_kutta(cnf, points, 1.0, 0.0, steps)
        errors.append(float((x - exact.states[-1]).abs().max() + (integral - exact.integrals[-1]).abs().max()))
    assert 3 < math.log2(errors[0] / errors[1]) < 5.5, errors


def test_planar_flow_against_autograd(points):
    flow = PlanarFlow([2, 6], generator=generator()).double()
    x = points.clone().requires_grad_()
    y, log_det = flow(x)
    rows = torch.stack([torch.autograd.grad(column.sum(), x, retain_graph=True)[0] for column in y.unbind(-1)], -2)
    torch.testing.assert_close(log_det, torch.linalg.slogdet(rows)[1])


def test_gradients_of_the_layers_are_numerical_ones(points):
    flow = PlanarFlow([2, 3], generator=generator()).double()
    leaves = {name: part.detach().clone().requires_grad_() for name, part in flow.named_parameters()}

    def pushed(x, *parts):
        return torch.func.functional_call(flow, dict(zip(leaves, parts)), (x,))

    assert torch.autograd.gradcheck(pushed, (points[:, :3].clone().requires_grad_(), *leaves.values()))


def test_planar_layers_stay_invertible():
    flow = PlanarFlow([5], generator=generator())
    flow.u.data *= 100
    u, overlap = flow.constrained()
    assert (overlap >= -1).all()
    torch.testing.assert_close(u @ flow.w, overlap, atol=1e-4, rtol=1e-4)
    assert torch.isfinite(flow(torch.randn(1, 9, 2, generator=generator(1)))[1]).all()


def test_planar_flow_of_one_layer_ignores_the_others(points):
    flow = PlanarFlow([1, 4], generator=generator()).double()
    x, w, u, b = points[0], flow.w[0, 0], flow.constrained()[0][0, 0], flow.b[0, 0]
    torch.testing.assert_close(flow(points)[0][0], x + torch.tanh(x @ w + b) @ u)


@pytest.mark.parametrize("name", ENERGIES)
def test_normalisers_do_not_depend_on_the_grid(name):
    fine, coarse = (log_normaliser(ENERGIES[name], points=n) for n in (1601, 801))
    assert fine == pytest.approx(coarse, abs=1e-4)


def test_normaliser_of_a_gaussian():
    assert log_normaliser(lambda x: 0.5 * x.square().sum(-1), points=401) == pytest.approx(math.log(2 * math.pi), abs=1e-6)


def test_losses_of_a_flow_that_only_stretches():
    """x = s z: q(x) = N(x; 0, s^2). KL takes the way from base to data, the likelihood the way back."""
    s, points = 1.7, 1.3 * torch.randn(1, 200, 2, generator=generator(4), dtype=torch.float64)
    log_q = torch.distributions.Normal(0.0, s)

    def stretch(flow, z):
        return s * z, torch.full(z.shape[:-1], 2 * math.log(s), dtype=torch.float64)

    def shrink(flow, x):
        return x / s, torch.full(x.shape[:-1], -2 * math.log(s), dtype=torch.float64)

    expected = log_q.log_prob(s * points).sum(-1) + ENERGIES["wave"](s * points)
    torch.testing.assert_close(reverse_kl(None, stretch, points, ["wave"], 1), expected.mean(1))
    tempered = log_q.log_prob(s * points).sum(-1) + 0.3 * ENERGIES["wave"](s * points)
    torch.testing.assert_close(reverse_kl(None, stretch, points, ["wave"], 1, 0.3), tempered.mean(1))
    torch.testing.assert_close(negative_log_likelihood(None, shrink, points), -log_q.log_prob(points).sum(-1))


def test_the_constrained_direction_keeps_every_layer_invertible_by_the_published_formula():
    """Rezende and Mohamed 2015, appendix: u^ . w = -1 + log(1 + exp(u . w)), which is more than -1."""
    flow = PlanarFlow([3], generator=generator(2)).double()
    raw = (flow.u @ flow.w).squeeze(-1).squeeze(-1)
    direction, overlap = flow.constrained()
    expected = torch.log1p(raw.exp()) - 1
    torch.testing.assert_close((direction @ flow.w).squeeze(-1).squeeze(-1), expected)
    torch.testing.assert_close(overlap.squeeze(-1).squeeze(-1), expected)
