import itertools

import pytest
import torch
from torch import nn

from common.dynamics.denoiser import Denoiser
from common.dynamics.oracles import GaussianMixture, gaussian
from common.dynamics.paths import PATHS, optimal_transport, uniform_times, ve, vp
from common.dynamics.samplers.ode import euler, heun, torchdiffeq_solver, trajectory
from common.errors import SolverError, UnsupportedModelError

F64 = torch.float64
MEAN, STD = torch.tensor([0.5, -0.3], dtype=F64), 0.3
SOLVERS = {
    "euler": (euler, 1, 1),
    "heun": (heun, 2, 2),
    "torchdiffeq euler": (torchdiffeq_solver("euler"), 1, 1),
    "torchdiffeq midpoint": (torchdiffeq_solver("midpoint"), 2, 2),
    "torchdiffeq heun2": (torchdiffeq_solver("heun2"), 2, 2),
    "torchdiffeq heun3": (torchdiffeq_solver("heun3"), 3, 3),
    "torchdiffeq rk4": (torchdiffeq_solver("rk4"), 4, 4),
}


def flow(path, x, start, end):
    """The exact flow of data N(m, s^2): (x - alpha m)/sqrt(alpha^2 s^2 + sigma^2) stays constant."""
    times = torch.stack([torch.as_tensor(start, dtype=F64), torch.as_tensor(end, dtype=F64)])
    alpha = path.alpha(times)
    std = (alpha**2 * STD**2 + path.sigma(times) ** 2).sqrt()
    return alpha[1] * MEAN + std[1] / std[0] * (x - alpha[0] * MEAN)


def mixture(path):
    means = torch.tensor([[2.0, 0.0], [-2.0, 1.0]], dtype=F64)
    return GaussianMixture(
        path, weights=torch.tensor([0.7, 0.3], dtype=F64), means=means, stds=torch.tensor([0.3, 0.5], dtype=F64)
    )


@pytest.mark.parametrize("solver", [euler, torchdiffeq_solver("euler")])
def test_steps_lie_on_the_given_times(solver, draw):
    oracle, x = gaussian(vp(), MEAN, STD), draw(4, 2)
    times = torch.tensor([1.0, 0.8, 0.75, 0.3, 0.1], dtype=F64)
    expected = x
    for t, t_next in itertools.pairwise(times):
        expected = expected + (t_next - t) * oracle.velocity(expected, t)
    torch.testing.assert_close(solver(oracle, x, times, generator=None).x, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 7])
