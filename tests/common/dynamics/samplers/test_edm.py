import math

import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import PATHS, optimal_transport, uniform_times, ve, vp
from common.dynamics.samplers.edm import edm_heun, karras_times, noise_ratio, time_of_ratio
from common.errors import SolverError

F64 = torch.float64


@pytest.mark.parametrize("name", PATHS)
def test_the_time_of_a_ratio_is_found_again(name):
    path, t = PATHS[name](), torch.linspace(0.01, 0.99, 9, dtype=F64)
    torch.testing.assert_close(time_of_ratio(path, noise_ratio(path, t)), t, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", PATHS)
def test_karras_times_are_even_in_the_root_of_the_ratio(name):
    path = PATHS[name]()
    times = karras_times(path, 18, rho=7.0, t_min=0.01)
    assert (len(times), float(times[0]), float(times[-1])) == (19, path.t_max, 0.01)
    gaps = (noise_ratio(path, times) ** (1 / 7)).diff()
    torch.testing.assert_close(gaps, gaps.mean().expand(18), rtol=1e-6, atol=0)


def test_karras_times_on_ve_are_the_papers():
    """Their table 1: (s_max^(1/7) + i/(N-1) (s_min^(1/7) - s_max^(1/7)))^7."""
    path = ve(0.002, 80.0)
    i = torch.arange(18, dtype=F64)
    expected = (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    torch.testing.assert_close(noise_ratio(path, karras_times(path, 17, t_min=0.0)), expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("path", [vp(), ve(), optimal_transport()], ids=lambda path: path.name)
def test_churn_raises_the_ratio_and_adds_the_noise_between(path, rng):
    """A network is asked where the ratio is (1 + gamma) times as large, at a state that has just that much noise."""
    times, n, asked = uniform_times(path, 60, t_min=0.2, t_max=0.8), 20000, []
    oracle = gaussian(path, torch.zeros(1, dtype=F64), 0.5)
    model = Answering(path, "data", lambda x, t: asked.append((x, t)) or oracle.denoised(x, t))
    start = times[0]
    x = path.perturb(0.5 * torch.randn(n, 1, generator=rng, dtype=F64), start, torch.randn(n, 1, generator=rng, dtype=F64))
    edm_heun(churn=15.0)(model, x, times, generator=rng)
    for index in (0, 20, 59):
        t, (state, t_hat) = float(times[index]), asked[2 * index]
        s_hat = float(noise_ratio(path, torch.tensor(t_hat, dtype=F64)))
        ratio = s_hat / float(noise_ratio(path, torch.tensor(t, dtype=F64)))
        assert ratio == pytest.approx(1.25, rel=1e-6)
        variance = float((state / path.alpha(torch.tensor(t_hat, dtype=F64))).var())
        assert variance == pytest.approx(0.25 + s_hat**2, rel=0.06)


def test_churn_is_bounded_and_kept_inside_its_range():
    path, asked = vp(), []
    model = Answering(path, "data", lambda x, t: asked.append(t) or 0 * x)
    times, x = uniform_times(path, 3, t_min=0.2, t_max=0.8), torch.zeros(1, 1, dtype=F64)
    limits = noise_ratio(path, times)[1:2].tolist() * 2
    edm_heun(churn=1e6, ratio_min=limits[0], ratio_max=limits[1])(model, x, times, generator=torch.Generator().manual_seed(0))
    grid = times.tolist()
    assert asked[0] == grid[0] and asked[4] == grid[2], "outside the range no noise is added"
    ratio = float(noise_ratio(path, torch.tensor(asked[2], dtype=F64))) / limits[0]
    assert ratio == pytest.approx(math.sqrt(2), rel=1e-6)
    with pytest.raises(SolverError, match="must not be negative; got -1"):
        edm_heun(churn=-1.0)
