"""The sampler against a plain loop of one sample written out, and what it promises of batches, noise and errors."""

import itertools
import math

import pytest
import torch
from torch import nn

from common.dynamics.answers import Answering
from common.dynamics.denoiser import Denoiser
from common.dynamics.oracles import GaussianMixture, gaussian
from common.dynamics.paths import PATHS, optimal_transport, ve, vp
from common.dynamics.samplers.noise import SampleStreams
from common.dynamics.samplers.result import denoised_last
from common.errors import SolverError, UnsupportedModelError
from replications.gotta_go_fast.ablations import ABLATIONS
from replications.gotta_go_fast.adaptive_sde import adaptive_sde

F64 = torch.float64
ENDS = torch.tensor([1.0, 1e-3], dtype=F64)
TOLERANCES = {"rtol": 0.1, "atol": 0.03}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normals(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=F64)


class Table:
    """Noise given in advance: at each draw the next of [draws, batch, *shape]."""

    def __init__(self, values):
        self.values = iter(values)

    def normal(self, x):
        return next(self.values)


def plain(path, model, x, ends, noise, rtol=0.1, atol=0.03, first_step=0.01, **options):
    """Algorithm 1 for one sample x [dim], with the ablations' options: its end, trials and rejections."""
    safety, power, norm, extrapolate, previous, error, kept = (
        {"safety": 0.9, "power": 0.9, "norm": "rms", "extrapolate": True, "previous": "compared", "error": "sde", "kept": False}
        | options
    ).values()
    t, end = ends
    h, before, trials, rejected, unit = first_step, x, 0, 0, None

    def reverse(x, t):
        time = torch.tensor(t, dtype=F64)
        f, g2 = path.drift_coefficient(time), path.diffusion_squared(time)
        return f * x - g2 * model.score(x[None], time)[0], g2.sqrt()

    while t > end:
        h, t_next = (h, t - h) if t - h > end + 1e-6 else (t - end, end)
        fresh = next(noise)
        unit = unit if kept and unit is not None else fresh
        z = h**0.5 * unit
        drift, g = reverse(x, t)
        if error == "sde":
            euler = x - h * drift + g * z
            drift_next, g_next = reverse(euler, t_next)
            heun = (euler + x - h * drift_next + g_next * z) / 2
            new, compared, gap = (heun, euler, euler - heun) if extrapolate else (euler, heun, euler - heun)
        else:
            euler = x - h * drift
            heun = x - h / 2 * (drift + reverse(euler, t_next)[0])
            compared, gap = (heun if extrapolate else euler), euler - heun
            new = compared + g * z
        other = {"compared": before, "state": x, "none": compared}[previous]
        delta = torch.maximum(torch.full_like(x, atol), rtol * torch.maximum(compared.abs(), other.abs()))
        ratio = (gap / delta).abs()
        scaled = float(ratio.max() if norm == "max" else ratio.square().mean().sqrt())
        trials += 1
        if scaled <= 1:
            x, t, before, unit = new, t_next, compared, None
        else:
            rejected += 1
        h = safety * h * scaled**-power
    return x, trials, rejected


def mixture(path, dim=3):
    means = torch.stack([torch.linspace(-1, 1, dim, dtype=F64), torch.full((dim,), 0.5, dtype=F64)])
    return GaussianMixture(path, weights=torch.ones(2, dtype=F64), means=means, stds=torch.tensor([0.1, 0.2], dtype=F64))


VARIANTS = {**ABLATIONS, "state": {"previous": "state"}, "kept": {"noise": "kept"}}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("path", ["vp", "ve"])
def test_it_is_the_published_algorithm(path, variant):
    """Every sample of a batch is what a loop of one sample finds, with the same noise."""
    path, options = PATHS[path](), VARIANTS[variant]
    model, start = mixture(path), path.prior_std * normals(3, 3)
    table = normals(2000, 3, 3, seed=1)
    found = adaptive_sde(**TOLERANCES, **options)(model, start, ENDS, generator=Table(table))
    said = {key: value for key, value in options.items() if key != "noise"}
    for k in range(3):
        x, trials, rejected = plain(path, model, start[k], ENDS.tolist(), iter(table[:, k]), kept=variant == "kept", **said)
        torch.testing.assert_close(found.x[k], x, rtol=1e-8, atol=1e-8)
        assert (int(found.nfe[k]), int(found.rejected[k])) == (2 * trials, rejected)
    assert found.rejected.sum() > 0 and len(found.nfe.unique()) > 1, "otherwise the case shows nothing"


