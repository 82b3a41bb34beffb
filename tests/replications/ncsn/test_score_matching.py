"""The four objectives where everything is known: linear scores and Gaussian data, whose moments few points carry exactly."""

import pytest
import torch
from torch import nn

from common.dynamics.answers import Answering
from common.dynamics.paths import broadcast, ve
from common.learning.objectives import Objective, regression_loss
from replications.ncsn.score_matching import (
    denoising_score_matching,
    exact_score_matching,
    half_square,
    noise_conditional,
    sliced_score_matching,
    sliced_score_matching_forward,
)

F64, D, SIGMA = torch.float64, 3, 0.7
MEAN = torch.tensor([0.5, -1.0, 2.0], dtype=F64)
FACTOR = torch.tensor([[1.0, 0.0, 0.0], [0.4, 0.8, 0.0], [-0.3, 0.2, 1.5]], dtype=F64)
COVARIANCE = FACTOR @ FACTOR.T
SLICED = {"reverse": sliced_score_matching, "forward": sliced_score_matching_forward}


def carriers(dimensions):
    """2 d points of mean 0 and covariance I: what is quadratic has its Gaussian expectation as their mean."""
    basis = dimensions**0.5 * torch.eye(dimensions, dtype=F64)
    return torch.cat([basis, -basis])


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def everywhere(x):
    """Every point with every probe sqrt(d) e_i, whose mean outer product is the identity."""
    probes = D**0.5 * torch.eye(D, dtype=F64)
    return x.repeat_interleave(D, 0), probes.repeat(len(x), 1)


def exact(score):
    return exact_score_matching(score, MEAN + carriers(D) @ FACTOR.T).mean()


def denoising(score):
    both = carriers(2 * D)
    noise, sigma = both[:, D:], torch.tensor(SIGMA, dtype=F64)
    return denoising_score_matching(score, MEAN + both[:, :D] @ FACTOR.T, sigma, noise).mean()


def sliced(mode):
    return lambda score: SLICED[mode](score, *everywhere(MEAN + carriers(D) @ FACTOR.T)).mean()


LEAST = -0.5 * COVARIANCE.inverse().trace()
CONVOLVED = COVARIANCE + SIGMA**2 * torch.eye(D, dtype=F64)
OF_NOISE = 0.5 * (D / SIGMA**2 - CONVOLVED.inverse().trace())


@pytest.mark.parametrize(
    ("loss", "covariance", "least"),
    [
        (exact, COVARIANCE, LEAST),
        (sliced("reverse"), COVARIANCE, LEAST),
        (sliced("forward"), COVARIANCE, LEAST),
        (denoising, CONVOLVED, OF_NOISE),
    ],
)
def test_the_true_score_is_the_minimiser(loss, covariance, least):
    """Of a quadratic form in (A, b) for scores b - A x: its slope vanishes at the truth, and it is higher elsewhere."""
    truth = [covariance.inverse(), covariance.inverse() @ MEAN]
    parameters = [each.clone().requires_grad_() for each in truth]
    value = loss(lambda x: parameters[1] - x @ parameters[0].T)
    assert value.item() == pytest.approx(least.item(), rel=1e-12)
    for slope in torch.autograd.grad(value, parameters):
        torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-12)
    for seed in range(5):
        a, b = (each + 0.1 * draw(*each.shape, seed=seed) for each in truth)
        assert loss(lambda x: b - x @ a.T) > value  # noqa: B023 - called at once


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(D, 7), nn.Tanh(), nn.Linear(7, D)).double()


def slopes(loss, network):
    return torch.autograd.grad(loss.sum(), list(network.parameters()), allow_unused=True, materialize_grads=True)


def test_the_exact_loss_is_its_formula(network):
    x = draw(4, D)
    trace = torch.func.vmap(torch.func.jacrev(network))(x).diagonal(dim1=1, dim2=2).sum(1)
    torch.testing.assert_close(exact_score_matching(network, x), trace + 0.5 * network(x).square().sum(1))


@pytest.mark.parametrize("mode", SLICED)
def test_the_mean_over_slices_is_the_exact_loss_of_every_point(mode, network):
    x = draw(4, D)
    found, expected = SLICED[mode](network, *everywhere(x)).reshape(4, D).mean(1), exact_score_matching(network, x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    for one, other in zip(slopes(found, network), slopes(expected, network)):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)


