"""The gradient of a linear measurement, against the density that it comes from and against exact posteriors."""

import pytest
import torch
from torch.distributions import MultivariateNormal

from common.dynamics.answers import Guided
from common.dynamics.oracles import gaussian
from common.dynamics.paths import sub_vp, ve, vp
from replications.score_sde.inverse_problems import measurement_gradient
from replications.score_sde.predictor_corrector import predictor_corrector, scales
from replications.score_sde.predictors import euler_maruyama

F64 = torch.float64
PATHS = [ve(0.01, 3.0), vp(), sub_vp()]
IDS = [path.name for path in PATHS]
A = torch.tensor([[1.0, 0.5, 0.0, 0.2], [0.0, -1.0, 2.0, 0.5], [0.3, 0.0, -0.4, 1.0]], dtype=F64)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_it_is_the_gradient_of_the_density_of_a_fresh_measurement(path, monkeypatch):
    """In the eigenbasis of A A^T noise is as isotropic as in any other."""
    x, y, std = draw(4, 1, 4), draw(4, 3, seed=1), 0.3
    vectors = torch.linalg.eigh(A @ A.T)[1]
    noise = draw(4, 3, seed=2)
    monkeypatch.setattr("replications.score_sde.inverse_problems.normal", lambda like, *_: noise @ vectors)
    for t in (torch.tensor(0.4, dtype=F64), torch.tensor([0.1, 0.4, 0.6, 0.9], dtype=F64)):
        alpha, sigma = (part(t).reshape(-1, 1) for part in (path.alpha, path.sigma))
        at_x, one = x.clone().requires_grad_(), torch.eye(3, dtype=F64)
        covariance = (alpha * std).square()[..., None] * one + sigma.square()[..., None] * (one + A @ A.T)
        density = MultivariateNormal(at_x.flatten(1) @ A.T, covariance)
        (wanted,) = torch.autograd.grad(density.log_prob(alpha * y + sigma * noise).sum(), at_x)
        found = measurement_gradient(path, A, y, std, generator=None)(x, t)
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_near_the_data_it_is_the_likelihoods(path):
    x, y, std, t = draw(4, 4), draw(4, 3, seed=1), 3.0, 1e-5
    found = measurement_gradient(path, A, y, std, generator=torch.Generator().manual_seed(0))(x, t)
    torch.testing.assert_close(found, (y - x @ A.T) @ A / std**2, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_samples_go_most_of_the_way_to_the_posterior(path):
    """Data of variance c^2: the posterior's precision is I / c^2 + A^T A / std^2."""
    n, std, c, mean = 3000, 0.2, 0.5, torch.tensor([0.3, -0.2, 0.1, 0.0], dtype=F64)
    y = torch.tensor([1.2, 0.9, -0.5], dtype=F64)
    posterior = torch.linalg.inv(torch.eye(4, dtype=F64) / c**2 + A.T @ A / std**2)
    centre = posterior @ (mean / c**2 + A.T @ y / std**2)
    gradient = measurement_gradient(path, A, y.expand(n, 3), std, generator=torch.Generator().manual_seed(2))
    found = predictor_corrector(euler_maruyama)(
        Guided(gaussian(path, mean, c), gradient),
        path.prior_sample((n, 4), generator=torch.Generator().manual_seed(1)),
        scales(path, 300, t_min=1e-3),
        generator=torch.Generator().manual_seed(3),
    ).x
    gap, before = (found.mean(0) - centre).norm(), (mean - centre).norm()
    assert gap < 0.3 * before
    # a combination that is not measured keeps the data's variance
    unseen = torch.linalg.svd(A).Vh[-1]
    assert (found @ unseen).std().item() == pytest.approx(c, rel=0.08)
    assert (found @ unseen).mean().item() == pytest.approx(float(mean @ unseen), abs=4 * c / n**0.5 + 0.02)
