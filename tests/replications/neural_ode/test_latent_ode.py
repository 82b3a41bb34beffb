"""Latent ODE: the solve and its gradient, ELBO, time-invariance, no look into the future."""

import math
from types import SimpleNamespace

import pytest
import torch

from common.errors import SettingsError
from replications.neural_ode.autonomous_solve import Hermite, Solution, solve
from replications.neural_ode.latent_ode import LatentODE, Posterior, backwards, gaussian_kl, negative_elbo, observed_mask
from replications.neural_ode.latent_training import likelihood_noise
from replications.neural_ode.recurrent import StackedRNN, aligned
from replications.neural_ode.rnn_forecaster import Forecaster
from replications.neural_ode.spirals import NOISE, PAST, STEP, WINDOW, observation_indices, spirals, times, turns_clockwise

DOUBLE = {"dtype": torch.float64}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), **DOUBLE)


@pytest.fixture
def weights():
    shapes = (2, 3, 5), (2, 1, 5), (2, 5, 3), (2, 1, 3)
    return [random(*shape, seed=k).requires_grad_() for k, shape in enumerate(shapes)]


def plain_solve(z, w1, b1, w2, b2, span, steps):
    def f(z):
        return torch.tanh(z @ w1 + b1) @ w2 + b2

    h, states = span / steps, [z]
    for _ in range(steps):
        k1 = f(z)
        k2 = f(z + h / 2 * k1)
        k3 = f(z + h / 2 * k2)
        k4 = f(z + h * k3)
        z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        states.append(z)
    return torch.stack(states), torch.stack([f(z) for z in states])


@pytest.mark.parametrize("span", [0.7, -0.4])
def test_closed_form_gradient_is_autograds(weights, span):
    z = random(2, 4, 3, seed=9).requires_grad_()
    ours, plain = solve(z, tuple(weights), span=span, steps=5), plain_solve(z, *weights, span, 5)
    for a, b in zip(ours, plain):
        torch.testing.assert_close(a, b)
    cotangents = [random(*part.shape, seed=11) for part in plain]
    gradients = [
        torch.autograd.grad(sum((part * c).sum() for part, c in zip(solution, cotangents)), [z, *weights])
        for solution in (ours, plain)
    ]
    for a, b in zip(*gradients):
        torch.testing.assert_close(a, b)


def test_interpolation_is_exact_for_cubics_and_of_fourth_order(weights):
    t, knots = torch.linspace(0, 0.8, 33, **DOUBLE), torch.linspace(0, 0.8, 5, **DOUBLE)
    z, weights = random(2, 4, 3, seed=9), tuple(weight.detach() for weight in weights)
    fine = solve(z, weights, span=0.8, steps=320).states[::10]
    coarse = [Hermite(t, span=0.8, steps=n)(solve(z, weights, span=0.8, steps=n)) for n in (16, 32)]
    errors = [float((found - fine).abs().max()) for found in coarse]
    assert errors[0] / errors[1] > 8, errors
    cubic = Solution(*(power[:, None, None, None] for power in (knots**3, 3 * knots**2)))
    torch.testing.assert_close(Hermite(t, span=0.8, steps=4)(cubic)[:, 0, 0, 0], t**3)


def test_recurrent_gradient_is_autograds_and_padding_counts_nothing():
    rnn = StackedRNN(2, 3, 4, 2, generator=generator()).double()
    short, long = random(5, 3, 3, seed=1), random(5, 6, 3, seed=2)
    x = aligned([short, long]).requires_grad_()
    hidden = 2 * rnn(x) - 1
    for model, series in enumerate((short, long)):
        state = torch.zeros(5, 4, **DOUBLE)
        for k in range(series.shape[1]):
            state = torch.tanh(series[:, k] @ rnn.inward[model] + rnn.bias[model] + state @ rnn.recurrent[model])
        torch.testing.assert_close(hidden[-1, model], state)
        torch.testing.assert_close(rnn.read(rnn(x)[-1])[model], state @ rnn.outward[model] + rnn.out_bias[model])
    assert hidden[:3, 0].abs().max() < 1e-14
    names = ("inward", "bias", "recurrent")
    leaves = [getattr(rnn, name).detach().clone().requires_grad_() for name in names]

    def last_two(x, *weights):
        return torch.func.functional_call(rnn, dict(zip(names, weights)), (x,))[-2:]

    assert torch.autograd.gradcheck(last_two, (x.detach().requires_grad_(), *leaves))


