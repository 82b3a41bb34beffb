"""Forward chains against the published noise levels, and against the SDEs that they discretise."""

import math

import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.ddpm_levels import ddpm_betas, ddpm_path
from common.dynamics.paths import PATHS, level_times, sub_vp, uniform_times, ve, vp
from common.errors import SolverError
from replications.score_sde.discrete_chains import ddpm_curves, smld_curves, smld_sigmas
from replications.score_sde.discretisation import chain_moments, ddpm, forward_euler, published, simulated, transition
from replications.score_sde.predictor_corrector import level_scales, scales, to_clean

F64 = torch.float64
NAMES = ("ve", "vp", "sub_vp")


def columns(kernels):
    """Scales, variances and ratios, the data's end first."""
    return (torch.tensor(part, dtype=F64) for part in zip(*(kernel for _, kernel in sorted(kernels.items()))))


def test_published_levels():
    sigmas, betas = smld_sigmas(5, 0.01, 100.0), ddpm_betas(1000)
    torch.testing.assert_close(sigmas, torch.tensor([1e-2, 1e-1, 1.0, 10.0, 100.0], dtype=F64))
    assert betas[[0, -1]].tolist() == pytest.approx([1e-4, 0.02]) and len(betas) == 1000
    assert ddpm_betas(10)[3].item() == pytest.approx(0.1 / 10 + 3 * 19.9 / 90)


def test_on_the_ve_path_kernels_are_smlds():
    """From clean data sigma_1^2, then sigma_{i+1}^2 - sigma_i^2."""
    scale, variance, ratio = columns(published(ve(0.01, 50.0), level_scales(ve(0.01, 50.0), 20)))
    sigmas = smld_sigmas(20)
    assert scale.eq(1).all() and ratio[0] == 0
    torch.testing.assert_close(variance[0], sigmas[0] ** 2)
    torch.testing.assert_close(variance[1:], sigmas.square().diff())
    torch.testing.assert_close(ratio[1:], sigmas[:-1] / sigmas[1:])


def test_on_the_vp_path_kernels_are_ddpms():
    betas, times = ddpm_betas(40), to_clean(torch.linspace(1, 0, 40, dtype=F64))
    scale, variance, _ = columns(published(vp(), times))
    torch.testing.assert_close(scale, (1 - betas).sqrt())
    torch.testing.assert_close(variance, betas)


def test_on_the_sub_vp_path_kernels_are_eulers():
    path = sub_vp()
    scale, variance, _ = columns(published(path, scales(path, 5, t_min=0.2)))
    for i, (t, width) in enumerate(((0.2, 0.2), (0.4, 0.2), (0.6, 0.2), (0.8, 0.2), (1.0, 0.2))):
        beta, integral = 0.1 + 19.9 * t, 0.1 * t + 9.95 * t**2
        assert scale[i].item() == pytest.approx(1 - 0.5 * beta * width)
        assert variance[i].item() == pytest.approx(beta * (1 - math.exp(-2 * integral)) * width)
    two = columns(forward_euler(path, torch.tensor([0.9, 0.5, 0.5])))
    assert next(two).tolist() == pytest.approx([1 - 0.5 * (0.1 + 19.9 * t) * w for t, w in ((0.5, 0.5), (0.9, 0.4))])


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_ddpms_own_path(dtype):
    n, betas = 50, ddpm_betas(50)
    path, product = ddpm_path(n), (1 - betas).cumprod(0)
    t = (torch.arange(1, n + 1, dtype=F64) / n).to(dtype)
    tolerance = {"rtol": 1e-4 if dtype == torch.float32 else 1e-12, "atol": 0}
    torch.testing.assert_close(path.alpha(t).double().square(), product, **tolerance)
    torch.testing.assert_close(path.sigma(t).double().square(), 1 - product, **tolerance)
    rate = -n * torch.log1p(-betas)
    torch.testing.assert_close(path.diffusion_squared(t).double(), rate, **tolerance)
    torch.testing.assert_close(path.drift_coefficient(t).double(), -rate / 2, **tolerance)
    assert path.alpha(torch.zeros(2, 1, dtype=dtype)).tolist() == [[1], [1]] and path.t_min == 1 / n


def test_the_kernels_of_ddpms_own_path_are_ddpms():
    path, betas = ddpm_path(50), ddpm_betas(50)
    scale, variance, _ = columns(published(path, level_scales(path, 50)))
    torch.testing.assert_close(scale, (1 - betas).sqrt())
    torch.testing.assert_close(variance, betas)


def test_slopes_of_ddpms_own_path():
    path, h = ddpm_path(50), 1e-6
    t = torch.tensor([0.011, 0.3333, 0.987], dtype=F64)
    torch.testing.assert_close(path.alpha_dot(t), (path.alpha(t + h) - path.alpha(t - h)) / (2 * h), rtol=1e-6, atol=0)
    torch.testing.assert_close(path.sigma_dot(t), (path.sigma(t + h) - path.sigma(t - h)) / (2 * h), rtol=1e-6, atol=0)


