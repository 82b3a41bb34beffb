"""What a paper to come, or a user, builds on: sketches that touch every seam, none of which needs a change in common/."""

import importlib.util

import pytest
import torch
from torch import nn

from common.dynamics.answers import VelocityFlow
from common.dynamics.denoiser import Denoiser
from common.dynamics.likelihood import log_likelihood
from common.dynamics.oracles import GaussianMixture, gaussian
from common.dynamics.paths import Prior, level_times, uniform_times, vp
from common.dynamics.samplers.loop import sampler
from common.dynamics.samplers.noise import SampleStreams
from common.dynamics.samplers.table import SAMPLERS
from common.errors import UnsupportedModelError
from common.learning.objectives import draw_times, regression_loss
from common.learning.training.loop import train
from common.learning.training.settings import TrainSettings

F64 = torch.float64

# annealed Langevin in four lines, and an objective with a weight of one's own: the file that a user writes
USERS_FILE = """
import torch
from common.dynamics.paths import ve
from common.dynamics.samplers.loop import at, sampler
from common.learning.objectives import Objective

STEPS, EPSILON = 20, 0.1

def langevin(path, times):
    sigma = at(times, path.sigma)
    def step(model, x, t, t_next, noise):
        size = EPSILON * sigma[t] ** 2
        for _ in range(STEPS):
            mean = x + size * model.score(x, t)
            x = mean + (2 * size) ** 0.5 * noise(x)
        return x, mean
    return step

annealed_langevin = sampler("annealed Langevin", langevin, quantity="score")
PATH = ve(0.1, 5.0)
objective = Objective(PATH, "noise", weight=lambda t: 1 + t)
"""


@pytest.fixture
def users(tmp_path):
    """The user's module, from a file."""
    (tmp_path / "mine.py").write_text(USERS_FILE)
    spec = importlib.util.spec_from_file_location("mine", tmp_path / "mine.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


def mixture(path):
    means = torch.tensor([[2.0, 0.0], [-2.0, 1.0]], dtype=F64)
    return GaussianMixture(path, weights=torch.tensor([0.7, 0.3], dtype=F64), means=means, stds=torch.full((2,), 0.3, dtype=F64))


def test_a_users_sampler_reaches_the_mixture_and_knows_its_levels(users, rng):
    path, n = users.PATH, 2000
    oracle, times = mixture(path), level_times(path, 12)
    result = users.annealed_langevin(oracle, path.prior_sample((n, 2), generator=rng), times, generator=rng)
    assert result.nfe.tolist() == [11 * users.STEPS] * n
    first = result.x[:, 0] > 0
    assert first.double().mean() == pytest.approx(0.7, abs=0.06)
    torch.testing.assert_close(result.x[first].mean(0), oracle.means[0], rtol=0, atol=0.05)
    levels = Denoiser(nn.Identity(), path, "noise", times)
    with pytest.raises(UnsupportedModelError, match=r"annealed Langevin cannot run on this network: it knows 12"):
        users.annealed_langevin(levels, torch.zeros(2, 2), uniform_times(path, 7), generator=rng)


def test_a_users_objective_is_trained_by_the_shared_loop(users, tmp_path):
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.log_std = nn.Parameter(torch.zeros(()))

        def forward(self, x, t):
            """The exact noise prediction of centred Gaussian data."""
            sigma = users.PATH.sigma(t)[:, None]
            return sigma * x / (sigma**2 + self.log_std.exp() ** 2)

    def loss(network, step, generator):
        x0 = 2.0 * torch.randn(256, 1, generator=generator)
        t = draw_times(users.PATH, 256, generator=generator)
        return regression_loss(network, users.objective, x0, t=t, noise=torch.randn(x0.shape, generator=generator)).mean()

    settings = TrainSettings(steps=300, batch=256, learning_rate=0.02)
    found = train(
        Scale(), loss, settings=settings, seed=0, state_file=tmp_path / "s.pt", device=torch.device("cpu"), fingerprint="f" * 64
    )
    assert float(found.model.log_std.exp()) == pytest.approx(2.0, rel=0.1)


def test_a_users_sampler_takes_a_stream_per_sample(users):
    """The same sample alone and in any batch."""
    oracle, times = gaussian(users.PATH, torch.zeros(2, dtype=F64), 1.0), level_times(users.PATH, 4)
    x = torch.linspace(-5, 5, 12, dtype=F64).reshape(6, 2)

    def samples(chosen):
        return users.annealed_langevin(oracle, x[chosen], times, generator=SampleStreams([10 + k for k in chosen])).x

    together = samples(list(range(6)))
    for chosen in ([4], [5, 0], [1, 3, 2]):
        torch.testing.assert_close(samples(chosen), together[chosen], rtol=1e-12, atol=1e-12)


def test_a_users_sampler_is_inpainted_through_the_callback(users, rng):
    """With the first coordinate held at 2 the second one follows its component."""
    path, n = users.PATH, 1000

    def hold(step, t, x):
        sigma = path.sigma(torch.tensor(t, dtype=F64))
        return torch.stack([2 + sigma * torch.randn(n, generator=rng, dtype=F64), x[:, 1]], 1)

    start = path.prior_sample((n, 2), generator=rng)
    x = users.annealed_langevin(mixture(path), start, level_times(path, 12), generator=rng, callback=hold).x
    assert abs(float(x[:, 1].mean())) < 0.1 and abs(float(x[:, 0].mean()) - 2) < 0.1


def test_a_velocity_only_flow_runs_on_ode_samplers_and_sde_samplers_refuse_it(rng):
    """x doubles from noise to data along dx/dt = -log 2 x (t runs from data to noise): N(0, 1) becomes N(0, 4)."""
    flow = VelocityFlow(Prior("standard normal", prior_std=1.0), lambda x, t: -(torch.log(torch.tensor(2.0)) * x))
    x, times = torch.randn(5, 2, generator=rng, dtype=F64), uniform_times(flow.path, 200)
    for name in ("euler", "heun", "midpoint", "heun3", "rk4"):
        torch.testing.assert_close(SAMPLERS[name].sample(flow, x, times).x, 2 * x, rtol=0.01, atol=0)
    for name in sorted(set(SAMPLERS) - {"euler", "heun", "midpoint", "heun3", "rk4"}):
        with pytest.raises(UnsupportedModelError, match=r"asks for the (score|data), but this model knows its velocity only"):
            SAMPLERS[name].sample(flow, x, times, generator=rng)
    found = log_likelihood(flow, 2 * x, rtol=1e-8, atol=1e-8).log_density
    exact = torch.distributions.Normal(0.0, 2.0).log_prob(2 * x).sum(1)
    torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-5)


def test_the_last_noise_may_be_left_out():
    """Predictor-corrector's usual end: the mean of the last step."""

    def noisy(path, times):
        def step(model, x, t, t_next, noise):
            return x + noise(x), x

        return step

    x, generator = torch.zeros(1000, 1), torch.Generator().manual_seed(0)
    ends = [
        sampler("it", noisy, last_mean=last)(
            gaussian(vp(), torch.zeros(1), 1.0), x, uniform_times(vp(), 3), generator=generator
        ).x
        for last in (True, False)
    ]
    assert [float(end.var()) for end in ends] == pytest.approx([2, 3], rel=0.2)
