import pytest
import torch

from common.dynamics.samplers.noise import BLOCK, NoiseSource, SampleStreams, normal
from common.errors import SolverError


def test_draws_are_independent_standard_normals():
    streams, x = SampleStreams(range(50)), torch.zeros(50, 3)
    draws = torch.stack([streams.normal(x) for _ in range(3 * BLOCK)])
    assert draws.unique().numel() == draws.numel(), "nothing is drawn twice"
    n = draws.numel()
    assert abs(draws.mean()) < 4 / n**0.5 and abs(draws.var() - 1) < 4 * (2 / n) ** 0.5
    for lag in (1, BLOCK):
        assert abs((draws[lag:] * draws[:-lag]).mean()) < 4 / (n - lag) ** 0.5
    assert abs((draws[:, 1:] * draws[:, :-1]).mean()) < 4 / n**0.5


def test_samples_that_leave_do_not_disturb_the_others():
    seeds, x = [7, 8, 9, 10], torch.zeros(4, 2)
    alone = SampleStreams([seeds[2]])
    expected = [alone.normal(x[:1]) for _ in range(BLOCK + 10)]
    streams = SampleStreams(seeds)
    found = [streams.normal(x)[2] for _ in range(5)]
    streams.keep(torch.tensor([True, False, True, False]))
    assert len(streams) == 2
    found += [streams.normal(x[:2])[1] for _ in range(BLOCK)]
    streams.keep(torch.tensor([1]))
    found += [streams.normal(x[:1])[0] for _ in range(5)]
    assert torch.equal(torch.stack(found), torch.cat(expected))


def test_streams_follow_the_dtype():
    assert SampleStreams([0]).normal(torch.zeros(1, 2, dtype=torch.float64)).dtype == torch.float64


def test_one_generator_draws_for_the_batch():
    x = torch.zeros(3, 2)
    expected = torch.randn(3, 2, generator=torch.Generator().manual_seed(1))
    assert torch.equal(normal(x, torch.Generator().manual_seed(1), "it"), expected)
    with pytest.raises(SolverError, match="it draws noise: pass a generator"):
        normal(x, None, "it")


def test_whatever_gives_normals_is_a_source():
    class Ones:
        def normal(self, x):
            return torch.ones_like(x)

    assert isinstance(Ones(), NoiseSource) and not isinstance(torch.Generator(), NoiseSource)
    assert torch.equal(normal(torch.zeros(2, 3), Ones(), "it"), torch.ones(2, 3))
