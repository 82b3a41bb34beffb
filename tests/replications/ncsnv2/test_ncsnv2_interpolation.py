"""Paths of noise, and what is said of paths of samples, on stand-ins whose answers are known by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ncsn_stand_ins import F64, MEAN, RANGES, SHAPE, STD, draw, level_network

from common.dynamics.answers import Answering
from common.dynamics.paths import level_times, ve
from common.evaluation.yardstick import Yardstick
from common.learning.data.split import ImageSplit
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ncsn.networks import Trained
from replications.ncsnv2.experiments import interpolation
from replications.ncsnv2.noise_interpolation import InterpolatedNoise, blends, independent_distance, step_lengths
from replications.ncsnv2.step_size import best_step_size

PACKAGE = "replications.ncsnv2"


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def context(tmp_path):
    return Context("ncsnv2", "interpolation", "smoke", 0, 99, tmp_path, tmp_path, torch.device("cpu"))


# noise


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_noise_turns_from_the_first_to_the_second(dtype):
    source, x = InterpolatedNoise(generator(1), generator(2), 5), torch.zeros(15, *SHAPE, dtype=dtype)
    ends = [generator(1), generator(2)]
    for _ in range(2):
        found = source.normal(x).unflatten(0, (3, 5))
        first, second = (torch.randn(3, *SHAPE, generator=end, dtype=dtype) for end in ends)
        assert found.dtype == dtype and torch.equal(found[:, 0], first) and torch.equal(found[:, 4], second)
        torch.testing.assert_close(found[:, 2], (first + second) / 2**0.5)
        torch.testing.assert_close(found[:, 1], math.cos(math.pi / 8) * first + math.sin(math.pi / 8) * second)


def test_noise_is_standard_normal_at_every_angle():
    found = InterpolatedNoise(generator(1), generator(2), 4).normal(torch.zeros(8000, 5, dtype=F64)).unflatten(0, (2000, 4))
    assert (found.var((0, 2)) - 1).abs().max() < 4 * (2 / 10_000) ** 0.5
    # neighbours are 30 degrees apart
    assert float((found[:, 1] * found[:, 2]).mean()) == pytest.approx(math.cos(math.pi / 6), abs=0.05)


# paths


def test_steps_of_a_circle():
    """Nine points of a quarter of the unit circle: chords 2 sin(angle / 2), of every second point those of twice the angle."""
    angle = torch.linspace(0, math.pi / 2, 9, dtype=F64)
    path = torch.stack([angle.cos(), angle.sin()], 1).expand(3, 9, 2)
    for stride in (1, 2, 8):
        found = step_lengths(path, stride)
        assert found.shape == (3, 8 // stride)
        torch.testing.assert_close(found, torch.full_like(found, 2 * math.sin(stride * math.pi / 32)))
    assert independent_distance(torch.tensor([[0.0], [3.0], [4.0]], dtype=F64)) == pytest.approx(8 / 3)


def test_blends_are_straight_lines():
    first, second = draw(3, *SHAPE), draw(3, *SHAPE, seed=1)
    found = blends(first, second, 5)
    assert torch.equal(found[:, 0], first) and torch.equal(found[:, 4], second)
    torch.testing.assert_close(found[:, 1], 0.75 * first + 0.25 * second)


# the experiment


@pytest.mark.parametrize("pixel_range", RANGES.values())
def test_samples_are_chains_by_the_rules_and_a_last_denoising_step(pixel_range):
    """Gaussian pixels, every step written out in [-1, 1]: score -(x - m) / (s^2 + sigma^2), levels 2, 0.2 and 0.02."""
    network, start = level_network(pixel_range), torch.rand(4, *SHAPE, generator=generator(), dtype=F64)
    found = interpolation.samples(network, start, generator(5), points=1, steps=2, at_once=9)
    x, noise, mean, rho = 2 * start - 1, generator(5), MEAN.reshape(SHAPE), best_step_size(10.0, 2, 0.01).rho
    for sigma in (2.0, 0.2, 0.02):
        for _ in range(2):
            drift = rho * sigma**2 * (mean - x) / (STD**2 + sigma**2)
            x = x + drift + (2 * rho) ** 0.5 * sigma * torch.randn(4, *SHAPE, generator=noise, dtype=F64)
    expected = x + 0.02**2 * (mean - x) / (STD**2 + 0.02**2)
    assert (expected.abs() > 1).any()
    torch.testing.assert_close(found, expected.clamp(-1, 1), rtol=1e-6, atol=1e-6)


class Measure(Yardstick):
    """A yardstick whose features are ten times the pixels, and whose distance is the images' mean."""

    def row(self, metric, images, **labels):
        return {"metric": metric, "value": float(images.double().mean()), "n": len(images), **labels}


