"""Chains with exact scores against the same steps written out, and what their samples cover, counted by hand."""

import math
from itertools import product

import pytest
import torch

from common.dynamics.paths import ladder
from common.learning.data import catalogue
from common.runs.experiment import Context
from replications.ncsnv2 import coverage, exact_chains
from replications.ncsnv2.exact_chains import STARTS, Centres, Ladder, SharedNoise
from replications.ncsnv2.step_size import variance_ratio

F64, SHAPE = torch.float64, (1, 2, 3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n, seed=0):
    return torch.rand(n, *SHAPE, generator=generator(seed), dtype=F64)


@pytest.fixture
def context(tmp_path):
    return Context("ncsnv2", "exact_scores", "smoke", 3, 2, tmp_path, tmp_path, torch.device("cpu"))


def test_chains_are_the_published_steps_with_the_mixtures_score():
    """s = sum_k r_k (x_k - x) / sigma^2, written out; both starts see the same noise."""
    centres, rungs = images(5), Ladder(0.9, 0.1, 3, 2, 0.15)
    starts = {"a": images(4, 1), "b": 3 * images(4, 2)}
    found = exact_chains.exact_chains(centres, starts, rungs, generator=generator(7), dtype=F64)
    noise = generator(7)
    xs = {name: x.flatten(1) for name, x in starts.items()}
    for sigma in (0.9, 0.3, 0.1):
        for _ in range(2):
            z = torch.randn(4, *SHAPE, generator=noise, dtype=F64).flatten(1)
            for name, x in xs.items():
                away = centres.flatten(1) - x[:, None]
                shares = torch.exp(-away.square().sum(-1, keepdim=True) / (2 * sigma**2))
                score = (shares * away).sum(1) / shares.sum(1) / sigma**2
                xs[name] = x + 0.15 * sigma**2 * score + math.sqrt(2 * 0.15) * sigma * z
    for name, x in xs.items():
        torch.testing.assert_close(found[name].flatten(1), x, rtol=1e-9, atol=1e-9)


def test_single_precision_finds_the_same_centres():
    centres = torch.rand(200, 1, 8, 8, generator=generator(), dtype=F64)
    start = {"uniform": torch.rand(100, 1, 8, 8, generator=generator(1), dtype=F64)}
    rungs = exact_chains.spaced_ladder(4.0, 0.01, 64, 3)
    found = [
        coverage.nearest(
            exact_chains.exact_chains(centres, start, rungs, generator=generator(2), dtype=dtype)["uniform"], centres
        )
        for dtype in (F64, torch.float32)
    ]
    assert (found[0] == found[1]).double().mean() >= 0.98 and len(found[0].unique()) > 60


@pytest.mark.parametrize("dtype", [F64, torch.float32])
def test_distances_are_taken_as_asked(dtype, monkeypatch):
    seen, made = [], exact_chains.EmpiricalDistribution
    monkeypatch.setattr(exact_chains, "EmpiricalDistribution", lambda *a, **more: seen.append(made(*a, **more)) or seen[-1])
    rungs = Ladder(0.9, 0.1, 2, 1, 0.1)
    found = exact_chains.exact_chains(images(3), {"a": images(2)}, rungs, generator=generator(), dtype=dtype)
    assert found["a"].dtype == F64 and [(model.dtype, model.data.dtype) for model in seen] == [(dtype, dtype)]


def test_noise_is_shared_by_groups_and_drawn_once():
    x = torch.zeros(6, 2)
    found, expected = SharedNoise(generator(3), 2).normal(x), torch.randn(3, 2, generator=generator(3))
    assert torch.equal(found, torch.cat([expected, expected]))


def test_ladders_follow_the_rules():
    rungs = exact_chains.spaced_ladder(50.0, 0.01, 3072, 5)
    assert rungs.levels == 232 and rungs.rho == pytest.approx(0.062, abs=0.001) and rungs.nfe == 1160  # as published
    for levels, steps in ((4, 7), (20, 3)):
        rungs = exact_chains.split_ladder(2.0, 0.02, levels, steps)
        sigmas = ladder(rungs.sigma_max, rungs.sigma_min, rungs.levels)
        ratio, rho = float(sigmas[0] / sigmas[1]), rungs.rho
        assert rungs.nfe == levels * steps
        best = abs(variance_ratio(ratio, rho, steps) - 1)
        assert all(best <= abs(variance_ratio(ratio, rho * more, steps) - 1) for more in (0.97, 1.03))


