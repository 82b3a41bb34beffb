"""Poisson processes: likelihood against closed form and quadrature, simulation against its rate."""

import math

import pytest
import torch

from replications.neural_ode.poisson_process import LatentRate, grids_at, log_likelihood, simulate


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def constant(model, *rates):
    model = model.double()
    model.log_rate[2].weight.data.zero_()
    model.log_rate[2].bias.data[:] = torch.tensor(rates, dtype=torch.float64).log()
    return model


def test_homogeneous_likelihood_in_closed_form():
    model = constant(LatentRate(2, generator=generator()), 3.0, 0.5).requires_grad_(False)
    events = [torch.tensor([0.2, 1.0, 1.9], dtype=torch.float64), torch.tensor([1.5], dtype=torch.float64)]
    solution, integral = model.solve(2.0, 5)
    found = log_likelihood(model.log_rates(solution, grids_at(events, 2.0, 5)), integral, 1)
    assert float(found) == pytest.approx(3 * math.log(3) - 6 + math.log(0.5) - 1, abs=1e-9)


def test_inhomogeneous_likelihood_against_quadrature():
    model = LatentRate(1, generator=generator(2)).double()
    events = torch.tensor([0.3, 0.31, 1.7], dtype=torch.float64)
    solution, integral = model.solve(2.0, 40)
    fine = (torch.arange(4000, dtype=torch.float64) + 0.5) / 2000
    rates = [part.exp() for part in model.log_rates(solution, grids_at([fine], 2.0, 40))]
    assert float(integral) == pytest.approx(float(rates[0].mean() * 2), rel=1e-6)
    found = log_likelihood(model.log_rates(solution, grids_at([events], 2.0, 40)), integral, 1)
    at_events = torch.log(rates[0][(events * 2000).long()]).sum()
    assert float(found) == pytest.approx(float(at_events - rates[0].mean() * 2), abs=1e-2)


def test_the_integral_is_that_of_the_state_with_the_integral_in_it():
    """Path and integral by the classical rule on [z, L]: the same numbers, and the same gradients."""
    model = LatentRate(2, generator=generator(3)).double()
    _, integral = model.solve(1.5, 6)

    def slope(z):
        return torch.tanh(z @ model.w1[0] + model.b1[0, 0]) @ model.w2[0] + model.b2[0, 0], model.log_rate(z).exp()

    z, h, plain = model.start, 1.5 / 6, torch.zeros(2, dtype=torch.float64)
    for _ in range(6):
        k1, rate1 = slope(z)
        k2, rate2 = slope(z + h / 2 * k1)
        k3, rate3 = slope(z + h / 2 * k2)
        k4, rate4 = slope(z + h * k3)
        z, plain = z + h / 6 * (k1 + 2 * (k2 + k3) + k4), plain + h / 6 * (rate1 + 2 * (rate2 + rate3) + rate4)
    torch.testing.assert_close(integral, plain)
    of = list(model.parameters())
    gradients = [torch.autograd.grad(value[0] - 2 * value[1], of) for value in (integral, plain)]
    for a, b in zip(*gradients):
        torch.testing.assert_close(a, b)


def test_sequences_are_averaged():
    at_events, integral = [torch.tensor([1.0, 2.0, 3.0])], torch.tensor([4.0])
    assert float(log_likelihood(at_events, integral, 3)) == pytest.approx(2.0 - 4.0)


def test_simulated_events_follow_the_rate():
    (times,), sequences, span = simulate([lambda t: 2 * t], 4.0, 2000, 2.0, generator=generator())
    assert (sequences, span) == (2000, 2.0)
    # 4 events are expected per sequence, and three quarters of them in the second half
    assert len(times) / 2000 == pytest.approx(4, rel=0.05)
    assert float((times > 1).double().mean()) == pytest.approx(0.75, abs=0.02)


def test_every_weight_has_a_gradient():
    model = LatentRate(2, generator=generator())
    events = [torch.tensor([0.2, 1.0]), torch.tensor([1.5])]
    solution, integral = model.solve(2.0, 5)
    log_likelihood(model.log_rates(solution, grids_at(events, 2.0, 5)), integral, 1).backward()
    assert all(parameter.grad is not None and (parameter.grad != 0).any() for parameter in model.parameters())
