import math

import pytest
import torch

from common.dynamics.paths import PATHS, ladder, level_times, optimal_transport, sub_vp, uniform_times, ve, vp

F64 = torch.float64
TIMES = torch.tensor([1e-5, 1e-3, 0.05, 0.3, 0.7, 0.95, 0.999], dtype=F64)


def beta(t):
    return 0.1 + 19.9 * t


def integral(t):
    return 0.1 * t + 9.95 * t**2


# drift coefficient f and g^2 as printed: Song 2021, eq. 9-13; for OT f = alpha'/alpha and g^2 = 2 sigma/(1 - t)
PUBLISHED = {
    "vp": (lambda t: -0.5 * beta(t), beta),
    "sub_vp": (lambda t: -0.5 * beta(t), lambda t: beta(t) * (1 - torch.exp(-2 * integral(t)))),
    "ve": (lambda t: 0 * t, lambda t: 2 * (0.01 * 5000**t) ** 2 * math.log(5000)),
    "ot": (lambda t: -1 / (1 - t), lambda t: 2 * (1e-5 + (1 - 1e-5) * t) / (1 - t)),
}

# mean factor and standard deviation of the kernel as printed: Song 2021, eq. 29; Lipman 2022, eq. 20 at 1 - t
KERNELS = {
    "vp": (lambda t: torch.exp(-integral(t) / 2), lambda t: torch.sqrt(1 - torch.exp(-integral(t)))),
    "sub_vp": (lambda t: torch.exp(-integral(t) / 2), lambda t: 1 - torch.exp(-integral(t))),
    "ve": (torch.ones_like, lambda t: 0.01 * 5000**t),
    "ot": (lambda t: 1 - t, lambda t: 1 - (1 - 1e-5) * (1 - t)),
}


