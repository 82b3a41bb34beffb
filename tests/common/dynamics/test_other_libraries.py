"""The same questions, put to libraries that know nothing of ours: zuko, azula and torchode."""

import pytest
import torch
import torchode
from azula.denoise import GaussianDenoiser
from azula.linalg.covariance import IsotropicCovariance
from azula.noise import Schedule
from azula.sample import DDIMSampler, HeunSampler
from torch import nn
from zuko.transforms import FreeFormJacobianTransform

from common.dynamics.divergence import with_exact_divergence
from common.dynamics.likelihood import flow_log_density
from common.dynamics.oracles import GaussianMixture, gaussian
from common.dynamics.paths import PATHS, optimal_transport, uniform_times, vp
from common.dynamics.samplers.edm import edm_heun
from common.dynamics.samplers.exponential import ddim
from common.dynamics.samplers.ode import torchdiffeq_solver

F64 = torch.float64
MEAN, STD = torch.tensor([0.5, -0.3], dtype=F64), 0.7
START, END = 0.9, 0.1


class OurPath(Schedule):
    """One of our paths as a schedule of azula's."""

    def __init__(self, path):
        self.path = path

    def __call__(self, t):
        return self.path.alpha(t), self.path.sigma(t)


def theirs(path):
    return GaussianDenoiser(MEAN, IsotropicCovariance(torch.tensor(STD**2, dtype=F64)), OurPath(path))


@pytest.mark.parametrize("name", PATHS)
def test_azulas_gaussian_denoiser_is_our_oracle(name, draw):
    path, x = PATHS[name](), draw(6, 2)
    for t in (0.05, 0.5, 0.9):
        time = torch.tensor(t, dtype=F64)
        torch.testing.assert_close(gaussian(path, MEAN, STD).denoised(x, t), theirs(path)(x, time).mean, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(("ours", "other"), [(ddim(), DDIMSampler), (edm_heun(), HeunSampler)])
def test_azulas_samplers_take_the_same_steps(name, ours, other, draw):
    path, x = PATHS[name](), draw(6, 2)
    sample = other(theirs(path), start=START, stop=END, steps=10, silent=True, dtype=F64)
    found = ours(gaussian(path, MEAN, STD), x, uniform_times(path, 10, t_min=END, t_max=START)).x
    torch.testing.assert_close(found, sample(x), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("path", [vp(), optimal_transport()], ids=lambda path: path.name)
def test_torchode_follows_the_same_flow(path, draw):
    """Its solver gives every sample its own steps; the solution is one."""
    means, weights = torch.tensor([[2.0, 0.0], [-2.0, 1.0]], dtype=F64), torch.tensor([0.7, 0.3], dtype=F64)
    oracle, x = GaussianMixture(path, weights=weights, means=means, stds=torch.full((2,), 0.4, dtype=F64)), draw(8, 2)
    term = torchode.ODETerm(lambda t, y: oracle.velocity(y, t))
    solver = torchode.AutoDiffAdjoint(torchode.Dopri5(term=term), torchode.IntegralController(1e-10, 1e-10, term=term))
    ends = torch.tensor([START, END], dtype=F64).expand(8, 2)
    solution = solver.solve(torchode.InitialValueProblem(y0=x, t_eval=ends))
    times = uniform_times(path, 1, t_min=END, t_max=START)
    ours = torchdiffeq_solver("dopri5", rtol=1e-10, atol=1e-10)(oracle, x, times).x
    torch.testing.assert_close(ours, solution.ys[:, -1], rtol=1e-6, atol=1e-6)


def test_zukos_free_form_flow_has_the_same_density(draw, rng):
    """Latent, log-determinant and density of a small network's flow."""
    network = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 2)).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.5, generator=rng)

    def field(t, x):
        return network(torch.cat([x, t.expand(len(x), 1)], 1))

    def prior(x):
        return torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(1)

    x = draw(10, 2)
    latent, log_determinant = FreeFormJacobianTransform(field, t0=0.0, t1=1.0, atol=1e-9, rtol=1e-9).call_and_ladj(x)
    times = torch.tensor([0.0, 1.0], dtype=F64)
    ours = flow_log_density(with_exact_divergence(field), x, prior, times, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(ours.latent, latent, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.log_density, prior(latent) + log_determinant, rtol=1e-6, atol=1e-6)