def test_where_chains_start():
    centres = images(7)
    found = {name: start(50, centres, generator(4)) for name, start in STARTS.items()}
    assert {x.dtype for x in found.values()} == {F64} and {x.shape for x in found.values()} == {(50, *SHAPE)}
    assert 0 <= found["uniform"].min() < 0.05 and 0.95 < found["uniform"].max() < 1
    assert (found["grey"] == 0.5).all()
    assert (found["one image"] == found["one image"][0]).all()
    assert (found["one image"][0] == centres).flatten(1).all(1).sum() == 1


def test_centres_are_the_replicates_own_between_0_and_1(context):
    found, split = exact_chains.centres("digits", 2000, context), catalogue.load("digits", "train", 3)
    assert len(found.images) == len(split.images) and 0 < found.images.min() < 0.1 and 0.9 < found.images.max() < 1
    values = (found.images * 17 - 0.5).round().long()
    own = {tuple(image.flatten().tolist()): int(label) for image, label in zip(split.images, split.labels)}
    assert all(own[tuple(v.flatten().tolist())] == label for v, label in zip(values, found.labels.tolist()))
    few = exact_chains.centres("digits", 5, context)
    assert torch.equal(few.images, found.images[:5]) and torch.equal(few.labels, found.labels[:5])


# what is counted


def test_mean_distance_is_of_different_samples(monkeypatch):
    x = torch.tensor([0.0, 3.0, 4.0], dtype=F64).reshape(3, 1, 1, 1)
    assert coverage.mean_distance(x) == pytest.approx((3 + 4 + 1) / 3)
    monkeypatch.setattr(coverage, "AT_ONCE", 2)
    assert coverage.mean_distance(x) == pytest.approx((3 + 4 + 1) / 3)


def test_distinct_centres_over_those_of_uniform_draws():
    """Three draws of four centres, all of them: 4 (1 - (3/4)^3) distinct ones on average."""
    draws = [torch.tensor(draw) for draw in product(range(4), repeat=3)]
    assert sum(coverage.distinct_share(draw, 4) for draw in draws) / len(draws) == pytest.approx(1)
    assert coverage.distinct_share(torch.tensor([2, 2, 2]), 4) == pytest.approx(1 / (4 * 37 / 64))


def test_total_variation_of_classes():
    some = torch.tensor([0, 0, 1, 2])
    assert coverage.total_variation(some, torch.tensor([0, 0, 0, 0, 1, 1, 2, 2])) == 0
    assert coverage.total_variation(some, torch.tensor([0, 3])) == pytest.approx(0.5)
    assert coverage.total_variation(some, torch.tensor([5])) == 1


def test_measures_of_the_centres_themselves():
    centres = Centres(images(40), torch.arange(40) % 3)
    found = coverage.measures(centres.images + 1e-3, centres)
    expected = 40 / (40 * (1 - (39 / 40) ** 40))
    assert found == pytest.approx({"distance_over_data": 1, "distinct_centres": expected, "class_variation": 0})
    of_one_class = coverage.measures(centres.images[1::3], centres)
    assert of_one_class["class_variation"] == pytest.approx(27 / 40)
    assert set(coverage.measures(centres.images, centres._replace(labels=None))) == {"distance_over_data", "distinct_centres"}
    twice = coverage.coverage_rows(2 * centres.images, centres, found, method="m")
    assert twice[0]["value"] == pytest.approx(2) and twice[0]["floor"] == pytest.approx(1) and twice[0]["n"] == 40


def test_exact_draws_are_of_the_mixture():
    centres = Centres(10 * images(20), None)
    x = coverage.exact_draws(4000, centres, 0.01, generator())
    which = coverage.nearest(x, centres.images)
    assert (x - centres.images[which]).std() == pytest.approx(0.01, rel=0.03)
    counts = which.bincount(minlength=20)
    assert (counts - 200).square().sum() / 200 < 45  # chi squared of 19 degrees of freedom
