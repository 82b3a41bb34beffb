from dataclasses import replace

import pytest
import torch
from torch import nn

from common.dynamics.denoiser import Denoiser
from common.dynamics.oracles import GaussianMixture
from common.dynamics.paths import PATHS, level_times, optimal_transport, ve, vp
from common.learning.objectives import Objective, draw_times, regression_loss, target, weight_at

F64 = torch.float64
QUANTITIES = ("data", "noise", "score", "velocity")
METHODS = dict(zip(QUANTITIES, ("denoised", "noise", "score", "velocity")))


def oracle_on(path):
    means = torch.tensor([[1.0, 0.0], [-1.0, 0.5]], dtype=F64)
    return GaussianMixture(
        path, weights=torch.tensor([0.6, 0.4], dtype=F64), means=means, stds=torch.tensor([0.3, 0.6], dtype=F64)
    )


class Function(nn.Module):
    """A backbone that is a plain function of (x, t)."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x, t):
        return self.function(x, t)


def batch(path, n, rng):
    x0 = oracle_on(path).sample(n, generator=rng)
    t = 0.05 + 0.9 * torch.rand(n, generator=rng, dtype=F64)
    return x0, t, torch.randn(n, 2, generator=rng, dtype=F64)


def within_error(samples):
    """Whether the mean over the batch is zero to four standard errors (one bound for all columns)."""
    return bool((samples.mean(0).abs() < 4 * samples.std(0) / len(samples) ** 0.5).all())


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("name", PATHS)
def test_the_exact_answer_is_the_minimum(name, quantity, rng):
    """The regression's optimum is the conditional mean: its residual is orthogonal to every function of (x_t, t)."""
    path = PATHS[name]()
    x0, t, noise = batch(path, 20000, rng)
    x = path.perturb(x0, t, noise)
    answer = getattr(oracle_on(path), METHODS[quantity])(x, t)
    residual = answer - target(path, quantity, x0, t, noise)
    # a score's variance is 1/sigma^2: without the weight the smallest sigma drowns all others
    weight = path.sigma(t)[:, None] ** 2 if quantity == "score" else 1.0
    for test_function in (torch.ones_like(x), torch.tanh(x / path.sigma(t)[:, None]), torch.cos(3 * x + t[:, None])):
        assert within_error(weight * residual * test_function)
    # and the check has the power to see a wrong factor
    assert not within_error(weight * (residual + 0.1 * answer) * answer)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_loss_is_the_weighted_squared_error_of_the_prediction(quantity, draw, rng):
    path = vp()
    x0, noise, t = draw(3, 1, 2, 2), draw(3, 1, 2, 2), torch.tensor([0.2, 0.5, 0.9], dtype=F64)
    truth = {
        "data": x0,
        "noise": noise,
        "score": -noise / path.sigma(t)[:, None, None, None],
        "velocity": path.conditional_velocity(x0, t, noise),
    }[quantity]
    error = (2 * path.perturb(x0, t, noise) - truth).square().mean((1, 2, 3))
    weights = {"one": torch.ones(3, dtype=F64), "sigma_squared": path.sigma(t) ** 2, "diffusion_squared": 0.1 + 19.9 * t}
    for weight, factor in weights.items():
        loss = regression_loss(lambda x, t: 2 * x, Objective(path, quantity, weight), x0, t=t, noise=noise)
        assert loss.shape == (3,)
        torch.testing.assert_close(loss, factor * error)


@pytest.mark.parametrize("name", PATHS)
def test_objectives_of_the_papers_are_one_another(name, rng):
    """sigma^2-weighted score matching is noise matching; flow matching is score matching weighted by (g^2/2)^2."""
    path = PATHS[name]()
    x0, t, noise = batch(path, 50, rng)
    model = Denoiser(Function(lambda x, t: torch.sin(x) + t[:, None]), path, "noise")

    def loss(quantity, weight):
        return regression_loss(getattr(model, METHODS[quantity]), Objective(path, quantity, weight), x0, t=t, noise=noise)

    torch.testing.assert_close(loss("score", "sigma_squared"), loss("noise", "one"))
    g2 = path.diffusion_squared(t)
    torch.testing.assert_close(loss("velocity", "one"), (g2 / 2) ** 2 * loss("score", "one"))
    torch.testing.assert_close(loss("score", "diffusion_squared"), g2 * loss("score", "one"))
    torch.testing.assert_close(weight_at(path, "one", t), torch.ones_like(t))


@pytest.mark.parametrize("name", ["ot", "vp"])
def test_conditional_and_marginal_flow_matching_have_the_same_gradient(name, rng):
    """Lipman 2022, theorem 2: gradients agree in expectation, batch by batch on the same points."""
    path = PATHS[name]()
    net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, generator=rng)
    objective = Objective(path, "velocity", "one")
    differences, gradients = [], []
    for _ in range(60):
        x0, t, noise = batch(path, 500, rng)
        x = path.perturb(x0, t, noise)
        conditional = regression_loss(lambda x, t: net(x), objective, x0, t=t, noise=noise).mean()
        marginal = (net(x) - oracle_on(path).velocity(x, t)).square().mean()
        ours, exact = (
            torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(net.parameters()))])
            for loss in (conditional, marginal)
        )
        differences.append(ours - exact)
        gradients.append(exact)
    assert within_error(torch.stack(differences))
    assert not within_error(torch.stack(gradients))


def test_times_fill_the_training_interval(rng):
    t = draw_times(vp(), 20000, generator=rng)
    assert (t.dtype, t.shape) == (torch.float32, (20000,))
    assert 1e-5 <= t.min() < 1e-3
    assert 0.999 < t.max() <= 1
    assert t.mean() == pytest.approx(0.5, abs=4 * 12**-0.5 / 20000**0.5)
    late = draw_times(replace(vp(), t_min=0.3), 20000, generator=rng)
    assert late.min() == pytest.approx(0.3, abs=1e-3) and late.max() == pytest.approx(1.0, abs=1e-3) and late.max() <= 1
    assert draw_times(optimal_transport(), 20000, generator=rng).min() < 1e-3
    state = torch.get_rng_state()
    twice = [draw_times(vp(), 5, generator=torch.Generator().manual_seed(1), dtype=F64) for _ in range(2)]
    assert torch.equal(*twice)
    assert torch.equal(torch.get_rng_state(), state)


def test_times_of_noise_levels_are_drawn_evenly(rng):
    known = level_times(ve(), 10)
    t = draw_times(ve(), 20000, generator=rng, known_times=known, dtype=F64)
    counts = (t[:, None] == known).sum(0)
    assert counts.sum() == 20000 and (counts - 2000).abs().max() < 5 * 2000**0.5


def test_an_objective_is_a_value():
    path = vp()
    assert Objective(path, "noise", "one") == Objective(path, "noise", "one")
