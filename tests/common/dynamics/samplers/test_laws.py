"""What holds for every sampler, on every path, against a mixture that is known exactly."""

import itertools
import math

import pytest
import torch
from torch import nn

from common.dynamics.answers import Answering
from common.dynamics.denoiser import Denoiser
from common.dynamics.oracles import GaussianMixture, gaussian
from common.dynamics.paths import PATHS, level_times, optimal_transport, uniform_times, ve, vp
from common.dynamics.samplers.noise import SampleStreams
from common.dynamics.samplers.ode import torchdiffeq_solver
from common.dynamics.samplers.table import SAMPLERS
from common.errors import SolverError, UnsupportedModelError

F64 = torch.float64
START, END = 0.9, 0.05  # away from the optimal-transport path's singular end
DETERMINISTIC = [name for name, entry in SAMPLERS.items() if entry.order]
NOISY = [name for name, entry in SAMPLERS.items() if entry.order is None]
STREAMED = [name for name, entry in SAMPLERS.items() if entry.streams]
ON_THE_WHOLE_BATCH = [name for name in SAMPLERS if name not in STREAMED]


def mixture(path):
    means = torch.tensor([[2.0, 0.0], [-2.0, 1.0]], dtype=F64)
    return GaussianMixture(
        path, weights=torch.tensor([0.7, 0.3], dtype=F64), means=means, stds=torch.tensor([0.3, 0.5], dtype=F64)
    )


def marginal(path, n, t, rng):
    x0 = mixture(path).sample(n, generator=rng)
    return path.perturb(x0, torch.tensor(t, dtype=F64), torch.randn(x0.shape, generator=rng, dtype=F64))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", SAMPLERS)
def test_the_marginal_becomes_the_mixture(name, path, rng):
    path, n, steps = PATHS[path](), 3000, 200
    entry, oracle = SAMPLERS[name], mixture(path)
    result = entry.sample(
        oracle, marginal(path, n, START, rng), uniform_times(path, steps, t_min=END, t_max=START), generator=rng
    )
    assert result.nfe.tolist() == [entry.stages * steps] * n and result.rejected.tolist() == [0] * n
    alpha, sigma = (float(part(torch.tensor(END, dtype=F64))) for part in (path.alpha, path.sigma))
    first = result.x[:, 0] > 0
    # four standard errors, and the bias that 200 steps of order one may leave
    assert first.double().mean() == pytest.approx(0.7, abs=4 * math.sqrt(0.21 / n) + 0.01)
    for part, mean, std in zip((result.x[first], result.x[~first]), oracle.means, oracle.stds):
        expected = math.hypot(alpha * float(std), sigma)
        error = expected * (4 / len(part) ** 0.5 + 0.05)
        torch.testing.assert_close(part.mean(0), alpha * mean, rtol=0, atol=error)
        torch.testing.assert_close(part.std(0), torch.full((2,), expected, dtype=F64), rtol=0, atol=error)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_order(name, path, rng):
    path, entry = PATHS[path](), SAMPLERS[name]
    oracle, x = mixture(path), marginal(path, 20, START, rng)
    exact = torchdiffeq_solver("dopri8", rtol=1e-11, atol=1e-11)(oracle, x, uniform_times(path, 1, t_min=END, t_max=START)).x
    errors = []
    for steps in (200, 400, 800):
        found = entry.sample(oracle, x, uniform_times(path, steps, t_min=END, t_max=START)).x
        errors.append(float((found - exact).square().mean().sqrt()))
    slopes = [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]
    if errors[-1] > 1e-10:  # above the reference's own error
        assert slopes[-1] == pytest.approx(entry.order, abs=0.25), (errors, slopes)
    assert errors[-1] < 0.05


