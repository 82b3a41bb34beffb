import pytest
import torch
from test_likelihood import MEAN, STD, gaussian_flow
from torch import nn

from common.dynamics.denoiser import Denoiser
from common.dynamics.likelihood import log_likelihood
from common.dynamics.oracles import gaussian
from common.dynamics.paths import PATHS, vp
from common.dynamics.quadrature import gauss, log_likelihood_by_quadrature

F64 = torch.float64


@pytest.mark.parametrize("name", ["vp", "sub_vp", "ot"])
def test_gaussian_likelihood_in_closed_form(name, draw):
    path, x = PATHS[name](), draw(8, 2)
    solved = log_likelihood_by_quadrature(gaussian(path, MEAN, STD), x, nodes=40, rtol=1e-9, atol=1e-9)
    latent, expected = gaussian_flow(path, x, path.t_min)
    torch.testing.assert_close(solved.log_density, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(solved.latent, latent, rtol=1e-7, atol=1e-7)
    assert not solved.noisy


def test_a_later_start_takes_x_as_a_point_there(draw):
    path, x = vp(), draw(8, 2)
    solved = log_likelihood_by_quadrature(gaussian(path, MEAN, STD), x, nodes=40, rtol=1e-9, atol=1e-9, t_min=0.05)
    latent, expected = gaussian_flow(path, x, 0.05)
    torch.testing.assert_close(solved.log_density, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(solved.latent, latent, rtol=1e-7, atol=1e-7)


class Wave(nn.Module):
    """A network that is smooth in x and t and no gradient of anything."""

    def forward(self, x, t):
        return torch.sin(x.roll(1, 1) + 2 * x + 3 * t.reshape(-1, 1))


@pytest.mark.parametrize("prediction", ["velocity", "noise"])
def test_it_agrees_with_the_joint_ode_on_networks(prediction, draw):
    """Noise prediction has a velocity like 1 / sigma near the data, which a rule in t itself would miss."""
    model, x = Denoiser(Wave(), vp(), prediction), draw(6, 4)
    joint = log_likelihood(model, x, divergence="exact", rtol=1e-8, atol=1e-8)
    ours = log_likelihood_by_quadrature(model, x, nodes=64, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(ours.log_density, joint.log_density, rtol=0, atol=1e-3)
    torch.testing.assert_close(ours.latent, joint.latent, rtol=0, atol=1e-4)


def test_chunks_change_nothing_but_memory(draw):
    model, x = Denoiser(Wave(), vp(), "velocity"), draw(3, 4)
    whole, parts = (log_likelihood_by_quadrature(model, x, nodes=8, chunk=chunk).log_density for chunk in (None, 2))
    torch.testing.assert_close(whole, parts, rtol=1e-12, atol=1e-12)


def test_the_rule_integrates_polynomials_exactly():
    u, weights = gauss(4)
    for power in range(8):
        assert float((weights * u**power).sum()) == pytest.approx(1 / (power + 1), rel=1e-13)
    assert (u.diff() > 0).all() and u[0] > 0 and u[-1] < 1
