import pytest
import torch

from common.dynamics.oracles import gaussian
from common.dynamics.paths import PATHS, uniform_times, vp
from common.dynamics.samplers.exponential import ancestral, ddim, ddim_method, posterior_std
from common.dynamics.samplers.ode import torchdiffeq_solver
from common.errors import SolverError

F64 = torch.float64


@pytest.mark.parametrize("name", PATHS)
def test_ancestral_sampling_draws_from_the_posterior(name, draw):
    """q(x_s | x_t, x_0) by conditioning the joint Gaussian of (x_s, x_t) given x_0."""
    path, x0, x = PATHS[name](), torch.tensor([0.7], dtype=F64), draw(4, 1)
    times = torch.tensor([0.8, 0.3], dtype=F64)
    (a, a_next), (s, s_next) = path.alpha(times), path.sigma(times)
    covariance = a / a_next * s_next**2  # x_t = (a / a_next) x_s + independent noise
    mean = a_next * x0 + covariance / s**2 * (x - a * x0)
    variance = s_next**2 - covariance**2 / s**2
    assert posterior_std(float(a), float(s), float(a_next), float(s_next)) == pytest.approx(float(variance.sqrt()), rel=1e-9)
    known = gaussian(path, x0, 1e-12)
    step = ddim_method(1.0)(path, times)
    noise = draw(4, 1)
    found, found_mean = step(known, x, 0.8, 0.3, lambda state: noise)
    torch.testing.assert_close(found_mean, mean, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(found, mean + variance.sqrt() * noise, rtol=1e-7, atol=1e-7)


def test_one_step_of_ddim_is_exact_where_the_data_prediction_does_not_change(draw):
    """For a single data point D is that point, so one step of any width is the flow."""
    path, x = vp(), draw(5, 2)
    oracle, times = gaussian(path, torch.tensor([0.5, -1.0], dtype=F64), 1e-9), uniform_times(vp(), 1, t_min=0.1)
    exact = torchdiffeq_solver("dopri8", rtol=1e-10, atol=1e-10)(oracle, x, times).x
    torch.testing.assert_close(ddim()(oracle, x, times).x, exact, rtol=0, atol=1e-7)


def test_eta_is_between_no_noise_and_ancestral_sampling():
    for eta in (-0.1, 1.1):
        with pytest.raises(SolverError, match="eta of DDIM lies between 0"):
            ddim(eta)


def test_ancestral_sampling_is_ddim_with_all_of_the_posteriors_noise(draw):
    oracle, x, times = gaussian(vp(), torch.tensor([0.5], dtype=F64), 0.4), draw(5, 1), uniform_times(vp(), 6, t_min=0.1)
    found = [sample(oracle, x, times, generator=torch.Generator().manual_seed(0)).x for sample in (ancestral, ddim(1.0))]
    assert torch.equal(*found)