def test_both_ways_to_differentiate_agree_and_train_alike(network):
    """v^T J v is no linear form in v: a probe that is normal, not a basis vector, also sees the rest of the Jacobian."""
    x, probe = draw(6, D), draw(6, D, seed=1)
    reverse, forward = (loss(network, x, probe) for loss in SLICED.values())
    jacobian = torch.func.vmap(torch.func.jacrev(network))(x)
    expected = torch.einsum("bi,bij,bj->b", probe, jacobian, probe) + 0.5 * network(x).square().sum(1)
    for found in (reverse, forward):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    for one, other, third in zip(*(slopes(loss, network) for loss in (reverse, forward, expected))):
        torch.testing.assert_close(one, third, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(other, third, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("mode", SLICED)
def test_a_score_without_x_has_no_slope(mode):
    x = draw(4, D)
    constant = torch.ones(D, dtype=F64, requires_grad=True)
    found = SLICED[mode](lambda x: constant.expand_as(x), x, draw(4, D, seed=1))
    torch.testing.assert_close(found, torch.full((4,), D / 2, dtype=F64))
    assert slopes_of(found, constant).tolist() == [4.0] * D


def slopes_of(loss, parameter):
    return torch.autograd.grad(loss.sum(), parameter)[0]


def test_losses_of_images_are_those_of_their_pixels():
    """Sums over all axes of a sample."""
    net = nn.Sequential(nn.Linear(8, 8), nn.Tanh()).double()
    flat, probe, sigma = draw(5, 8), draw(5, 8, seed=1), torch.linspace(0.5, 1, 5, dtype=F64)

    def on_images(x):
        return net(x.flatten(1)).reshape(x.shape)

    images, probes = flat.reshape(5, 2, 2, 2), probe.reshape(5, 2, 2, 2)
    torch.testing.assert_close(half_square(images), 0.5 * flat.square().sum(1))
    torch.testing.assert_close(exact_score_matching(on_images, images), exact_score_matching(net, flat))
    for loss in SLICED.values():
        torch.testing.assert_close(loss(on_images, images, probes), loss(net, flat, probe))
    expected = denoising_score_matching(net, flat, sigma, probe)
    torch.testing.assert_close(denoising_score_matching(on_images, images, sigma, probes), expected)


def test_every_sample_has_its_own_noise_level(network):
    x0, noise, sigma = draw(3, D), draw(3, D, seed=1), torch.tensor([0.1, 1.0, 3.0], dtype=F64)
    found = denoising_score_matching(network, x0, sigma, noise)
    for k in range(3):
        alone = denoising_score_matching(network, x0[[k]], sigma[k], noise[[k]])
        written_out = 0.5 * (network(x0[k] + sigma[k] * noise[k]) + noise[k] / sigma[k]).square().sum()
        torch.testing.assert_close(found[[k]], alone)
        torch.testing.assert_close(found[k], written_out)


@pytest.mark.parametrize("prediction", ["score", "noise"])
def test_weighted_by_variance_it_is_the_suites_regression(prediction, network):
    """D / 2 times the mean over dimensions: of the score with weight sigma^2, or of the noise with none."""
    path, x0, noise, t = ve(0.01, 2.0), draw(4, D), draw(4, D, seed=1), torch.linspace(0, 1, 4, dtype=F64)
    model = Answering(path, prediction, lambda x, t: network(x) * broadcast(1 + t, x))
    predict = {"score": model.score, "noise": model.noise}[prediction]
    objective = Objective(path, prediction, "sigma_squared" if prediction == "score" else "one")
    sigma = path.sigma(t)
    loss = denoising_score_matching(lambda x: model.score(x, t), x0, sigma, noise)
    expected = D / 2 * regression_loss(predict, objective, x0, t=t, noise=noise)
    torch.testing.assert_close(sigma.square() * loss, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(noise_conditional(loss, sigma), expected.mean(), rtol=1e-12, atol=0)


def test_levels_are_weighted_by_a_power_of_sigma():
    loss, sigma = torch.tensor([1.0, 2.0, 5.0], dtype=F64), torch.tensor([3.0, 2.0, 1.0], dtype=F64)
    assert noise_conditional(loss, sigma).item() == pytest.approx((9 + 8 + 5) / 3)
    assert noise_conditional(loss, sigma, power=0).item() == pytest.approx(8 / 3)
    assert noise_conditional(loss, sigma, power=1).item() == pytest.approx(12 / 3)


def test_a_network_that_says_nothing_loses_half_the_dimensions_at_every_level():
    x0, noise, sigma = torch.zeros(4000, D, dtype=F64), draw(4000, D), torch.logspace(-3, 1, 4000, dtype=F64)
    weighted = sigma.square() * denoising_score_matching(torch.zeros_like, x0, sigma, noise)
    torch.testing.assert_close(weighted, half_square(noise))
