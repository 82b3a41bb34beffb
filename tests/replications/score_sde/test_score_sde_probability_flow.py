"""The probability flow by an adaptive solver: its samples, its latents, and what latents are used for."""

import math

import pytest
import torch

from common.dynamics.oracles import GaussianMixture, gaussian
from common.dynamics.paths import sub_vp, ve, vp
from replications.score_sde.predictor_corrector import predictor_corrector, scales
from replications.score_sde.predictors import euler_maruyama
from replications.score_sde.probability_flow import decoded, encoded, rk45, slerp, tempered

F64 = torch.float64
PATHS = [ve(0.01, 5.0), vp(), sub_vp()]
IDS = [path.name for path in PATHS]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=F64)


def mixture(path):
    means = torch.tensor([[0.6, 0.3], [-1.4, -0.7]], dtype=F64)
    return GaussianMixture(
        path, weights=torch.tensor([0.7, 0.3], dtype=F64), means=means, stds=torch.tensor([0.3, 0.5], dtype=F64)
    )


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_latents_of_gaussian_data_in_closed_form(path):
    """The flow moves x as m alpha + (x - m alpha) in proportion to the marginal's standard deviation."""
    mean, x, t_min = torch.tensor([0.5, -0.2], dtype=F64), draw(20, 2), 1e-3
    found = encoded(gaussian(path, mean, 0.4), x, t_min=t_min, tolerance=1e-9)
    at = torch.tensor([t_min, 1.0], dtype=F64)
    alpha, std = path.alpha(at), ((path.alpha(at) * 0.4).square() + path.sigma(at).square()).sqrt()
    torch.testing.assert_close(found.x, alpha[1] * mean + std[1] / std[0] * (x - alpha[0] * mean), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_decoding_takes_encoding_back_to_the_tolerance(path):
    oracle, x = mixture(path), mixture(path).sample(50, generator=generator())
    errors = []
    for tolerance in (1e-4, 1e-6, 1e-8):
        latents = encoded(oracle, x, t_min=1e-3, tolerance=tolerance)
        errors.append(float((decoded(oracle, latents.x, t_min=1e-3, tolerance=tolerance).x - x).abs().max()))
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-6, errors


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_evaluations_fall_with_the_tolerance_and_denoising_costs_one(path):
    oracle, x = mixture(path), path.prior_sample((50, 2), generator=generator())
    times = torch.tensor([1.0, 1e-3], dtype=F64)
    nfe = [int(rk45(tolerance)(oracle, x, times).nfe[0]) for tolerance in (1e-6, 1e-4, 1e-2)]
    assert nfe[0] > nfe[1] > nfe[2]
    raw, clean = rk45(1e-6, denoised=False)(oracle, x, times), rk45(1e-6)(oracle, x, times)
    torch.testing.assert_close(clean.x, oracle.denoised(raw.x, 1e-3))
    assert clean.nfe.tolist() == [int(raw.nfe[0]) + 1] * 50


def frequencies_apart(one, other):
    """Return the largest difference of 60 random characteristic-function values, in its standard errors."""
    angles = [x @ (1.5 * draw(2, 30, seed=9)) for x in (one, other)]
    features = [torch.cat([angle.cos(), angle.sin()], 1) for angle in angles]
    error = sum(part.var(0) / len(part) for part in features).sqrt()
    return float(((features[0].mean(0) - features[1].mean(0)) / error).abs().max())


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_flow_and_sde_have_one_marginal(path):
    oracle, n, t_min = mixture(path), 3000, 0.02
    x = path.prior_sample((n, 2), generator=generator(1))
    flow = rk45(denoised=False)(oracle, x, torch.tensor([1.0, t_min], dtype=F64)).x
    times, seen = scales(path, 400, t_min=t_min), []
    y = path.prior_sample((n, 2), generator=generator(2))
    predictor_corrector(euler_maruyama)(oracle, y, times, generator=generator(3), callback=lambda number, t, x: seen.append(x))
    sde = seen[-2]  # at t_min, with its noise
    time = torch.tensor(t_min, dtype=F64)
    data = path.perturb(oracle.sample(n, generator=generator(4)), time, draw(n, 2, seed=5))
    assert frequencies_apart(flow, sde) < 4.5 and frequencies_apart(flow, data) < 4.5
    assert frequencies_apart(flow, 1.1 * sde) > 4.5  # it would notice samples that are a tenth too wide


def test_slerp():
    a, b = draw(5, 3, 2, 2), draw(5, 3, 2, 2, seed=1)
    b = b * (a.flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).reshape(-1, 1, 1, 1)
    found = slerp(a, b, torch.linspace(0, 1, 5, dtype=F64))
    torch.testing.assert_close(found[0], a)
    torch.testing.assert_close(found[-1], b)
    norms = found.flatten(2).norm(dim=2)
    torch.testing.assert_close(norms, norms[:1].expand(5, 5))  # on the sphere, in even steps
    cosines = (found[1:] * found[:-1]).flatten(2).sum(2) / norms[1:] ** 2
    torch.testing.assert_close(cosines, cosines[:1].expand(4, 5))
    corner = slerp(torch.tensor([[1.0, 0.0]], dtype=F64), torch.tensor([[0.0, 1.0]], dtype=F64), torch.tensor([0.5]))
    assert corner.flatten().tolist() == pytest.approx([math.sqrt(0.5)] * 2)
    torch.testing.assert_close(slerp(a, 2 * a, torch.tensor([0.5], dtype=F64))[0], 1.5 * a)


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_a_lower_temperature_lowers_the_variance_of_samples(path):
    oracle, latents = gaussian(path, torch.zeros(2, dtype=F64), 0.4), path.prior_std * draw(500, 2)
    ratio = [
        float(decoded(oracle, tempered(latents, temperature), t_min=1e-3).x.var() / latents.var()) for temperature in (0.5, 1.0)
    ]
    assert ratio[0] / ratio[1] == pytest.approx(0.25, rel=1e-3)