class Bent(nn.Module):
    """A float32 network that treats every number by itself, and is close to the noise of small data."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.full((), 0.7))

    def forward(self, x, t):
        assert x.dtype == t.dtype == torch.float32
        return self.weight * torch.tanh(x)


def streams(seeds):
    return SampleStreams([1000 + seed for seed in seeds])


@pytest.mark.parametrize("name", STREAMED)
def test_with_streams_a_sample_is_the_same_alone_and_in_any_batch(name, draw):
    sample, model, x = SAMPLERS[name].sample, Denoiser(Bent(), vp(), "noise"), draw(5, 1, 2, 2)
    times = uniform_times(vp(), 40, t_min=0.1, t_max=START)  # longer than one block of noise
    together = sample(model, x, times, generator=streams(range(5))).x
    for chosen in ([0], [3], [4, 1], [2, 0, 3]):
        assert torch.equal(sample(model, x[chosen], times, generator=streams(chosen)).x, together[chosen])
    if name in NOISY:
        assert not torch.equal(sample(model, x, times, generator=streams(range(1, 6))).x, together)
        with pytest.raises(SolverError, match="3 streams of noise for 5 samples"):
            sample(model, x, times, generator=streams(range(3)))


@pytest.mark.parametrize("name", ON_THE_WHOLE_BATCH)
def test_noise_of_the_whole_batch_takes_no_streams(name, draw):
    with pytest.raises(SolverError, match="noise for the whole batch: pass a generator"):
        SAMPLERS[name].sample(mixture(vp()), draw(5, 2), uniform_times(vp(), 3, t_min=0.1), generator=streams(range(5)))


@pytest.mark.parametrize("name", SAMPLERS)
def test_randomness_is_the_generators_alone(name, draw):
    sample, x, times = SAMPLERS[name].sample, draw(4, 1, 2, 2), uniform_times(vp(), 5, t_min=0.1)
    model = Denoiser(Bent(), vp(), "noise")

    def run(seed, global_seed):
        torch.manual_seed(global_seed)
        state = torch.get_rng_state()
        result = sample(model, x, times, generator=torch.Generator().manual_seed(seed)).x
        assert torch.equal(torch.get_rng_state(), state)
        return result

    assert torch.equal(run(0, 0), run(0, 1))
    assert torch.equal(run(0, 0), run(1, 0)) == (name in DETERMINISTIC)
    assert run(0, 0).shape == x.shape
    if name in NOISY:
        with pytest.raises(SolverError, match="pass a generator"):
            sample(model, x, times, generator=None)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_state_keeps_its_dtype_around_a_float32_network(name, dtype, draw, rng):
    result = SAMPLERS[name].sample(
        Denoiser(Bent(), vp(), "noise"), draw(3, 2).to(dtype), uniform_times(vp(), 5, t_min=0.1), generator=rng
    )
    # solvers of the probability flow keep float64 in any case
    assert result.x.dtype == (F64 if name in ("euler", "heun", "midpoint", "heun3", "rk4") else dtype)
    assert not result.x.requires_grad


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_callback_sees_every_step_and_changes_nothing_by_looking(name, draw):
    sample, x, times = SAMPLERS[name].sample, draw(3, 2), uniform_times(vp(), 4, t_min=0.1)
    seen = []
    quiet = sample(mixture(vp()), x, times, generator=torch.Generator().manual_seed(0))
    loud = sample(mixture(vp()), x, times, generator=torch.Generator().manual_seed(0), callback=lambda *what: seen.append(what))
    assert [step for step, _, _ in seen] == [0, 1, 2, 3]
    assert [t for _, t, _ in seen] == pytest.approx(times.tolist()[1:])
    assert torch.equal(seen[-1][2], loud.x) and torch.equal(quiet.x, loud.x) and torch.equal(quiet.nfe, loud.nfe)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_callback_may_replace_the_state(name, draw, rng):
    """Inpainting: one coordinate is known. The other must come from its distribution given the known one."""
    path, n = vp(), 2000
    known = torch.full((n,), 2.0, dtype=F64)

    def inpaint(step, t, x):
        time = torch.tensor(t, dtype=F64)
        noise = torch.randn(n, generator=rng, dtype=F64)
        return torch.stack([path.alpha(time) * known + path.sigma(time) * noise, x[:, 1]], 1)

    times = uniform_times(path, 60, t_min=0.01)
    start = path.prior_sample((n, 2), generator=rng)
    x = SAMPLERS[name].sample(mixture(path), start, times, generator=rng, callback=inpaint).x
    assert (x[:, 0] - 2).abs().max() < 0.3
    # the first component alone has its mass there: the second coordinate is near 0 and not near 1
    assert x[:, 1].mean() == pytest.approx(0, abs=0.12)
    with pytest.raises(SolverError, match=r"callback of step 0 gave a state of shape \[2\]; return \[2000, 2\] or None"):
        SAMPLERS[name].sample(mixture(path), start, times, generator=rng, callback=lambda step, t, x: x[0])


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_level_network_serves_whoever_visits_its_levels_only(name, draw, rng):
    """20 levels on the VE path: with its own times every one-evaluation method may run, and between them none."""
    entry, path, x = SAMPLERS[name], ve(), 50 * draw(3, 1)
    oracle = gaussian(path, torch.tensor([0.3], dtype=F64), 0.5)
    model = Answering(path, "noise", oracle.noise, level_times(path, 20))
    own = level_times(path, 20)
    if name in ("euler", "heun", "ddim", "dpm_solver_pp_2m", "edm_heun", "ddim_half", "ancestral", "euler_maruyama"):
        found = entry.sample(model, x, own, generator=rng.manual_seed(0)).x
        torch.testing.assert_close(found, entry.sample(oracle, x, own, generator=rng.manual_seed(0)).x)
    else:
        with pytest.raises(UnsupportedModelError, match="20 discrete noise levels"):
            entry.sample(model, x, own, generator=rng)
    with pytest.raises(UnsupportedModelError, match="20 discrete noise levels"):
        entry.sample(model, x, uniform_times(path, 7), generator=rng)


@pytest.mark.parametrize("name", SAMPLERS)
def test_misuse_is_named(name, draw, rng):
    sample, x, times = SAMPLERS[name].sample, draw(3, 2), uniform_times(vp(), 3)
    with pytest.raises(SolverError, match=r"not finite|underflow"):
        sample(mixture(vp()), x * math.nan, times, generator=rng)
    with pytest.raises(SolverError, match="at least two times; got 1"):
        sample(mixture(vp()), x, times[:1], generator=rng)
    if name not in ("euler", "heun", "midpoint", "heun3", "rk4"):
        with pytest.raises(SolverError, match="give decreasing times"):
            sample(mixture(vp()), x, times.flip(0), generator=rng)
    if name not in ("euler", "heun", "midpoint", "heun3", "rk4", "ddim", "ddim_half", "ancestral", "dpm_solver_pp_2m"):
        with pytest.raises(SolverError, match=r"infinite at t = 1; start at t <= 0\.999"):
            sample(mixture(optimal_transport()), x, times, generator=rng)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("times", [[0.9, 0.9, 0.1], [0.9, 0.1, 0.5]])
def test_times_in_disorder_are_refused_by_every_sampler(name, times, draw, rng):
    with pytest.raises(SolverError, match=r"give decreasing times|must increase or decrease"):
        SAMPLERS[name].sample(mixture(vp()), draw(3, 2), torch.tensor(times, dtype=F64), generator=rng)