@pytest.mark.parametrize("name", PATHS)
def test_drift_and_diffusion_are_the_published_ones(name):
    path, (f, g2) = PATHS[name](), PUBLISHED[name]
    torch.testing.assert_close(path.drift_coefficient(TIMES), f(TIMES), rtol=1e-9, atol=0)
    torch.testing.assert_close(path.diffusion_squared(TIMES), g2(TIMES), rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", PATHS)
def test_kernel_is_the_published_one(name):
    path, (alpha, sigma) = PATHS[name](), KERNELS[name]
    torch.testing.assert_close(path.alpha(TIMES), alpha(TIMES), rtol=1e-12, atol=0)
    torch.testing.assert_close(path.sigma(TIMES), sigma(TIMES), rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", PATHS)
def test_derivatives_agree_with_autograd(name):
    path = PATHS[name]()
    for value, derivative in ((path.alpha, path.alpha_dot), (path.sigma, path.sigma_dot)):
        _, expected = torch.func.jvp(value, (TIMES,), (torch.ones_like(TIMES),))
        torch.testing.assert_close(derivative(TIMES), expected, rtol=1e-11, atol=0)


@pytest.mark.parametrize("name", PATHS)
def test_float32_loses_no_digits_at_either_end(name):
    path, times = PATHS[name](), torch.tensor([1e-5, 1e-4, 0.5, 1.0])
    for schedule in (path.alpha, path.sigma, path.alpha_dot, path.sigma_dot):
        assert schedule(times).dtype == torch.float32
        torch.testing.assert_close(schedule(times).double(), schedule(times.double()), rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", PATHS)
def test_path_starts_at_the_data_and_ends_at_the_prior(name):
    path, ends = PATHS[name](), torch.tensor([0.0, 1.0], dtype=F64)
    assert path.alpha(ends)[0] == 1
    assert path.sigma(ends)[0] == pytest.approx({"ve": 0.01, "ot": 1e-5}.get(name, 0.0), abs=1e-15)
    assert path.sigma(ends)[1] == pytest.approx(path.prior_std, rel=1e-4)
    assert torch.isfinite(path.drift_coefficient(torch.tensor([path.t_min, path.t_max], dtype=F64))).all()


def test_parameters_reach_the_schedules():
    t = torch.tensor(0.5, dtype=F64)
    assert vp(1.0, 3.0).drift_coefficient(t) == pytest.approx(-1.0)
    assert sub_vp(1.0, 3.0).sigma(t) == pytest.approx(1 - math.exp(-0.75))
    assert ve(0.1, 10.0).sigma(t) == pytest.approx(1.0)
    assert ve(0.1, 10.0).prior_std == 10
    assert optimal_transport(0.1).sigma(t) == pytest.approx(0.55)
    assert optimal_transport(0.0).sigma(0 * t) == 0


@pytest.mark.parametrize("name", PATHS)
def test_perturb_and_its_velocity(name, draw):
    path, x0, noise = PATHS[name](), draw(5, 3, 2), draw(5, 3, 2)
    t = torch.linspace(0.1, 0.9, 5, dtype=F64)
    mean, std = path.marginal(x0, t)
    torch.testing.assert_close(path.perturb(x0, t, noise), mean + std * noise)
    _, slope = torch.func.jvp(lambda s: path.perturb(x0, s, noise), (t,), (torch.ones_like(t),))
    torch.testing.assert_close(path.conditional_velocity(x0, t, noise), slope)
    # a scalar time is the same time for all
    torch.testing.assert_close(path.perturb(x0, t[2], noise)[2], path.perturb(x0, t, noise)[2])


def test_lipmans_time_runs_the_other_way(draw):
    sigma_min, x1, x0 = 0.1, draw(4, 2), draw(4, 2)
    path, t = optimal_transport(sigma_min), torch.tensor([0.2, 0.5, 0.7, 0.9], dtype=F64)
    s = (1 - t)[:, None]
    state = (1 - (1 - sigma_min) * s) * x0 + s * x1
    torch.testing.assert_close(path.perturb(x1, t, x0), state)
    field = (x1 - (1 - sigma_min) * state) / (1 - (1 - sigma_min) * s)  # Lipman 2022, eq. 21
    torch.testing.assert_close(path.conditional_velocity(x1, t, x0), -field)


def test_prior(rng):
    path = ve(sigma_max=7.0)
    x = path.prior_sample((20000, 2), generator=rng)
    assert x.dtype == F64
    assert x.std() == pytest.approx(7.0, rel=0.02)  # standard error 0.0035
    expected = torch.distributions.Normal(0.0, 7.0).log_prob(x[:5]).sum(1)
    torch.testing.assert_close(path.prior_log_density(x[:5]), expected)
    torch.testing.assert_close(path.prior_log_density(x[:6].reshape(3, 2, 2)), path.prior_log_density(x[:6].reshape(3, 4)))


def test_level_times_run_from_the_prior_to_the_least_noise():
    torch.testing.assert_close(level_times(ve(), 3), torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64))
    torch.testing.assert_close(level_times(vp(), 4), torch.tensor([1.0, 0.75, 0.5, 0.25], dtype=torch.float64))


def test_ladder_is_geometric():
    sigmas = ladder(1.0, 0.01, 10)
    torch.testing.assert_close(sigmas[[0, -1]], torch.tensor([1.0, 0.01], dtype=F64))
    torch.testing.assert_close(sigmas[1:] / sigmas[:-1], torch.full((9,), 0.01 ** (1 / 9), dtype=F64))
    torch.testing.assert_close(sigmas.flip(0), ve(0.01, 1.0).sigma(torch.linspace(0, 1, 10, dtype=F64)))


def test_uniform_times():
    torch.testing.assert_close(uniform_times(vp(), 4), torch.linspace(1, 1e-5, 5, dtype=F64))
    torch.testing.assert_close(uniform_times(vp(), 2, t_min=0.2, t_max=0.6), torch.tensor([0.6, 0.4, 0.2], dtype=F64))
