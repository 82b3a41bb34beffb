"""Langevin dynamics against what it settles at, and the order in which annealing visits its levels."""

import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.denoiser import Conditioning, Denoiser
from common.dynamics.oracles import gaussian
from common.dynamics.paths import level_times, ve
from common.dynamics.samplers import loop
from common.dynamics.samplers.noise import SampleStreams
from common.dynamics.samplers.result import Samples
from common.errors import SolverError, UnsupportedModelError
from common.learning.nets.mlp import ResidualMLP
from replications.ncsn.annealed_langevin import annealed_langevin, annealing, langevin, relative_step, uniform_start

F64 = torch.float64
PATH = ve(0.01, 1.0)
LEVELS = level_times(PATH, 5)
PUBLISHED = 2e-5  # step size, in either convention
ORIGIN = Answering(PATH, "score", lambda x, t: -x / PATH.sigma(torch.as_tensor(t, dtype=F64)) ** 2)  # all data at 0


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_relative_step_of_either_convention():
    assert relative_step(PUBLISHED, 0.01, "coded") == pytest.approx(0.2)
    assert relative_step(PUBLISHED, 0.01, "printed") == pytest.approx(0.1)
    assert relative_step(0.1, 1.0, "printed") == pytest.approx(0.05)


@pytest.mark.parametrize("convention", ["printed", "coded"])
def test_it_is_the_published_chain(convention):
    """Three levels, two steps each, written out."""
    oracle, times = gaussian(PATH, torch.tensor([0.5, -0.2], dtype=F64), 0.3), level_times(PATH, 3)
    start = torch.rand(4, 2, generator=generator(1), dtype=F64)
    sample = annealed_langevin(relative_step(PUBLISHED, 0.01, convention))
    found = sample(oracle, start, annealing(times, 2), generator=generator())
    x, draws = start, generator()
    for t in times:
        for _ in range(2):
            alpha = PUBLISHED * PATH.sigma(t) ** 2 / 0.01**2
            z = torch.randn(4, 2, generator=draws, dtype=F64)
            if convention == "printed":
                x = x + alpha / 2 * oracle.score(x, t) + alpha**0.5 * z
            else:
                x = x + alpha * oracle.score(x, t) + (2 * alpha) ** 0.5 * z
    torch.testing.assert_close(found.x, x, rtol=1e-10, atol=1e-12)
    assert found.nfe.tolist() == [6] * 4


def variance_after(steps, rho, level, monkeypatch):
    """The variance of a chain from 0 at one level, exactly: chain k of the batch has noise in step k alone, of size 1."""
    turn = iter(torch.eye(steps, dtype=F64)[..., None])
    monkeypatch.setattr(loop, "normal", lambda x, *_: next(turn))
    times = annealing(LEVELS[[level]], steps)
    return annealed_langevin(rho)(ORIGIN, torch.zeros(steps, 1, dtype=F64), times).x.square().sum().item()


@pytest.mark.parametrize("level", [0, 2, 4])
@pytest.mark.parametrize(("convention", "ratio"), [("printed", 1 / 0.95), ("coded", 1 / 0.9)])
def test_it_settles_a_little_too_wide(convention, ratio, level, monkeypatch):
    rho, sigma = relative_step(PUBLISHED, 0.01, convention), PATH.sigma(LEVELS[level]).item()
    assert variance_after(150, rho, level, monkeypatch) == pytest.approx(sigma**2 * ratio, rel=1e-9)
    # on the way: noise of two steps, the first one shrunk
    assert variance_after(2, rho, level, monkeypatch) == pytest.approx(sigma**2 * 2 * rho * (1 + (1 - rho) ** 2), rel=1e-12)


def test_it_diverges_from_twice_the_variance_on(monkeypatch):
    assert variance_after(200, 1.9, 0, monkeypatch) == pytest.approx(1 / (1 - 1.9 / 2), rel=1e-6)
    assert variance_after(200, 2.1, 0, monkeypatch) > 1e6


def test_drift_and_noise_keep_their_proportion():
    """|a s|^2 over E |sqrt(2 a) z|^2 is (rho / 2) |sigma s|^2, at every level."""
    rho, unit = 0.2, torch.ones(1, 1, dtype=F64)
    for t in LEVELS:
        sigma = PATH.sigma(t)
        step = annealed_method(rho, t)
        moved, mean = step(ORIGIN, sigma * unit, float(t), float(t), torch.ones_like)
        assert mean.item() == pytest.approx(sigma.item() * (1 - rho))  # without this step's noise
        assert (moved - mean).item() == pytest.approx(sigma.item() * (2 * rho) ** 0.5)


def annealed_method(rho, t):
    """The step of annealed Langevin dynamics itself."""
    kept = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("replications.ncsn.annealed_langevin.sampler", lambda what, method, **_: kept.append(method))
        annealed_langevin(rho)
    return kept[0](PATH, t.repeat(2))


