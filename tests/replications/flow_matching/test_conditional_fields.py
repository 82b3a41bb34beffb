"""The paper's fields, written out in the paper's own time (0 noise, 1 data), against ours (0 data, 1 noise; other sign)."""

import math

import pytest
import torch

from common.dynamics.denoiser import Denoiser
from common.dynamics.oracles import GaussianMixture
from common.dynamics.paths import PATHS
from common.learning.objective_table import OBJECTIVES
from replications.flow_matching import figures
from replications.flow_matching.conditional_flow_matching import conditional_field

TIMES = torch.tensor([0.05, 0.3, 0.5, 0.8, 0.95], dtype=torch.float64)  # the paper's
BETA_MIN, BETA_MAX = 0.1, 20.0


@pytest.fixture
def points():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, len(TIMES), 3, generator=generator, dtype=torch.float64)


def integral(s):
    """The paper's T(s), the integral of beta."""
    return s * BETA_MIN + s**2 * (BETA_MAX - BETA_MIN) / 2


def published_ot(x, x1, t):
    sigma_min = 1e-5
    return (x1 - (1 - sigma_min) * x) / (1 - (1 - sigma_min) * t)


def published_vp(x, x1, t):
    s = 1 - t
    growth = integral(s)
    slope = BETA_MIN + s * (BETA_MAX - BETA_MIN)
    return -slope / 2 * (torch.exp(-growth) * x - torch.exp(-growth / 2) * x1) / (1 - torch.exp(-growth))


def published_ve(x, x1, t):
    # sigma_s = 0.01 * 5000^s, so sigma'/sigma is a constant
    return -math.log(5000) * (x - x1)


PUBLISHED = {"ot": published_ot, "vp": published_vp, "ve": published_ve}


@pytest.mark.parametrize("name", PUBLISHED)
def test_conditional_fields_are_the_published_ones(name, points):
    x, x1 = points
    ours = conditional_field(PATHS[name](), x, x1, 1 - TIMES)
    torch.testing.assert_close(-ours, PUBLISHED[name](x, x1, TIMES[:, None]), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_field_carries_its_own_path(name, points):
    noise, x0 = points
    path, t = PATHS[name](), 1 - TIMES
    x = path.perturb(x0, t, noise)
    torch.testing.assert_close(conditional_field(path, x, x0, t), path.conditional_velocity(x0, t, noise))


def test_ot_paths_are_straight_at_constant_speed_and_vp_paths_are_not(points):
    noise, x0 = (each[:1].expand(len(TIMES), 3) for each in points)
    spread = {}
    for name in ("ot", "vp"):
        path = PATHS[name]()
        field = conditional_field(path, path.perturb(x0, TIMES, noise), x0, TIMES)
        spread[name] = float((field - field[0]).norm(dim=1).max() / field[0].norm())
    assert spread["ot"] < 1e-12 < 0.5 < spread["vp"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_marginal_field_averages_conditional_fields_over_the_posterior(name, points):
    """u_t(x) = E[u_t(x | x_0) | x_t = x] for a data set of five points, each blurred by nothing (Theorem 1)."""
    data = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x, path = points[0], PATHS[name]()
    weights = torch.full((5,), 0.2, dtype=torch.float64)
    oracle = GaussianMixture(path, weights=weights, means=data, stds=torch.zeros_like(weights))
    for t in 1 - TIMES:
        x_t = path.perturb(data[:1].expand(len(x), 3), t, x)
        alpha, sigma = path.alpha(t), path.sigma(t)
        posterior = torch.softmax(-(x_t[:, None] - alpha * data).square().sum(-1) / (2 * sigma**2), dim=1)
        times = t.expand(len(x))
        conditional = torch.stack([conditional_field(path, x_t, point.expand(len(x), 3), times) for point in data], dim=1)
        expected = (posterior[..., None] * conditional).sum(1)
        torch.testing.assert_close(oracle.velocity(x_t, times), expected, rtol=1e-8, atol=1e-9)


def test_score_matching_and_flow_matching_say_the_same_on_the_diffusion_path(points):
    """A score network answers velocity by the probability-flow ODE: in the paper's time u = T'(1-t)/2 (x + score)."""
    x, score = points

    class Known(torch.nn.Module):
        def forward(self, x, t):
            return score

    path = OBJECTIVES["score_vp"].objective.build().path
    model = Denoiser(Known(), path, "score")
    slope = BETA_MIN + (1 - TIMES)[:, None] * (BETA_MAX - BETA_MIN)
    torch.testing.assert_close(-model.velocity(x, 1 - TIMES), slope / 2 * (x + score), rtol=1e-9, atol=1e-9)


def test_the_five_objectives_are_the_papers():
    described = {
        name: (each.objective.path, each.objective.prediction, each.objective.weight) for name, each in OBJECTIVES.items()
    }
    assert {name: what for name, what in described.items() if name in figures.NAMES} == {
        "fm_ot": ("ot", "velocity", "one"),
        "fm_vp": ("vp", "velocity", "one"),
        "score_vp": ("vp", "score", "sigma_squared"),
        "ddpm_vp": ("vp", "noise", "one"),
        "scoreflow_vp": ("vp", "score", "diffusion_squared"),
    }
