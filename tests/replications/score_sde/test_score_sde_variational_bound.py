"""The variational bound, on Gaussian data and on denoisers for which it can be written down."""

import math

import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import level_times, sub_vp, ve, vp
from replications.score_sde.discretisation import transition
from replications.score_sde.variational_bound import prior_cost, variational_bound

F64, MEAN = torch.float64, torch.tensor([0.3, -0.5], dtype=torch.float64)
PATHS = [ve(0.05, 5.0), vp(), sub_vp()]
IDS = [path.name for path in PATHS]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal_nll(x, mean, variance):
    return 0.5 * ((x - mean).square() / variance + math.log(2 * math.pi * variance)).sum(1)


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_every_step_costs_the_divergence_of_its_two_gaussians(path):
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
        of_data, variance = alpha_s * kernel.variance / sigma_t**2, kernel.variance * (sigma_s / sigma_t) ** 2
        expected = expected + of_data**2 * (x - t).square().sum(1) / (2 * variance)
    last = times[-1]
    expected = expected + normal_nll(x, float(last), float((path.sigma(last) / path.alpha(last)) ** 2))
    found = variational_bound(model, x, levels, generator=generator())
    torch.testing.assert_close(found.nats, expected, rtol=1e-10, atol=1e-10)
    assert found.nfe == levels


def expected_bound(path, x, levels, std):
    """The bound of the exact denoiser of N(MEAN, std^2), without chance: its error is (1 - g)(x - m) - g noise / sqrt(SNR)."""
    times = level_times(path, levels).flip(0)
    ratio = (path.alpha(times) / path.sigma(times)).square()
    gain = std**2 * ratio / (1 + std**2 * ratio)
    error = (1 - gain).square() * (x - MEAN).square().sum(1)[:, None] + x.shape[1] * gain.square() / ratio
    ahead = torch.cat([2 * ratio[:1], ratio[:-1]])
    constant = prior_cost(path, x) + 0.5 * x.shape[1] * math.log(2 * math.pi / float(ratio[0]))
    return constant + (0.5 * (ahead - ratio) * error)[:, 1:].sum(1) + 0.5 * ratio[0] * error[:, 0]


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_gaussian_data_in_closed_form(path):
    x, repeats = torch.tensor([[0.4, -0.2], [1.0, 0.7]], dtype=F64), 2000
    found = variational_bound(gaussian(path, MEAN, 0.5), x.repeat(repeats, 1), 30, generator=generator()).nats.reshape(repeats, 2)
    error = found.std(0) / repeats**0.5
    expected = expected_bound(path, x, 30, 0.5)
    assert ((found.mean(0) - expected).abs() < 4 * error).all() and (error < 0.01 * expected.abs() + 0.02).all()


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_it_bounds_the_density_of_the_data_and_comes_near_with_many_levels(path):
    """On average over data, whose density no model exceeds; as the levels grow what is left is the last one's noise."""
    x = MEAN + 0.5 * torch.randn(4000, 2, generator=generator(1), dtype=F64)
    truth = normal_nll(x, MEAN, 0.25).mean()
    gaps = [float(expected_bound(path, x, levels, 0.5).mean() - truth) for levels in (10, 30, 300, 3000)]
    assert gaps[0] > gaps[1] > gaps[2] > gaps[3] > 0 and gaps[3] < 0.02, gaps


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_it_bounds_the_density_of_the_chain_of_a_wrong_model(path):
    """Of Gaussians the chain's own density is known: each step takes mean and variance to mean and variance."""
    levels, std = 12, 0.8  # the data are what they like
    times, x = level_times(path, levels), torch.tensor([[0.4, -0.2], [1.0, 0.7], [-2.0, 0.0]], dtype=F64)
    mean, variance = torch.zeros(2, dtype=F64), path.prior_std**2
    for t, s in zip(times, [*times[1:], None]):
        alpha, sigma2 = float(path.alpha(t)), float(path.sigma(t)) ** 2
        gain = alpha * std**2 / (alpha**2 * std**2 + sigma2)  # of x in the denoiser
        offset = (1 - gain * alpha) * MEAN
        if s is None:
            mean, variance = gain * mean + offset, gain**2 * variance + sigma2 / alpha**2
            continue
        alpha_s, sigma2_s = float(path.alpha(s)), float(path.sigma(s)) ** 2
        step = alpha / alpha_s
        noise = sigma2 - step**2 * sigma2_s
        of_x, of_data = step * sigma2_s / sigma2, alpha_s * noise / sigma2
        slope = of_x + of_data * gain
        mean, variance = slope * mean + of_data * offset, slope**2 * variance + noise * sigma2_s / sigma2
    gap = expected_bound(path, x, levels, std) - normal_nll(x, mean, variance)
    assert (gap > 0).all(), gap


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_the_priors_cost_is_the_divergence_of_two_gaussians(path):
    x, end = torch.tensor([[0.4, -0.2]], dtype=F64), torch.ones((), dtype=F64)
    of_data = torch.distributions.Normal(path.alpha(end) * x, path.sigma(end))
    prior = torch.distributions.Normal(torch.zeros_like(x), path.prior_std)
    torch.testing.assert_close(prior_cost(path, x), torch.distributions.kl_divergence(of_data, prior).sum(1))