def test_a_posterior_is_never_wider_than_the_prior():
    model, series = LatentODE(1, generator=generator()), spirals(4, generator=generator())
    indices = [observation_indices(4, 10, generator=generator(1))]
    for bias, log_variance in ((-1e4, 0.0), (0.0, -math.log(2)), (50.0, -50.0)):
        model.encoder.out_bias.data.fill_(bias)
        found = model.encode(model.inputs(series.observed, indices)).log_variance
        torch.testing.assert_close(found, torch.full_like(found, log_variance), atol=1.0, rtol=0)
        assert (found <= 0).all()


def test_the_likelihood_narrows_geometrically_to_the_noise_of_the_data():
    settings = SimpleNamespace(start_noise=0.24, annealed=0.5, latent_ode=SimpleNamespace(steps=100))
    found = [likelihood_noise(step, settings) for step in (0, 25, 50, 99)]
    assert found == pytest.approx([0.24, 0.12, NOISE, NOISE])
    settings.annealed = 0.0
    assert likelihood_noise(1, settings) == pytest.approx(NOISE)


def test_kl_against_its_definition():
    posterior = Posterior(random(1, 2, 3, seed=1), random(1, 2, 3, seed=2))
    q = torch.distributions.Normal(posterior.mean, (0.5 * posterior.log_variance).exp())
    prior = torch.distributions.Normal(torch.zeros(1, **DOUBLE), torch.ones(1, **DOUBLE))
    torch.testing.assert_close(gaussian_kl(posterior), torch.distributions.kl_divergence(q, prior).sum(-1))


def test_elbo_counts_observed_points_only():
    x, indices = random(2, WINDOW, 2), [torch.tensor([[0, 5], [1, 7]])]
    decoded = x.transpose(0, 1)[:, None].clone()
    posterior = Posterior(torch.zeros(1, 2, 4, **DOUBLE), torch.zeros(1, 2, 4, **DOUBLE))
    decoded[3] += 100  # nobody looked there
    decoded[5, 0, 0] += 0.2  # seen in the first of two series: 2 coordinates, 0.04 / (2 0.1^2) each, over 4 numbers
    loss = negative_elbo(decoded, x, observed_mask(indices, WINDOW).double(), posterior, 0.1)
    torch.testing.assert_close(loss, torch.tensor([0.5], **DOUBLE))


def test_solve_in_two_parts_is_the_solve_at_once():
    model = LatentODE(2, generator=generator())
    z = random(2, 3, 4)
    half, whole = torch.tensor([0.0, 1.5]), torch.tensor([0.0, 3.0])
    again = model.adaptive(model.adaptive(z, half, tolerance=1e-10)[-1], half, tolerance=1e-10)[-1]
    torch.testing.assert_close(again, model.adaptive(z, whole, tolerance=1e-10)[-1], atol=1e-8, rtol=0)
    back = model.adaptive(again, whole.flip(0), tolerance=1e-10)[-1]
    torch.testing.assert_close(back, z, atol=1e-7, rtol=0)


def test_fixed_steps_agree_with_the_adaptive_solve():
    model, z = LatentODE(2, generator=generator()), torch.randn(2, 3, 4, generator=generator(3))
    span = STEP * WINDOW
    fixed = Hermite(times(0, WINDOW), span=span, steps=40)(model.solve(z, span=span, steps=40))
    torch.testing.assert_close(fixed.double(), model.adaptive(z, times(0, WINDOW), tolerance=1e-9), atol=1e-4, rtol=0)


def test_encoders_see_their_observations_and_nothing_else():
    model, forecaster = LatentODE(1, generator=generator()), Forecaster([10], generator=generator())
    series = spirals(4, generator=generator())
    indices = [observation_indices(4, 10, generator=generator(1))]
    other = series.observed.clone()

    def means(x):
        return model.encode(model.inputs(x, indices)).mean

    unseen = observed_mask(indices, WINDOW)[:, 0, :, 0].T == 0
    other[unseen] += 7.0
    assert torch.equal(means(series.observed), means(other))
    assert torch.equal(forecaster.forecast(series.observed, indices, 5), forecaster.forecast(other, indices, 5))
    other[~unseen] += 7.0
    assert not torch.equal(
        model.encode(model.inputs(series.observed, indices)).mean, model.encode(model.inputs(other, indices)).mean
    )


def test_next_step_errors_do_not_see_the_point_that_they_predict():
    forecaster, x = Forecaster([6], generator=generator()), torch.randn(3, WINDOW, 2, generator=generator(2))
    indices = [observation_indices(3, 6, generator=generator(1))]
    moved = x.clone()
    moved[torch.arange(3), indices[0][:, -1]] += 1.0
    before, after = (forecaster.rnn.read(forecaster.rnn(forecaster.inputs(each, indices)))[:-1] for each in (x, moved))
    assert torch.equal(before, after)


