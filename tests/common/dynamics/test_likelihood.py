import math

import pytest
import torch
from torch import nn

from common.dynamics.denoiser import Denoiser
from common.dynamics.divergence import with_exact_divergence, with_hutchinson
from common.dynamics.likelihood import EXACT_UP_TO, flow_log_density, log_likelihood
from common.dynamics.oracles import GaussianMixture, gaussian
from common.dynamics.paths import PATHS, optimal_transport, vp
from common.errors import SolverError, UnsupportedModelError

F64 = torch.float64
MEAN, STD = torch.tensor([0.5, -0.3], dtype=F64), 0.7
TIGHT = {"rtol": 1e-9, "atol": 1e-9}


def gaussian_flow(path, x, t_min):
    """The latent of x and its log-density, in closed form.

    For data N(m, s^2) the flow keeps (x - alpha m)/sqrt(V) constant, V = alpha^2 s^2 + sigma^2, so it maps x at t_min to
    alpha_1 m + sqrt(V_1/V_0) (x - alpha_0 m) at t = 1, and log p = log prior(latent) + d/2 log(V_1/V_0). This is not the
    data's own density: the prior is not the marginal at t = 1, whose mean is alpha_1 m (0.7 % of m for VP).
    """
    ends = torch.tensor([t_min, 1.0], dtype=F64)
    alpha, variance = path.alpha(ends), path.alpha(ends) ** 2 * STD**2 + path.sigma(ends) ** 2
    stretch = (variance[1] / variance[0]).sqrt()
    latent = alpha[1] * MEAN + stretch * (x - alpha[0] * MEAN)
    prior = torch.distributions.Normal(0.0, path.prior_std).log_prob(latent).sum(1)
    return latent, prior + 2 * stretch.log()


def mixture(path):
    return GaussianMixture(
        path,
        weights=torch.tensor([0.6, 0.4], dtype=F64),
        means=torch.tensor([[1.0, 0.0, 0.5], [-1.0, 0.5, 0.0]], dtype=F64),
        stds=torch.tensor([0.3, 0.6], dtype=F64),
    )