def test_a_coefficient_is_of_sigma_and_may_be_any():
    seen = []
    step = langevin(lambda sigma: seen.append(sigma) or 0.5 * torch.ones_like(sigma))
    found = step(ORIGIN, torch.zeros(1, 1, dtype=F64), LEVELS[[3, 3, 3]], generator=generator())
    torch.testing.assert_close(seen[0], PATH.sigma(LEVELS[[3, 3]]))
    first, second = torch.randn(2, generator=generator(), dtype=F64).tolist()
    sigma = PATH.sigma(LEVELS[3]).item()
    assert found.x.item() == pytest.approx(first * (1 - 0.5 / sigma**2) + second)


def test_levels_are_visited_in_order_as_often_as_asked():
    assert annealing(torch.tensor([1.0, 0.5, 0.0]), 2).tolist() == [1, 1, 0.5, 0.5, 0, 0, 0]
    asked, told = [], []
    model = Answering(PATH, "score", lambda x, t: asked.append(t) or -x, LEVELS)
    start = torch.zeros(3, 1, 2, 2, dtype=F64)
    found = annealed_langevin(0.1)(
        model, start, annealing(LEVELS, 4), generator=generator(), callback=lambda number, t, x: told.append((number, t))
    )
    assert asked == LEVELS.repeat_interleave(4).tolist() and PATH.sigma(LEVELS).diff().max() < 0
    assert told == [(k, t) for k, t in enumerate([*asked[1:], asked[-1]])]
    assert found.nfe.tolist() == [20] * 3 and found.rejected.tolist() == [0] * 3


@pytest.mark.parametrize("pixel_range", [(0.0, 1.0), (-1.0, 1.0), (2.0, 5.0)])
def test_chains_start_uniformly_in_the_range_of_pixels(pixel_range):
    low, high = pixel_range
    x = uniform_start((2000, 1, 3, 3), pixel_range, generator=generator()).double()
    assert x.shape == (2000, 1, 3, 3) and x.min() >= low and x.max() < high
    width = high - low
    # 18 000 draws: five standard errors
    assert float(x.mean()) == pytest.approx((low + high) / 2, abs=5 * width / (12 * 18000) ** 0.5)
    assert float(x.var()) == pytest.approx(width**2 / 12, rel=0.03)
    assert torch.equal(x, uniform_start((2000, 1, 3, 3), pixel_range, generator=generator()).double())


def test_a_network_of_levels_refuses_times_between_them():
    model = Answering(PATH, "score", lambda x, t: -x, LEVELS)
    start, between = torch.zeros(2, 2, dtype=F64), annealing(level_times(PATH, 4), 2)
    with pytest.raises(UnsupportedModelError, match=r"annealed Langevin dynamics cannot run on this network.*5 discrete"):
        annealed_langevin(0.1)(model, start, between, generator=generator())
    annealed_langevin(0.1)(model, start, annealing(LEVELS[1:4], 2), generator=generator())


@pytest.mark.parametrize("times", [[0.0, 0.5], [1.0, 0.5, 0.5, 0.75]])
def test_annealing_only_goes_down(times):
    with pytest.raises(SolverError, match="annealed Langevin dynamics runs from noise to data"):
        annealed_langevin(0.1)(ORIGIN, torch.zeros(2, 2, dtype=F64), torch.tensor(times), generator=generator())


def test_with_streams_a_sample_is_the_same_alone_and_in_any_batch():
    oracle, start = gaussian(PATH, torch.tensor([0.5, -0.2], dtype=F64), 0.3), torch.rand(5, 2, dtype=F64, generator=generator(1))
    sample, times = annealed_langevin(0.2), annealing(LEVELS, 9)
    together = sample(oracle, start, times, generator=SampleStreams(range(5))).x
    alone = sample(oracle, start[[3]], times, generator=SampleStreams([3])).x
    torch.testing.assert_close(alone[0], together[3], rtol=1e-12, atol=1e-14)
    assert len(together.unique()) == 10


def test_no_step_waits_for_a_device(monkeypatch):
    """On the device that has no values any number that is read is an error: there is nothing to read."""
    known = level_times(PATH, 10)
    with torch.device("meta"):
        network = ResidualMLP((1, 8, 8), 8, 1)
    model = Denoiser(network, PATH, "noise", known, Conditioning("unit_variance", "index", 0.5)).to("meta")
    monkeypatch.setattr(loop, "normal", lambda x, *_: torch.empty_like(x))
    monkeypatch.setattr(
        loop, "finished", lambda what, x, calls: Samples(x, torch.tensor([calls]), torch.zeros(1, dtype=torch.int64))
    )
    start = torch.empty(3, 1, 8, 8, device="meta")
    found = annealed_langevin(0.2)(model, start, annealing(known, 2))
    assert found.x.shape == start.shape and found.x.device.type == "meta" and found.nfe.tolist() == [20]
    with pytest.raises(RuntimeError):
        float(found.x.sum())