def test_forecaster_without_gaps_ignores_time():
    forecaster, x = Forecaster([2], generator=generator()), torch.zeros(1, WINDOW, 2)
    near, far = [torch.tensor([[0, 1]])], [torch.tensor([[0, 90]])]
    a, b = forecaster.forecast(x, near, 3), forecaster.forecast(x, far, 3)
    assert torch.equal(a[:, 1], b[:, 1]) and not torch.equal(a[:, 0], b[:, 0])


def test_spirals_are_what_they_say():
    series = spirals(200, generator=generator())
    assert series.clean.shape == (200, PAST + 200, 2)
    assert int(series.clockwise.sum()) == 100
    assert torch.equal(turns_clockwise(series.clean), series.clockwise)
    noise = series.observed - series.clean[:, PAST : PAST + WINDOW]
    assert float(noise.std()) == pytest.approx(0.06, rel=0.02)
    radius = series.clean.norm(dim=-1)
    torch.testing.assert_close(radius.diff(dim=1), torch.full_like(radius[:, 1:], 0.06 * STEP), atol=1e-5, rtol=0)
    assert radius.max() <= 0.06 * 6 * math.pi, "three turns at most"


def test_one_point_does_not_tell_the_direction():
    """Radii and angles of a point have the same distribution whatever the direction, and each other's value says nothing."""
    series = spirals(20_000, generator=generator())
    first = series.clean[:, PAST]
    angle = torch.atan2(first[:, 1], first[:, 0])
    for turns in (True, False):
        mine = series.clockwise == turns
        assert float(first[mine].mean(0).norm()) < 0.02
        for share in (0.25, 0.5, 0.75):
            assert float(angle[mine].quantile(share)) == pytest.approx(2 * math.pi * share - math.pi, abs=0.15)
        inner = first[mine].norm(dim=1) < first[mine].norm(dim=1).median()
        assert float((angle[mine][inner] > 0).double().mean()) == pytest.approx(0.5, abs=0.03)
    radii = [first[series.clockwise == turns].norm(dim=1) for turns in (True, False)]
    assert float(radii[0].mean()) == pytest.approx(float(radii[1].mean()), abs=0.01)
    assert not torch.equal(first[::2].abs(), first[1::2].abs()), "no pairs of mirror images"


def test_observation_times():
    indices = observation_indices(50, 30, generator=generator())
    assert (indices.diff(dim=1) > 0).all() and indices.min() >= 0 and indices.max() < WINDOW
    assert indices.unique().numel() == WINDOW
    with pytest.raises(SettingsError, match="choose 1 to 100"):
        observation_indices(5, 101, generator=generator())


def test_a_posterior_is_sampled_with_its_standard_deviation():
    """The network gives the logarithm of the variance: sigma = exp(log_variance / 2)."""
    posterior = Posterior(random(1, 1, 3), torch.full((1, 1, 3), math.log(9.0), **DOUBLE))
    noise = random(1, 1, 3, seed=1)
    torch.testing.assert_close(posterior.sample(noise), posterior.mean + 3 * noise)


def test_the_encoder_reads_from_the_last_observation_to_the_first():
    x = torch.arange(WINDOW, **DOUBLE)[None, :, None].expand(1, -1, 2)
    read = backwards(x, torch.tensor([[2, 5, 9]]))
    assert read[0, :, 0].tolist() == [9, 5, 2]
    # each with the time since the observation before it
    torch.testing.assert_close(read[0, :, 2], STEP * torch.tensor([4.0, 3.0, 2.0], **DOUBLE))


def test_a_forecast_is_rolled_out_with_the_gap_of_one_point():
    """Beyond its last observation a variant that sees gaps is told that the next point is one step away."""
    model = Forecaster([4], generator=generator()).double()
    x, indices = random(3, WINDOW, 2), [torch.tensor([[5, 20, 40, 80]] * 3)]
    first, second = model.forecast(x, indices, 2)
    state = model.rnn(model.inputs(x, indices))[-1]
    torch.testing.assert_close(first, model.rnn.read(state))
    for variant, gap in enumerate((STEP, 0.0)):
        told = torch.cat([first, torch.full((2, 3, 1), gap, **DOUBLE), torch.ones(2, 3, 1, **DOUBLE)], -1)[None]
        expected = model.rnn.read(model.rnn(told, state)[-1])
        torch.testing.assert_close(second[variant], expected[variant])