@pytest.mark.parametrize("name", PATHS)
def test_gaussian_likelihood_in_closed_form(name, draw):
    path, x = PATHS[name](), draw(8, 2)
    solved = log_likelihood(gaussian(path, MEAN, STD), x, **TIGHT)
    latent, expected = gaussian_flow(path, x, path.t_min)
    torch.testing.assert_close(solved.log_density, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(solved.latent, latent, rtol=1e-7, atol=1e-7)


def test_likelihood_starts_and_ends_where_it_is_told(draw):
    path, x = vp(), draw(8, 2)
    solved = log_likelihood(gaussian(path, MEAN, STD), x, t_min=0.1, **TIGHT)
    torch.testing.assert_close(solved.log_density, gaussian_flow(path, x, 0.1)[1], rtol=0, atol=1e-6)
    early = log_likelihood(gaussian(path, MEAN, STD), x, t_min=0.1, t_max=0.9, **TIGHT)
    assert (early.log_density - solved.log_density).abs().min() > 1e-6


@pytest.mark.parametrize("chunk", [None, 2])
def test_mixture_likelihood_is_the_density(chunk, draw):
    """On the optimal-transport path the marginal at t = 1 is the prior itself, so the oracle's density is the answer."""
    oracle, x = mixture(optimal_transport(0.01)), draw(8, 3)
    solved = log_likelihood(oracle, x, chunk=chunk, **TIGHT)
    torch.testing.assert_close(solved.log_density, oracle.log_density(x, 0.0), rtol=0, atol=1e-6)


def test_density_integrates_to_one():
    x = torch.linspace(-6, 6, 400, dtype=F64)[:, None]
    means = torch.tensor([[1.0], [-1.0]], dtype=F64)
    oracle = GaussianMixture(vp(), weights=torch.ones(2, dtype=F64), means=means, stds=torch.full((2,), 0.4, dtype=F64))
    density = log_likelihood(oracle, x, rtol=1e-8, atol=1e-8).log_density.exp()
    assert torch.trapezoid(density, x[:, 0]) == pytest.approx(1, abs=1e-6)


def test_hutchinson_likelihood_is_unbiased(rng):
    oracle, n = mixture(optimal_transport(0.01)), 4000
    x = torch.tensor([[0.2, 0.4, 0.1]], dtype=F64)
    exact = log_likelihood(oracle, x, rtol=1e-7, atol=1e-7).log_density
    # one solve of n copies, each with a probe of its own
    estimates = log_likelihood(oracle, x.expand(n, 3), divergence="hutchinson", generator=rng, rtol=1e-7, atol=1e-7).log_density
    error = estimates.std() / n**0.5
    assert error > 1e-3
    assert abs(estimates.mean() - exact) < 4 * error


def test_one_sign_probe_is_enough_for_an_isotropic_field(draw, rng):
    """The Jacobian of a Gaussian's flow is a multiple of I, and v . v = d for random signs."""
    oracle, x = gaussian(vp(), MEAN, STD), draw(4, 2)
    estimate = log_likelihood(oracle, x, divergence="hutchinson", generator=rng, **TIGHT)
    torch.testing.assert_close(estimate.log_density, gaussian_flow(vp(), x, 1e-5)[1], rtol=0, atol=1e-6)


def test_hutchinson_keeps_its_probe_and_its_generator(draw):
    oracle, x, state = mixture(vp()), draw(4, 3), torch.get_rng_state()

    def solve(seed):
        generator = torch.Generator().manual_seed(seed)
        return log_likelihood(oracle, x, divergence="hutchinson", generator=generator)

    first, again, other = solve(0), solve(0), solve(1)
    assert torch.equal(first.log_density, again.log_density)
    assert not torch.equal(first.log_density, other.log_density)
    assert torch.equal(torch.get_rng_state(), state)
    # with a fresh probe at every evaluation the solver would need many more than for the exact divergence
    assert first.nfe < 2 * log_likelihood(oracle, x).nfe


def test_flow_density_and_its_gradient(draw):
    """dx/dt = a x: log p(x) = log N(x e^(aT)) + d a T, whose derivative in a is T (d - |x|^2 e^(2aT))."""
    rate, x = torch.tensor(0.3, dtype=F64, requires_grad=True), draw(5, 2)
    prior = vp().prior_log_density

    def field(t, state):
        return rate * state

    for known in (
        with_exact_divergence(field),
        with_hutchinson(field, torch.ones_like(x)),
        lambda t, x: (rate * x, 2 * rate.expand(5)),
    ):
        solved = flow_log_density(known, x, prior, torch.tensor([0.0, 2.0], dtype=F64), **TIGHT)
        expected = prior(x * math.exp(0.6)) + 2 * 0.6
        torch.testing.assert_close(solved.log_density, expected, rtol=1e-8, atol=1e-8)
        (gradient,) = torch.autograd.grad(solved.log_density.sum(), rate)
        torch.testing.assert_close(gradient, (2 * (2 - x.square().sum(1) * math.exp(1.2))).sum(), rtol=1e-7, atol=1e-7)


def test_the_divergence_is_exact_wherever_it_is_affordable(rng):
    """And says of itself whether it is an estimate."""
    for dim, noisy in ((EXACT_UP_TO, False), (EXACT_UP_TO + 1, True)):
        oracle, x = gaussian(vp(), torch.zeros(dim, dtype=F64), STD), torch.zeros(2, dim, dtype=F64)
        assert log_likelihood(oracle, x, generator=rng).noisy == noisy
    assert log_likelihood(oracle, x, divergence="exact").noisy is False
    with pytest.raises(SolverError, match="draws a probe: pass a generator"):
        log_likelihood(oracle, x)


def test_the_priors_log_density_says_the_shape(draw):
    """Several flows side by side, [models, batch, dim]: one density for each point of each."""
    x = draw(3, 5, 2)

    def prior(state):
        return -0.5 * state.square().sum(-1) - math.log(2 * math.pi)

    solved = flow_log_density(
        lambda t, state: (-state, torch.full((3, 5), -2.0, dtype=F64)), x, prior, torch.tensor([0.0, 1.0]), **TIGHT
    )
    torch.testing.assert_close(solved.log_density, prior(x * math.exp(-1.0)) - 2, rtol=1e-8, atol=1e-8)


def test_evaluations_are_counted(draw):
    calls = []

    def field(t, state):
        calls.append(float(t))
        return -state

    field = with_exact_divergence(field)
    times = torch.tensor([0.0, 1.0], dtype=F64)
    assert flow_log_density(field, draw(3, 2), vp().prior_log_density, times).nfe == len(calls) > 6
    steps = torch.linspace(0, 1, 6, dtype=F64)
    assert flow_log_density(field, draw(3, 2), vp().prior_log_density, steps, method="rk4").nfe == 4 * 5


class Linear(nn.Module):
    """A float32 network."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, x, t):
        assert x.dtype == t.dtype == torch.float32
        return self.weight * x


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_float32_network_under_a_float64_state(dtype, draw):
    x = draw(4, 2)
    solved = log_likelihood(Denoiser(Linear(), optimal_transport(), "velocity"), x.to(dtype), rtol=1e-7, atol=1e-7)
    assert (solved.log_density.dtype, solved.latent.dtype) == (F64, F64)
    # dx/dt = x/2 over unit time, up to the network's own rounding
    expected = vp().prior_log_density(x * math.exp(0.5)) + 2 * 0.5
    torch.testing.assert_close(solved.log_density, expected, rtol=0, atol=1e-5)


def test_what_cannot_be_answered_is_refused(draw):
    x = draw(3, 2)
    with pytest.raises(UnsupportedModelError, match="likelihood"):
        log_likelihood(Denoiser(Linear(), vp(), "score", known_times=torch.ones(3)), x)
    with pytest.raises(SolverError, match="generator"):
        log_likelihood(gaussian(vp(), MEAN, STD), x, divergence="hutchinson")
    times = torch.tensor([0.0, 1.0], dtype=F64)
    # the solution blows up at a finite time: no step is small enough
    with pytest.raises(SolverError, match="dopri5"):
        flow_log_density(
            with_exact_divergence(lambda t, state: 5 + state**2), x, vp().prior_log_density, times, rtol=1e-2, atol=1e-2
        )
    # the state is fine, its density is not
    with pytest.raises(SolverError, match="not finite"):
        flow_log_density(
            with_exact_divergence(lambda t, state: (state - state).sqrt() + state),
            x,
            vp().prior_log_density,
            times,
            method="euler",
        )


def test_inference_mode_is_no_obstacle(draw, rng):
    x, network = draw(3, 2), Denoiser(Linear(), vp(), "noise")
    expected = log_likelihood(gaussian(vp(), MEAN, STD), x, **TIGHT).log_density
    with torch.inference_mode():
        again = x + 0
        torch.testing.assert_close(log_likelihood(gaussian(vp(), MEAN, STD), again, **TIGHT).log_density, expected)
        found = log_likelihood(network, again, divergence="hutchinson", generator=rng)
    assert found.log_density.isfinite().all()
