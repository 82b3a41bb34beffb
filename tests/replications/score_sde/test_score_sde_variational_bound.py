"""The variational bound, on Gaussian data and on denoisers for which it can be written down."""

import math
from typing import get_args

import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import level_times, sub_vp, ve, vp
from replications.score_sde.discretisation import transition
from replications.score_sde.images.variational_bound import Variance, denoising_errors, prior_cost, variational_bound

F64, MEAN = torch.float64, torch.tensor([0.3, -0.5], dtype=torch.float64)
PATHS = [ve(0.05, 5.0), vp(), sub_vp()]
IDS, VARIANCES = [path.name for path in PATHS], get_args(Variance)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal_nll(x, mean, variance):
    return 0.5 * ((x - mean).square() / variance + math.log(2 * math.pi * variance)).sum(1)


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_every_step_costs_the_divergence_of_its_two_gaussians(path, variance):
    """Of a denoiser that says t, whatever x: then nothing is random, and DDPM's own formulas give every term."""
    levels, x = 6, torch.tensor([[0.4, -0.2], [1.0, 0.7]], dtype=F64)
    model = Answering(path, "data", lambda x, t: torch.zeros_like(x) + t)
    times = level_times(path, levels)
    expected = prior_cost(path, x)
    for t, kernel in transition(path, times).items():
        s = max(time for time in times.tolist() if time < t)
        alpha_s, sigma_s, sigma_t = (
            float(schedule(torch.tensor(time, dtype=F64)))
            for schedule, time in ((path.alpha, s), (path.sigma, s), (path.sigma, t))
        )
        of_data, true = alpha_s * kernel.variance / sigma_t**2, kernel.variance * (sigma_s / sigma_t) ** 2
        taken = kernel.variance if variance == "forward" else true
        apart = torch.distributions.Normal(of_data * x, true**0.5), torch.distributions.Normal(of_data * t, taken**0.5)
        expected = expected + torch.distributions.kl_divergence(*apart).sum(1)
    last = times[-1]
    expected = expected + normal_nll(x, float(last), float((path.sigma(last) / path.alpha(last)) ** 2))
    errors = denoising_errors(model, x, levels, generator=generator())
    torch.testing.assert_close(variational_bound(path, x, errors, variance), expected, rtol=1e-6, atol=1e-6)


def expected_errors(path, x, levels, std):
    """Of the exact denoiser of N(MEAN, std^2), whose error is (1 - g)(x - m) - g noise / sqrt(SNR): its mean square."""
    times = level_times(path, levels).flip(0)
    ratio = (path.alpha(times) / path.sigma(times)).square()
    gain = std**2 * ratio / (1 + std**2 * ratio)
    return (1 - gain).square()[:, None] * (x - MEAN).square().sum(1) + (x.shape[1] * gain.square() / ratio)[:, None]


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_errors_on_gaussian_data_in_closed_form(path):
    x, repeats = torch.tensor([[0.4, -0.2], [1.0, 0.7]], dtype=F64), 1000
    found = denoising_errors(gaussian(path, MEAN, 0.5), x.repeat(repeats, 1), 30, generator=generator()).reshape(30, repeats, 2)
    error = found.std(1) / repeats**0.5
    assert ((found.mean(1) - expected_errors(path, x, 30, 0.5)).abs() < 5 * error).all()
    # independent from level to level
    assert float(torch.corrcoef(found[:2, :, 0])[0, 1].abs()) < 0.15


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_it_comes_down_to_the_density_of_the_data_as_levels_grow(path):
    """On average over data, whose density no model exceeds. The wider choice of variance loses nothing where noise is small."""
    x = MEAN + 0.5 * torch.randn(1000, 2, generator=generator(1), dtype=F64)
    truth = normal_nll(x, MEAN, 0.25).mean()
    gaps = {
        variance: [
            float(variational_bound(path, x, expected_errors(path, x, levels, 0.5), variance).mean() - truth)
            for levels in (30, 300, 3000)
        ]
        for variance in VARIANCES
    }
    few, more, many = gaps["forward"]
    assert few > more > many > 0 and many < 0.04, gaps
    assert all(posterior > 0 for posterior in gaps["posterior"])
    # where the noise falls like sqrt(t) or t, the smallest levels are far apart
    assert path.name == "ve" or gaps["posterior"][2] > 0.2


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_it_bounds_the_density_of_the_chain_of_a_wrong_model(path, variance):
    """Of Gaussians the chain's own density is known: each step takes mean and variance to mean and variance."""
    levels, std = 12, 0.8
    times, x = level_times(path, levels), torch.tensor([[0.4, -0.2], [1.0, 0.7], [-2.0, 0.0]], dtype=F64)
    mean, spread = torch.zeros(2, dtype=F64), path.prior_std**2
    for t, s in zip(times, [*times[1:], None]):
        alpha, sigma2 = float(path.alpha(t)), float(path.sigma(t)) ** 2
        gain = alpha * std**2 / (alpha**2 * std**2 + sigma2)  # of x in the denoiser
        offset = (1 - gain * alpha) * MEAN
        if s is None:
            mean, spread = gain * mean + offset, gain**2 * spread + sigma2 / alpha**2
            continue
        alpha_s, sigma2_s = float(path.alpha(s)), float(path.sigma(s)) ** 2
        step = alpha / alpha_s
        noise = sigma2 - step**2 * sigma2_s
        of_x, of_data = step * sigma2_s / sigma2, alpha_s * noise / sigma2
        slope, taken = of_x + of_data * gain, noise if variance == "forward" else noise * sigma2_s / sigma2
        mean, spread = slope * mean + of_data * offset, slope**2 * spread + taken
    bound = variational_bound(path, x, expected_errors(path, x, levels, std), variance)
    assert (bound > normal_nll(x, mean, spread)).all()


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_the_priors_cost_is_the_divergence_of_two_gaussians(path):
    x, end = torch.tensor([[0.4, -0.2]], dtype=F64), torch.ones((), dtype=F64)
    of_data = torch.distributions.Normal(path.alpha(end) * x, path.sigma(end))
    prior = torch.distributions.Normal(torch.zeros_like(x), path.prior_std)
    torch.testing.assert_close(prior_cost(path, x), torch.distributions.kl_divergence(of_data, prior).sum(1))
