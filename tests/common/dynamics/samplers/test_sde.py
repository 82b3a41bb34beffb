import itertools
import math

import pytest
import torch

from common.dynamics.oracles import gaussian
from common.dynamics.paths import PATHS, uniform_times, ve, vp
from common.dynamics.samplers.sde import euler_maruyama, torchsde_solver
from common.errors import SolverError

F64 = torch.float64
MEAN, STD = 0.8, 0.5
START, END = 0.9, 0.05  # away from OT's singular end


def oracle_on(path):
    """Data N(m, s^2) in one dimension."""
    return gaussian(path, torch.tensor([MEAN], dtype=F64), STD)


def marginal(path, t):
    """Mean and variance at t."""
    t = torch.tensor(t, dtype=F64)
    alpha, sigma = path.alpha(t), path.sigma(t)
    return alpha * MEAN, alpha**2 * STD**2 + sigma**2


def recursion(path, times):
    """Mean and variance of the Euler-Maruyama chain for Gaussian data, started in the marginal.

    The score is -(x - alpha m)/V, so a step is x' = a x + b + c xi with a = 1 - h (f + g^2/V), b = h g^2 alpha m/V, c^2 = h g^2.
    """
    mean, variance = marginal(path, float(times[0]))
    for t, t_next in itertools.pairwise(times):
        centre, v = marginal(path, float(t))
        h, f, g2 = t - t_next, path.drift_coefficient(t), path.diffusion_squared(t)
        a = 1 - h * (f + g2 / v)
        mean, variance = a * mean + h * g2 * centre / v, a**2 * variance + h * g2
    return float(mean), float(variance)


def moments_of_sampler(path, times, monkeypatch):
    """Mean and variance that the sampler's own code gives, without sampling error.

    For Gaussian data its result is affine in the start and in the noise of every step, x = A x_0 + B + sum_k C_k xi_k. One batch
    measures all coefficients: sample k has unit noise in step k alone, the last two have none and start at 0 and 1.
    """
    steps = len(times) - 1
    noises = iter(torch.eye(steps + 2, dtype=F64)[:steps, :, None])
    monkeypatch.setattr(torch, "randn", lambda *size, **options: next(noises))
    start = torch.zeros(steps + 2, 1, dtype=F64)
    start[-1] = 1
    x = euler_maruyama(oracle_on(path), start, times, generator=torch.Generator()).x[:, 0]
    monkeypatch.undo()
    of_noise, offset, of_start = x[:steps] - x[-2], x[-2], x[-1] - x[-2]
    mean, variance = marginal(path, float(times[0]))
    return float(of_start * mean + offset), float(of_start**2 * variance + of_noise.square().sum())


@pytest.mark.parametrize("name", PATHS)
def test_euler_maruyama_is_the_chain_of_its_definition(name, monkeypatch):
    path = PATHS[name]()
    for times in (uniform_times(path, 50, t_min=END, t_max=START), torch.tensor([0.9, 0.7, 0.65, 0.2], dtype=F64)):
        assert moments_of_sampler(path, times, monkeypatch) == pytest.approx(recursion(path, times), rel=1e-9)


@pytest.mark.parametrize("name", PATHS)
def test_euler_maruyama_has_weak_order_one(name, monkeypatch):
    # VE has to stop where noise and data are of one size: near the data its coefficient of h vanishes before that of h^2
    path, end = PATHS[name](), 0.5 if name == "ve" else END
    truth = [float(moment) for moment in marginal(path, end)]
    errors = []
    for steps in (400, 800):
        moments = moments_of_sampler(path, uniform_times(path, steps, t_min=end, t_max=START), monkeypatch)
        errors.append([abs(ours - exact) for ours, exact in zip(moments, truth)])
    for coarse, fine in zip(*errors):
        if coarse > 1e-12:  # VE keeps the mean exactly
            assert math.log2(coarse / fine) == pytest.approx(1, abs=0.15)
    assert errors[1][1] < 0.1 * truth[1]


SAMPLERS = {
    "euler_maruyama": (euler_maruyama, 1),
    "torchsde euler": (torchsde_solver("euler"), 1),
    "torchsde milstein": (torchsde_solver("milstein"), 1),
    "torchsde srk": (torchsde_solver("srk"), 4),
}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("path", [vp(), ve()], ids=lambda path: path.name)
def test_samples_have_the_moments_of_the_chain(name, path, rng):
    sampler, stages = SAMPLERS[name]
    n, steps = 20000, 30
    times = uniform_times(path, steps, t_min=END, t_max=START)
    mean, variance = marginal(path, START)
    start = mean + variance.sqrt() * torch.randn(n, 1, generator=rng, dtype=F64)
    result = sampler(oracle_on(path), start, times, generator=rng)
    assert result.nfe.tolist() == [stages * steps] * n
    if stages == 1:
        mean, variance = recursion(path, times)
        slack = 0.0
    else:
        # a scheme of higher order: near the truth itself with the same few steps
        mean, variance = (float(moment) for moment in marginal(path, END))
        slack = 0.1
    assert result.x.mean() == pytest.approx(mean, abs=4 * math.sqrt(variance / n) + slack * math.sqrt(variance))
    assert result.x.var() == pytest.approx(variance, rel=4 * math.sqrt(2 / n) + slack)


def test_torchsde_steps_on_whole_steps_only(draw, rng):
    """Milstein is Euler when the noise is additive; and no step size leaves a remainder to step over."""
    x, oracle = draw(4, 1), oracle_on(vp())
    for steps in (3, 7, 10, 49, 100):
        times = uniform_times(vp(), steps, t_min=0.01)
        runs = [torchsde_solver(method)(oracle, x, times, generator=rng.manual_seed(steps)) for method in ("euler", "milstein")]
        torch.testing.assert_close(runs[0].x, runs[1].x)
        assert runs[0].nfe[0] == runs[1].nfe[0] == steps


def test_torchsde_refuses_what_it_cannot_do(draw, rng):
    with pytest.raises(SolverError, match="evenly spaced"):
        torchsde_solver("euler")(oracle_on(vp()), draw(3, 1), torch.tensor([0.9, 0.5, 0.4], dtype=F64), generator=rng)
    with pytest.raises(SolverError, match=r"heun.*milstein"):
        torchsde_solver("heun")