MEASURE = Measure(
    ImageSplit(torch.zeros(9, *SHAPE), None, 17), lambda images: 10 * images.flatten(1).numpy(), np.zeros(1), np.zeros(1)
)


def by_angle(rows, metric, variant):
    return {r["at"]: r["value"] for r in rows if r["metric"] == metric and r["variant"] == variant}


def test_a_path_that_jumps_reads_one_however_small_the_angle():
    """Three paths of five points: one goes evenly from -0.5 to 0.5, the others jump from 0.5 to -0.5, at different points."""
    values = torch.tensor([[-2, -1, 0, 1, 2], [2, 2, -2, -2, -2], [2, -2, -2, -2, -2]], dtype=F64) / 4
    path = values.reshape(3, 5, 1, 1, 1).expand(3, 5, *SHAPE)
    rows = interpolation.smoothness_rows(path, MEASURE, method="noise", dataset="d")
    for variant in ("pixels", "features"):  # starts are 0, 1 and 1 apart, ends of paths 1, in units of 4 or 40
        mean, largest = (by_angle(rows, metric, variant) for metric in ("step_over_independent", "largest_step_over_independent"))
        assert mean == pytest.approx({90: 1 * 1.5, 45: 0.5 * 1.5, 22.5: 0.25 * 1.5})
        assert largest == pytest.approx({90: 1 * 1.5, 45: (0.5 + 1 + 1) / 2, 22.5: (0.25 + 1 + 1) / 2})
    assert all(r["method"] == "noise" and r["n"] == 3 and r["axis"] == "angle" for r in rows)


def test_quality_is_read_at_every_point():
    path = torch.linspace(-1, 0.5, 5, dtype=F64).reshape(1, 5, 1, 1, 1).expand(3, 5, *SHAPE)
    rows = interpolation.quality_rows(path, MEASURE, method="blend")
    assert {r["at"]: r["value"] for r in rows} == pytest.approx({0: -1, 0.25: -0.625, 0.5: -0.25, 0.75: 0.125, 1: 0.5})


def test_a_run_with_a_network_that_is_exact(context, monkeypatch):
    """Scores of Gaussian pixels are linear, so samples turn as their noise does: neighbours are sqrt(2) sin(angle / 2) apart."""
    path = ve(0.02, 2.0)
    mean = MEAN.reshape(SHAPE)
    exact = Answering(
        path,
        "score",
        lambda x, t: (mean.to(x) - x) / (STD**2 + path.sigma(torch.tensor(t, dtype=F64)).square()).to(x),
        level_times(path, 8),
    )
    asked = []
    monkeypatch.setattr(interpolation, "yardstick", lambda *a, **more: MEASURE)
    monkeypatch.setattr(interpolation, "trained", lambda *names: asked.append(names) or Trained(exact, (-1.0, 1.0)))
    settings = resolve(PACKAGE, "interpolation", "smoke", ["pairs=60", "halvings=2", "steps=6", "at_once=25"])
    outcome = interpolation.run(settings, context)
    assert asked == [(context, "digits", "ncsnv2", "shared")]
    rows = [r for r in outcome.rows if r["method"] == "noise"]
    assert all(r["nfe"] == 49 and r["dataset"] == "digits" for r in outcome.rows)
    ends = [r["value"] for r in rows if r["metric"] == "largest_difference_of_ends"]
    assert len(ends) == 1 and ends[0] < 1e-5
    found = by_angle(rows, "step_over_independent", "pixels")
    for angle, value in found.items():
        assert value == pytest.approx(2**0.5 * math.sin(math.radians(angle) / 2), rel=0.05)
    assert list(found) == [90, 45, 22.5]
    samples, blend = (outcome.arrays[name].astype(float) for name in ("noise", "blend"))
    assert samples.shape == blend.shape == (8, 5, *SHAPE) and np.abs(samples[:, [0, -1]] - blend[:, [0, -1]]).max() == 0
    spread = samples[:, 2].std(), blend[:, 2].std()
    assert spread[1] < spread[0]
    assert len([r for r in outcome.rows if r["metric"] == "feature_frechet"]) == 10


def test_ends_that_differ_are_seen(context, monkeypatch):
    monkeypatch.setattr(interpolation, "yardstick", lambda *a, **more: MEASURE)
    monkeypatch.setattr(interpolation, "trained", lambda *names: SimpleNamespace(model=SimpleNamespace(known_times=[1, 0])))
    called = iter((0.0, 0.25, -0.5))
    monkeypatch.setattr(
        interpolation,
        "samples",
        lambda network, start, *_, points, **more: next(called) + torch.zeros_like(start).repeat(points, 1, 1, 1),
    )
    rows = interpolation.run(resolve(PACKAGE, "interpolation", "smoke"), context).rows
    assert [r["value"] for r in rows if r["metric"] == "largest_difference_of_ends"] == [0.5 * 4]
