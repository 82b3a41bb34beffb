import pytest
import torch

from common.dynamics.samplers.noise import BLOCK, NoiseSource, SampleStreams, draws, normal
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


def test_streams_that_are_not_asked_stay_where_they_are():
    x = torch.zeros(3, 2)
    alone = [SampleStreams([seed]) for seed in (7, 8, 9)]
    expected = [[stream.normal(x[:1])[0] for _ in range(2 * BLOCK)] for stream in alone]
    streams, asked = SampleStreams([7, 8, 9]), [0, 0, 0]
    for turn in range(BLOCK + 20):
        rows = [[2, 0], [1], [0, 1, 2], [0]][turn % 4]
        for row, drawn in zip(rows, streams.normal(x, torch.tensor(rows))):
            assert torch.equal(drawn, expected[row][asked[row]])
            asked[row] += 1
    assert asked[0] > BLOCK > asked[1], "some have begun a new block and others have not"


def test_draws_of_a_generator_are_a_stream_per_sample():
    x = torch.zeros(4, 3)
    whole, part = (draws(start, torch.Generator().manual_seed(3), "it") for start in (x, x[:2]))
    expected = [whole(torch.arange(4)) for _ in range(3)]
    assert torch.stack(expected).unique().numel() == 36
    assert torch.equal(part(torch.tensor([1, 0])), expected[0][[1, 0]])
    assert torch.equal(part(torch.tensor([1])), expected[1][[1]])
    assert torch.equal(part(torch.tensor([0])), expected[1][[0]]), "who is not asked waits"
    other = draws(x, torch.Generator().manual_seed(4), "it")(torch.arange(4))
    assert torch.cat([other, expected[0]]).unique().numel() == 24
    with pytest.raises(SolverError, match="it draws noise: pass a generator"):
        draws(x, None, "it")


def test_draws_of_another_source_are_the_samples_own():
    class Places:
        def normal(self, x):
            return torch.arange(len(x))[:, None].expand_as(x).to(x)

    found = draws(torch.zeros(4, 2), Places(), "it")(torch.tensor([3, 1]))
    assert torch.equal(found, torch.tensor([[3.0, 3.0], [1.0, 1.0]]))


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