def test_heun_is_the_trapezoidal_rule(steps, draw):
    """torchdiffeq's midpoint and heun2 share the order; only Heun is the average of both ends."""
    oracle, x, times = gaussian(vp(), MEAN, STD), draw(4, 2), uniform_times(vp(), steps, t_min=0.2)
    expected = torchdiffeq_solver("heun2")(oracle, x, times, generator=None).x
    torch.testing.assert_close(heun(oracle, x, times).x, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("method", ["dopri5", "dopri8"])
@pytest.mark.parametrize("name", PATHS)
def test_adaptive_solvers_reach_their_tolerance_and_count(name, method, draw):
    path, x = PATHS[name](), draw(5, 2)
    times = uniform_times(path, 1)
    oracle, calls = gaussian(path, MEAN, STD), []
    velocity = oracle.velocity
    oracle.velocity = lambda x, t: calls.append(t) or velocity(x, t)
    exact, errors = flow(path, path.prior_std * x, 1.0, path.t_min), []
    for tolerance in (1e-4, 1e-8):
        calls.clear()
        result = torchdiffeq_solver(method, rtol=tolerance, atol=tolerance)(oracle, path.prior_std * x, times)
        assert result.nfe.tolist() == [len(calls)] * 5
        errors.append(float((result.x - exact).abs().max()))
    assert errors[1] < 2e-6
    assert errors[1] < errors[0] / 20


def test_euler_and_heun_reach_the_mixture_too(rng):
    path, n = optimal_transport(), 4000
    oracle, start = mixture(path), path.prior_sample((n, 2), generator=rng)
    exact = torchdiffeq_solver("dopri8", rtol=1e-9, atol=1e-9)(oracle, start, uniform_times(path, 1)).x
    coarse, fine = (euler(oracle, start, uniform_times(path, steps)).x for steps in (100, 200))
    assert (fine - exact).abs().mean() < 0.6 * (coarse - exact).abs().mean() < 0.03
    assert (heun(oracle, start, uniform_times(path, 100)).x - exact).abs().mean() < 0.002


def test_trajectory_follows_the_flow(draw):
    path, x = ve(), 50 * draw(4, 2)
    times = torch.tensor([1.0, 0.6, 0.55, 0.1], dtype=F64)
    states = trajectory(gaussian(path, MEAN, STD), x, times, rtol=1e-9, atol=1e-9)
    assert states.shape == (4, 4, 2)
    for t, state in zip(times, states):
        torch.testing.assert_close(state, flow(path, x, 1.0, t), rtol=1e-6, atol=1e-6)


def test_encoding_is_undone_by_decoding(rng):
    """Increasing times run from data to noise."""
    oracle, times = mixture(vp()), uniform_times(vp(), 1, t_min=1e-3)
    x = oracle.sample(10, generator=rng)
    solve = torchdiffeq_solver("dopri5", rtol=1e-9, atol=1e-9)
    latent = solve(oracle, x, times.flip(0)).x
    torch.testing.assert_close(solve(oracle, latent, times).x, x, rtol=0, atol=1e-5)


class Zero(nn.Module):
    """A float32 network that predicts zero noise."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x, t):
        assert x.dtype == t.dtype == torch.float32
        return self.weight * x


@pytest.mark.parametrize("solver", [euler, heun, torchdiffeq_solver("rk4"), torchdiffeq_solver("dopri5", rtol=1e-9, atol=1e-9)])
def test_state_is_float64_around_a_float32_network(solver, draw):
    """With zero noise x stays on alpha(t) x_0; the result is better than float32 could carry."""
    path, x = vp(), draw(3, 2)
    result = solver(Denoiser(Zero(), path, "noise"), x, uniform_times(path, 50, t_min=0.1, t_max=0.2))
    assert result.x.dtype == F64
    assert not result.x.requires_grad
    expected = path.alpha(torch.tensor(0.1, dtype=F64)) / path.alpha(torch.tensor(0.2, dtype=F64)) * x
    if solver is not euler:
        torch.testing.assert_close(result.x, expected, rtol=1e-6 if solver is heun else 1e-9, atol=0)
    assert solver(Denoiser(Zero(), path, "noise"), x.float(), uniform_times(path, 2)).x.dtype == F64


def test_misuse_is_named(draw):
    x, times = draw(3, 2), uniform_times(vp(), 3)
    with pytest.raises(SolverError, match=r"rk5.*dopri5"):
        torchdiffeq_solver("rk5")
    discrete = Denoiser(Zero(), vp(), "score", known_times=torch.ones(3))
    for solver in (euler, heun, torchdiffeq_solver("dopri5")):
        with pytest.raises(UnsupportedModelError):
            solver(discrete, x, times)
    # the noise prediction says nothing of the data at t = 1 of the optimal-transport path
    for solver in (euler, heun, torchdiffeq_solver("midpoint"), torchdiffeq_solver("dopri5")):
        with pytest.raises(SolverError, match=r"dopri5|not finite"):
            solver(Denoiser(Zero(), optimal_transport(), "noise"), x, uniform_times(optimal_transport(), 3))
    with pytest.raises(SolverError, match=r"max_num_steps.*loosen the tolerance"):
        torchdiffeq_solver("dopri5", options={"max_num_steps": 2})(mixture(vp()), x, times)
