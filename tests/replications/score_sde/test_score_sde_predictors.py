"""Predictors term by term against the published steps, and what follows from them."""

import itertools
import math

import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.ddpm_levels import ddpm_betas, ddpm_path
from common.dynamics.oracles import gaussian
from common.dynamics.paths import level_times, optimal_transport, sub_vp, uniform_times, ve, vp
from common.dynamics.samplers import exponential, sde
from common.dynamics.samplers.exponential import ddim_method, posterior_std
from common.dynamics.samplers.loop import sampler
from common.errors import SolverError
from replications.score_sde.discrete_chains import smld_sigmas
from replications.score_sde.discretisation import Kernel, ddpm, forward_euler, transition
from replications.score_sde.predictor_corrector import level_scales, predictor_corrector, scales, to_clean
from replications.score_sde.predictors import (
    ancestral,
    ddpm_rule,
    euler_maruyama,
    identity,
    predictor,
    probability_flow,
    reverse_diffusion,
    reverse_diffusion_rule,
)

F64, N = torch.float64, 40
X, Z = torch.tensor([[0.7, -1.2, 0.1]], dtype=F64), torch.tensor([[1.0, -0.5, 2.0]], dtype=F64)


def score(x, t):
    return 0.3 - 2 * x + t


def taken(method, path, times, number):
    """State and mean after step `number` from X, with noise Z."""
    t, t_next = times[number].item(), times[number + 1].item()
    return method(path, times)(Answering(path, "score", score), X, t, t_next, lambda x: Z)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("i", [1, 2, N // 2, N])  # from scale i to i - 1; scale 0 is clean data
def test_the_steps_on_the_ve_path(i):
    path, sigma = ve(), [0.0, *smld_sigmas(N).tolist()]
    times = level_scales(path, N)
    width, s = sigma[i] ** 2 - sigma[i - 1] ** 2, score(X, (i - 1) / (N - 1))
    for method, mean, std in (
        (reverse_diffusion, X + width * s, width**0.5),
        (ancestral, X + width * s, (sigma[i - 1] ** 2 * width / sigma[i] ** 2) ** 0.5),
        (probability_flow, X + width * s / 2, 0.0),
    ):
        x, found = taken(method, path, times, N - i)
        torch.testing.assert_close(found, mean)
        torch.testing.assert_close(x, mean + std * Z)


@pytest.mark.parametrize("i", [1, 2, N // 2, N])
@pytest.mark.parametrize("levels", ["sde", "own"])
def test_the_steps_on_the_vp_path(i, levels):
    beta = ddpm_betas(N)[i - 1].item()
    path = vp() if levels == "sde" else ddpm_path(N)
    times = to_clean(torch.linspace(1, 0, N, dtype=F64)) if levels == "sde" else level_scales(path, N)
    s = score(X, times[N - i].item())
    for method, mean, std in (
        (reverse_diffusion, (2 - (1 - beta) ** 0.5) * X + beta * s, beta**0.5),
        (ancestral, (X + beta * s) / (1 - beta) ** 0.5, beta**0.5),
        (probability_flow, (2 - (1 - beta) ** 0.5) * X + beta * s / 2, 0.0),
    ):
        x, found = taken(method, path, times, N - i)
        torch.testing.assert_close(found, mean)
        torch.testing.assert_close(x, mean + std * Z)


@pytest.mark.parametrize("i", [0, N // 2, N - 1])
def test_the_steps_on_the_sub_vp_path(i):
    path, times = sub_vp(), scales(sub_vp(), N, t_min=1e-3)
    t = times[i].item()
    h = 1 / N if i == N - 1 else (1 - 1e-3) / (N - 1)
    beta, integral = 0.1 + 19.9 * t, 0.1 * t + 9.95 * t**2
    g2 = beta * (1 - math.exp(-2 * integral))
    for method, half in ((reverse_diffusion, 1), (euler_maruyama, 1), (probability_flow, 0.5)):
        x, mean = taken(method, path, times, i)
        torch.testing.assert_close(mean, X + h * (beta * X / 2 + half * g2 * score(X, t)))
        torch.testing.assert_close(x, mean + ((h * g2) ** 0.5 * Z if half == 1 else 0))
    with pytest.raises(SolverError, match="no ancestral predictor on path 'sub_vp'"):
        ancestral(path, times)


def test_the_identity_changes_nothing():
    assert all(part is X for part in taken(identity, vp(), uniform_times(vp(), 4), 1))


@pytest.mark.parametrize("path", [ve(), vp(), sub_vp(), optimal_transport()], ids=lambda path: path.name)
def test_euler_maruyama_is_commons_and_reverse_diffusion_over_eulers_chain(path):
    oracle, times = gaussian(path, X[0], 0.5), uniform_times(path, 30, t_min=0.01, t_max=path.t_max)
    start = torch.randn(50, 3, generator=generator(1), dtype=F64)
    wanted = sde.euler_maruyama(oracle, start, times, generator=generator()).x
    for method in (euler_maruyama, predictor(reverse_diffusion_rule, forward_euler)):
        found = sampler("it", method, quantity="score")(oracle, start, times, generator=generator()).x
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_euler_maruyama_closes_with_a_step_of_1_over_n():
    path, times = vp(), scales(vp(), 10, t_min=1e-3)
    _, mean = taken(euler_maruyama, path, times, 9)
    beta = 0.1 + 19.9e-3
    torch.testing.assert_close(mean, X + 0.1 * (beta * X / 2 + beta * score(X, 1e-3)))
    with pytest.raises(SolverError, match="only the last time"):
        euler_maruyama(path, torch.tensor([1.0, 0.5, 0.5, 0.1]))


def test_ancestral_on_the_ve_path_is_commons_ancestral_sampler():
    path, start = ve(0.01, 5.0), 5 * torch.randn(20, 3, generator=generator(1), dtype=F64)
    oracle, times = gaussian(path, X[0], 0.5), level_times(path, 25)
    found = sampler("it", ancestral, quantity="score")(oracle, start, times, generator=generator()).x
    torch.testing.assert_close(found, exponential.ancestral(oracle, start, times, generator=generator()).x, rtol=1e-9, atol=1e-10)


def test_ddpm_is_the_ancestral_predictor_with_no_corrector():
    """Ho's algorithm 2, written out, with noise of variance beta_i."""
    path, betas = ddpm_path(N), ddpm_betas(N)
    oracle, product = gaussian(path, X[0], 0.5), (1 - betas).cumprod(0)
    x = torch.randn(20, 3, generator=generator(1), dtype=F64)
    found = predictor_corrector(ancestral)(oracle, x, level_scales(path, N), generator=generator())
    draws = generator()
    for i in reversed(range(N)):
        noise = oracle.noise(x, (i + 1) / N)
        mean = (x - betas[i] / (1 - product[i]).sqrt() * noise) / (1 - betas[i]).sqrt()
        x = mean + betas[i].sqrt() * torch.randn(x.shape, generator=draws, dtype=F64)
    torch.testing.assert_close(found.x, mean, rtol=1e-9, atol=1e-10)
    assert found.nfe.unique().tolist() == [N]


def test_commons_ancestral_sampler_has_ddpms_mean_and_the_posteriors_noise():
    path, times = ddpm_path(N), level_scales(ddpm_path(N), N)[:-1]
    for number in (0, 20, N - 2):
        t, t_next = times[number].item(), times[number + 1].item()
        x, mean = taken(ancestral, path, times, number)
        x_common, mean_common = taken(ddim_method(1.0), path, times, number)
        torch.testing.assert_close(mean, mean_common)
        both = [float(part(torch.tensor(each, dtype=F64))) for each in (t, t_next) for part in (path.alpha, path.sigma)]
        std = posterior_std(*both)
        beta = ddpm_betas(N)[N - 1 - number].item()
        torch.testing.assert_close(x - mean, beta**0.5 * Z)
        torch.testing.assert_close(x_common - mean_common, std * Z)
        assert std**2 < beta


def test_ancestral_sampling_and_reverse_diffusion_part_by_beta_squared():
    for beta in (1e-2, 1e-3):
        kernel = Kernel((1 - beta) ** 0.5, beta, 1.0)
        one, other = ddpm_rule(kernel), reverse_diffusion_rule(kernel)
        assert (one.of_x - other.of_x) / beta**2 == pytest.approx(1 / 4, rel=2 * beta)
        assert (one.of_score - other.of_score) / beta**2 == pytest.approx(1 / 2, rel=2 * beta)
        assert one.noise == other.noise


@pytest.mark.parametrize("path", [vp(), ve(0.01, 5.0)], ids=lambda path: path.name)
def test_with_the_same_noise_they_end_apart_by_1_over_n(path):
    oracle = gaussian(path, X[0], 0.5)
    start = path.prior_sample((400, 3), generator=generator(1))
    gaps = []
    for steps in (200, 400, 800):
        times = uniform_times(path, steps, t_min=0.01)
        ends = [
            sampler("it", method, quantity="score")(oracle, start, times, generator=generator()).x
            for method in (ancestral, reverse_diffusion)
        ]
        gaps.append(float((ends[0] - ends[1]).square().mean().sqrt()))
    for coarse, fine in itertools.pairwise(gaps):
        assert math.log2(coarse / fine) == pytest.approx(1, abs=0.15), gaps


def variance_at_the_end(method, path, times, std):
    """The variance of samples, exactly: sample k of the batch has noise in step k alone, of size 1."""
    oracle, steps = gaussian(path, torch.zeros(1, dtype=F64), std), len(times) - 1
    turn = iter(torch.eye(steps + 1, dtype=F64)[1:, :, None])
    start = path.prior_std * torch.eye(steps + 1, dtype=F64)[0, :, None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("common.dynamics.samplers.loop.normal", lambda x, *_: next(turn))
        return sampler("it", method, quantity="score")(oracle, start, times).x.square().sum().item()


def test_the_variance_at_the_end():
    """Data of variance 1 at eps = 1e-3: Euler's chain is the SDE's, DDPM's has VP's noise and on sub-VP never fits."""
    rules = {"euler": euler_maruyama, "ddpm": predictor(reverse_diffusion_rule, ddpm)}
    errors = {
        (path.name, rule, steps): abs(variance_at_the_end(method, path, uniform_times(path, steps, t_min=1e-3), 1.0) - 1)
        for path in (vp(), sub_vp())
        for rule, method in rules.items()
        for steps in (30, 300)
    }
    for steps in (30, 300):
        assert errors["vp", "ddpm", steps] > 1.5 * errors["vp", "euler", steps]
        assert errors["sub_vp", "ddpm", steps] > 0.2
    for path in ("vp", "sub_vp"):
        assert errors[path, "euler", 30] < 0.06 and errors[path, "euler", 300] < 0.006
    assert variance_at_the_end(predictor(ddpm_rule, ddpm), vp(), uniform_times(vp(), 30, t_min=1e-3), 1.0) == pytest.approx(
        1, abs=1e-3
    )


@pytest.mark.parametrize("path", [ve(), vp(), sub_vp()], ids=lambda path: path.name)
def test_the_last_ancestral_step_over_the_paths_own_kernel_is_tweedies(path):
    oracle, times = gaussian(path, X[0], 0.5), torch.tensor([0.3, 0.3], dtype=F64)
    _, mean = predictor(ddpm_rule, transition)(path, times)(oracle, X, 0.3, 0.3, lambda x: Z)
    torch.testing.assert_close(mean, oracle.denoised(X, 0.3))