@pytest.mark.parametrize("steps", [1, 3, 50])
@pytest.mark.parametrize("name", [*PATHS, "ddpm"])
def test_a_chain_of_transitions_has_the_marginals_of_its_path(name, steps):
    path = PATHS[name]() if name in PATHS else ddpm_path(30)
    times = to_clean(torch.linspace(path.t_max, 0.07, steps, dtype=F64))
    scale, variance = chain_moments(transition(path, times))
    levels = times[:-1].flip(0)
    torch.testing.assert_close(scale[1:], path.alpha(levels), rtol=1e-9, atol=0)
    torch.testing.assert_close(variance[1:], path.sigma(levels).square(), rtol=1e-9, atol=0)
    assert (scale[0], variance[0]) == (1, 0)


@pytest.mark.parametrize(
    ("rule", "name"), [(forward_euler, "ve"), (forward_euler, "vp"), (forward_euler, "sub_vp"), (ddpm, "vp")]
)
def test_chains_become_their_sde(rule, name):
    """The gap to the closed form falls as 1 / N; from clean data a VE SDE gains sigma(t)^2 - sigma_min^2."""
    path = PATHS[name]()
    one, zero = torch.ones((), dtype=F64), torch.zeros((), dtype=F64)
    exact = path.alpha(one), path.sigma(one) ** 2 - path.sigma(zero) ** 2
    gaps = []
    for steps in (500, 1000, 2000):
        scale, variance = chain_moments(rule(path, uniform_times(path, steps, t_min=0.0)))
        gaps.append([float(abs(scale[-1] / exact[0] - 1)), float(abs(variance[-1] / exact[1] - 1))])
    for coarse, fine in zip(zip(*gaps[:-1]), zip(*gaps[1:])):
        for before, after in zip(coarse, fine):
            assert after < 1e-9 or before / after == pytest.approx(2, abs=0.2), gaps


@pytest.mark.parametrize("name", NAMES)
def test_simulated_data_have_the_moments_of_the_chain(name):
    path, n = PATHS[name](), 20_000
    model = Answering(path, "score", lambda x, t: pytest.fail("nothing is asked of the model"))
    times = uniform_times(path, 30, t_min=0.0, t_max=0.4)
    found = simulated(published)(
        model, torch.full((n, 1), 2.0, dtype=F64), times.flip(0), generator=torch.Generator().manual_seed(0)
    )
    scale, variance = (float(part[-1]) for part in chain_moments(published(path, times)))
    assert found.x.mean().item() == pytest.approx(2 * scale, abs=4 * (variance / n) ** 0.5)
    assert found.x.var().item() == pytest.approx(variance, rel=4 * (2 / n) ** 0.5)
    assert found.nfe.unique().tolist() == [0]


def test_discrete_levels_are_the_sdes_up_to_1_over_n():
    gaps = []
    for count in (1000, 2000, 4000):
        smld, chain = smld_curves(count), ddpm_curves(count)
        assert smld.t.tolist() == chain.t.tolist() and smld.t[-1] == 1 and smld.mean.eq(1).all()
        gaps.append(
            [
                float((smld.variance_of_chain / smld.variance - 1).abs().max()),
                float((chain.mean_of_chain - chain.mean).abs().max()),
                float((chain.variance_of_chain - chain.variance).abs().max()),
            ]
        )
    slopes = torch.tensor(gaps).log2().diff(dim=0)
    torch.testing.assert_close(slopes, -torch.ones(2, 3), rtol=0, atol=0.02)
    assert gaps[0][0] == pytest.approx(2 * math.log(5000) / 1000, rel=0.02) and max(gaps[0][1:]) < 0.01


def test_sub_vp_has_less_variance_than_vp_and_both_end_at_1():
    t = torch.linspace(0.001, 1, 200, dtype=F64)
    less, more = sub_vp().sigma(t).square(), vp().sigma(t).square()
    assert (less < more).all() and min(less[-1], more[-1]) > 0.9999
    start = vp().alpha(t).square()
    torch.testing.assert_close(start + more, torch.ones_like(t)) and (start + less < 1).all()


def test_what_is_no_chain_is_refused():
    with pytest.raises(SolverError, match=r"beta_i up to 2 in 10 steps.*take more"):
        ddpm(vp(), uniform_times(vp(), 10))
    with pytest.raises(SolverError, match=r"'ve'.*shrinks the data"):
        ddpm(ve(), uniform_times(ve(), 10))
    with pytest.raises(SolverError, match="only the last time may be repeated"):
        transition(ve(), torch.tensor([1.0, 0.5, 0.5, 0.1]))
    assert level_scales(ve(), 4).tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0, 0])
    assert level_scales(vp(), 4).tolist() == [1, 0.75, 0.5, 0.25, 0.25]
    assert scales(vp(), 3, t_min=0.5).tolist() == [1, 0.75, 0.5, 0.5] and scales(vp(), 2)[-1] == 1e-5
    assert level_scales(ve(), 4)[:-1].tolist() == level_times(ve(), 4).tolist()