class Bent(nn.Module):
    """A float32 network that treats every number by itself, and is close to the noise of small data."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.full((), 0.7))

    def forward(self, x, t):
        assert x.dtype == t.dtype == torch.float32
        return self.weight * torch.tanh(x)


@pytest.mark.parametrize("noise", ["redrawn", "kept", "bridge"])
def test_a_sample_is_the_same_alone_and_in_any_batch(noise):
    sample, model, x = adaptive_sde(**TOLERANCES, noise=noise), Denoiser(Bent(), vp(), "noise"), normals(6, 1, 3, 3).float()

    def run(chosen):
        return sample(model, x[chosen], ENDS, generator=SampleStreams([1000 + k for k in chosen]))

    together = run(range(6))
    assert len(together.nfe.unique()) > 2 and together.rejected.sum() > 0
    for chosen in ([0], [3], [4, 1], [2, 0, 3, 5]):
        for part, whole in zip(run(chosen), together):
            assert torch.equal(part, whole[chosen])


def test_a_generator_seeds_a_stream_per_sample():
    """Later samples do not matter to earlier ones, and the global random state to none."""
    sample, model, x = adaptive_sde(**TOLERANCES), mixture(vp()), normals(5, 3)
    state = torch.get_rng_state()
    whole, part = (sample(model, start, ENDS, generator=generator()) for start in (x, x[:2]))
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(whole.x[:2], part.x)
    other = sample(model, x, ENDS, generator=generator(1)).x
    assert not torch.allclose(other, whole.x)
    same = sample(model, x[:1].expand(2, 3), ENDS, generator=generator()).x
    assert not torch.allclose(same[0], same[1]), "every sample has noise of its own"
    with pytest.raises(SolverError, match="pass a generator"):
        sample(model, x, ENDS)
    with pytest.raises(SolverError, match="3 streams of noise for 5 samples"):
        sample(model, x, ENDS, generator=SampleStreams(range(3)))


def test_samples_that_have_arrived_are_not_evaluated_again():
    asked = []
    model = mixture(vp())
    counting = Answering(vp(), "score", lambda x, t: asked.append(len(x)) or model.score(x, t))
    found = adaptive_sde(**TOLERANCES)(counting, normals(20, 3), ENDS, generator=generator())
    assert sum(asked) == int(found.nfe.sum()) and len(asked) == int(found.nfe.max())
    assert asked[0] == 20 and asked[-1] < 20
    tweedie = denoised_last(adaptive_sde(**TOLERANCES))(model, normals(20, 3), ENDS, generator=generator())
    assert torch.equal(tweedie.nfe, found.nfe + 1)
    torch.testing.assert_close(tweedie.x, model.denoised(found.x, 1e-3))


@pytest.mark.parametrize("noise", ["redrawn", "bridge"])
def test_reuse_finds_the_same_samples_for_an_evaluation_less_per_rejection(noise):
    asked, x = [], normals(20, 1, 2, 2).float()
    network = Denoiser(Bent(), vp(), "noise")
    counting = Answering(vp(), "score", lambda x, t: asked.append(len(x)) or network.score(x, t))
    plainly, thriftily = (
        adaptive_sde(**TOLERANCES, noise=noise, reuse=reuse)(model, x, ENDS, generator=generator())
        for model, reuse in ((network, False), (counting, True))
    )
    assert torch.equal(plainly.x, thriftily.x) and torch.equal(plainly.rejected, thriftily.rejected)
    assert torch.equal(thriftily.nfe, plainly.nfe - plainly.rejected) and plainly.rejected.sum() > 0
    assert sum(asked) == int(thriftily.nfe.sum())
    asked.clear()
    heard = adaptive_sde(**TOLERANCES, noise=noise, reuse=True)(
        counting, x, ENDS, generator=generator(), callback=lambda *_: None
    )
    assert torch.equal(heard.nfe, plainly.nfe) and sum(asked) == int(plainly.nfe.sum())


def test_a_rejected_step_leaves_its_sample_where_it_was():
    seen = []
    adaptive_sde(**TOLERANCES)(
        mixture(vp()), normals(8, 3), ENDS, generator=generator(), callback=lambda *what: seen.append(what)
    )
    stood = 0
    for (_, t, x), (_, t_next, x_next) in itertools.pairwise(seen):
        still = t == t_next
        assert torch.equal(x[still], x_next[still])
        assert (x[~still] != x_next[~still]).all() and (t_next[~still] < t[~still]).all()
        stood += int(still.sum())
    assert stood > 0 and [step for step, _, _ in seen] == list(range(len(seen)))
    assert seen[-1][1].tolist() == [1e-3] * 8, "all end at the end, in float64"


def test_a_callback_may_replace_states():
    """One coordinate is held: the other must come from its distribution given the known one."""
    path, n, draws = vp(), 1500, generator(2)
    means = torch.tensor([[2.0, 0.0], [-2.0, 1.0]], dtype=F64)
    model = GaussianMixture(
        path, weights=torch.tensor([0.7, 0.3], dtype=F64), means=means, stds=torch.tensor([0.3, 0.5], dtype=F64)
    )

    def inpaint(step, t, x):
        known = path.alpha(t) * 2.0 + path.sigma(t) * torch.randn(n, generator=draws, dtype=F64)
        return torch.stack([known, x[:, 1]], 1)

    start = path.prior_sample((n, 2), generator=draws)
    x = adaptive_sde(0.1, 0.02)(model, start, ENDS, generator=draws, callback=inpaint).x
    assert (x[:, 0] - 2).abs().max() < 0.3 and x[:, 1].mean() == pytest.approx(0, abs=0.12)
    with pytest.raises(SolverError, match=r"callback of step 0 gave a state of shape \[1500\]"):
        adaptive_sde(0.1, 0.02)(model, start, ENDS, generator=draws, callback=lambda step, t, x: x[:, 0])


@pytest.mark.parametrize(
    ("path", "noise", "dim", "n"),
    [
        ("vp", "bridge", 2, 1500),
        ("sub_vp", "bridge", 2, 1500),
        ("ve", "bridge", 2, 1500),
        ("vp", "redrawn", 400, 10),
        ("vp", "kept", 400, 10),
    ],
)
def test_a_gaussian_is_reached(path, noise, dim, n):
    """Where alpha^2 std^2 + sigma^2 is the variance at the end: a bridge in few dimensions, where much is rejected.

    The others choose among noise by its size; in many dimensions it has one size only.
    """
    path, mean, std = PATHS[path](), 0.4, 0.3
    model = gaussian(path, torch.full((dim,), mean, dtype=F64), std)
    start, draws, ends = path.prior_std * normals(n, dim), generator(1), torch.tensor([1.0, 0.01], dtype=F64)
    found = adaptive_sde(0.05, 0.01, noise=noise)(model, start, ends, generator=draws)
    alpha, sigma = (float(part(ends[1])) for part in (path.alpha, path.sigma))
    expected = math.hypot(alpha * std, sigma)
    assert float(found.x.mean()) == pytest.approx(alpha * mean, abs=4 * expected / (n * dim) ** 0.5 + 0.02 * expected)
    assert float(found.x.std()) == pytest.approx(expected, rel=4 / (2 * n * dim) ** 0.5 + 0.01)
    assert found.rejected.sum() > 0


def test_modes_of_a_mixture_are_reached_on_the_optimal_transport_path():
    path, n = optimal_transport(), 1500
    means = torch.tensor([[2.0, 0.0], [-2.0, 1.0]], dtype=F64)
    model = GaussianMixture(
        path, weights=torch.tensor([0.7, 0.3], dtype=F64), means=means, stds=torch.tensor([0.3, 0.5], dtype=F64)
    )
    ends = torch.tensor([path.t_max, 0.01], dtype=F64)
    x = adaptive_sde(0.05, 0.02, noise="bridge")(model, normals(n, 2), ends, generator=generator(1)).x
    first = x[:, 0] > 0
    assert float(first.double().mean()) == pytest.approx(0.7, abs=4 * math.sqrt(0.21 / n) + 0.01)
    torch.testing.assert_close(x[first].mean(0), 0.99 * means[0], rtol=0, atol=0.05)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_state_keeps_its_dtype_and_times_are_float64(dtype):
    times = []
    found = adaptive_sde(**TOLERANCES)(
        Denoiser(Bent(), vp(), "noise"),
        normals(3, 2).to(dtype),
        ENDS,
        generator=generator(),
        callback=lambda _, t, x: times.append(t),
    )
    assert found.x.dtype == dtype and not found.x.requires_grad and {t.dtype for t in times} == {F64}


def test_float32_states_reach_the_end_of_a_wide_ve_path():
    path = ve(0.01, 380.0)
    ends = torch.tensor([1.0, 1e-5], dtype=F64)
    found = adaptive_sde(0.05, 0.004, first_step=0.5)(mixture(path), 380 * normals(20, 3).float(), ends, generator=generator())
    assert found.x.dtype == torch.float32 and found.x.abs().max() < 2


def test_without_error_a_step_takes_all_that_is_left():
    """A score of zero on the VE path with g constant leaves no error: E_2 = 0 must not be divided by."""
    path = ve(1.0, 1.0 + 1e-9)
    still = Answering(path, "score", lambda x, t: 0 * x)
    found = adaptive_sde(0.01, 0.01, first_step=0.1)(still, torch.ones(2, 3, dtype=F64), ENDS, generator=generator())
    assert found.nfe.tolist() == [4, 4] and found.rejected.tolist() == [0, 0]


def test_a_score_that_is_not_a_number_is_named_with_its_sample():
    model = mixture(vp())

    def broken(x, t):
        sick = (torch.as_tensor(t) < 0.5) & (x[:, 1] > 0)
        return torch.where(sick[:, None], math.nan, model.score(x, t))

    with pytest.raises(SolverError, match=r"the error is not finite: sample \d at t = 0\.5\d* with h = nan.*; loosen"):
        adaptive_sde(**TOLERANCES)(Answering(vp(), "score", broken), normals(6, 3), ENDS, generator=generator())
    with pytest.raises(SolverError, match="sample 1 at t = 1 with h = nan; loosen"):
        start = torch.stack([normals(3), torch.full((3,), math.nan, dtype=F64)])
        adaptive_sde(**TOLERANCES)(model, start, ENDS, generator=generator())


def test_a_step_that_underflows_is_an_error():
    rough = Answering(vp(), "score", lambda x, t: 1e30 * torch.sin(1e30 * x))
    with pytest.raises(SolverError, match=r"underflowed.*sample \d at t = 1 with h = \d.*e-(1[6-9]|[2-9]\d)"):
        adaptive_sde(**TOLERANCES)(rough, normals(2, 3), ENDS, generator=generator())


def test_too_many_steps_are_an_error():
    with pytest.raises(
        SolverError, match=r"not there after 7 steps on trial: sample 0 at t = 0\.8\d+ with h = 0\.0\d+ and 3 others"
    ):
        adaptive_sde(**TOLERANCES, max_iterations=7)(mixture(vp()), normals(4, 3), ENDS, generator=generator())


def test_misuse_is_named():
    x, model = normals(2, 3), mixture(vp())
    with pytest.raises(SolverError, match="give decreasing times"):
        adaptive_sde(**TOLERANCES)(model, x, ENDS.flip(0), generator=generator())
    with pytest.raises(SolverError, match=r"start at t <= 0\.999"):
        adaptive_sde(**TOLERANCES)(mixture(optimal_transport()), x, ENDS, generator=generator())
    with pytest.raises(UnsupportedModelError, match="any time, but this network knows 2"):
        adaptive_sde(**TOLERANCES)(Answering(vp(), "score", model.score, ENDS), x, ENDS, generator=generator())
    for wrong in ({"noise": "old"}, {"error": "both"}, {"first_step": 0.0}, {"power": 0.0}):
        with pytest.raises(SolverError, match=r"no noise 'old'|or no error 'both'|first_step must be|power must be"):
            adaptive_sde(**TOLERANCES, **wrong)
