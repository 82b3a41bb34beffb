"""What is said of samples, on stand-in models and images whose answers are known by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ncsn_stand_ins import F64, RANGES, SHAPE, draw, level_network
from torch import nn

from common.dynamics.answers import Answering
from common.dynamics.paths import level_times, ve
from common.errors import RetraceError
from common.evaluation.yardstick import Yardstick
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.learning.data.split import ImageSplit
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ncsn import sample_measures as measures
from replications.ncsn.chains import Chains, starts
from replications.ncsn.experiments import samples
from replications.ncsn.networks import Trained
from replications.ncsn.sampler_step import Step

PACKAGE, D = "replications.ncsn", 16
NO_IMAGES = ImageSplit(torch.empty(0, 1, 1, 1), None, 17)


def all_stayed(images):
    """Return that no chain diverged."""
    return torch.ones(len(images), dtype=torch.bool)


@pytest.fixture
def context(tmp_path):
    return Context("ncsn", "samples", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))


def by_method(rows, metric):
    return {row["method"]: row["value"] for row in rows if row["metric"] == metric}


def test_each_cell_is_its_network_with_its_sampler_at_equal_cost(context):
    """Networks that say only which they are: the ladder's level, and the baseline at any level."""
    asked = []

    def said(name):
        return lambda x, t: asked.append((name, t)) or torch.zeros_like(x)

    path = ve(0.02, 0.02)
    single = Trained(Answering(path, "score", said("single"), level_times(path, 1)), (-1.0, 1.0))
    ladder = level_network((-1.0, 1.0), score=said("ladder"))
    settings = resolve(PACKAGE, "samples", "smoke", ["step.steps=4", "step.rho=0.125"])
    start, found = starts(3, SHAPE, context), {}
    cells = samples.cells(ladder, single, start, settings, context)
    times = [t for t in (1.0, 0.5, 0.0) for _ in range(4)]
    expected = [
        (("ncsn", "annealed"), [("ladder", t) for t in times]),
        (("ncsn", "plain"), [("ladder", 0.0)] * 12),
        (("ncsn_single", "annealed"), [("single", 1.0)] * 12),
        (("ncsn_single", "plain"), [("single", 1.0)] * 12),
    ]
    for k, (name, calls) in enumerate(expected):
        assert asked[12 * k : 12 * (k + 1)] == calls, name
        assert cells[name].nfe == 12
        found[name] = cells[name].images.double()
    # without a score only noise is added, the same draws in all: as wide as the levels that are visited
    z = torch.stack(
        [torch.randn(3, *SHAPE, generator=draws) for draws in [context.generator("chains")] for _ in range(12)]
    ).double()
    widths = torch.tensor([2.0, 0.2, 0.02], dtype=F64).repeat_interleave(4).reshape(12, 1, 1, 1, 1)
    begin = 2 * start.double() - 1
    annealed, plain = begin + 0.5 * (widths * z).sum(0), begin + 0.5 * 0.02 * z.sum(0)
    for (_, sampler), images in found.items():
        torch.testing.assert_close(images, annealed if sampler == "annealed" else plain, rtol=1e-4, atol=1e-5)
    assert len(cells["ncsn", "annealed"].kept) == 12 and all(len(cells[name].kept) == 0 for name, _ in expected[1:])


@pytest.mark.parametrize(("steps", "kept"), [(4, 4), (100, 4), (30, 2), (9, 1), (2, 2)])
def test_the_end_of_every_level_is_kept(steps, kept, context, monkeypatch):
    network = level_network((0.0, 1.0), score=lambda x, t: torch.zeros_like(x))
    settings = resolve(PACKAGE, "samples", "smoke", [f"step.steps={steps}"])
    chosen = {}
    monkeypatch.setattr(
        samples, "run_chains", lambda *_, **more: chosen.update({"keep_every": more.get("keep_every", chosen.get("keep_every"))})
    )
    samples.cells(network, network, starts(2, SHAPE, context), settings, context)
    assert steps % chosen["keep_every"] == 0 and steps // chosen["keep_every"] == kept


class Recorder:
    """A yardstick that keeps the images it was given and reads their mean."""

    def __init__(self):
        self.images, self.training = [], np.zeros((5, 1))

    def row(self, metric, images, **labels):
        self.images.append(images)
        return {"metric": metric, "value": float(images.double().mean()), **labels}

    floor_row = Yardstick.floor_row

    def floor(self, n):
        return 0.25


@pytest.mark.parametrize("pixel_range", RANGES.values())
def test_what_is_seen_on_the_way_is_seen_at_the_ends_of_levels(pixel_range):
    """A score of -k x / sigma^2, k the level's number, at a grey value of 0.5: the ratio is rho k^2 |x|^2 / (2 D sigma^2)."""
    low, high = pixel_range
    known = [1.0, 0.5, 0.0]
    path = ve(0.01 * (high - low), high - low)

    def score(x, t):
        return -(known.index(t) + 1) * x / path.sigma(torch.tensor(t, dtype=F64)) ** 2

    network = Trained(Answering(path, "score", score, torch.tensor(known, dtype=F64)), pixel_range)
    moments = torch.tensor([9.0, 0.5, 9.0, 0.5, 9.0, 0.5], dtype=F64).reshape(6, 1, 1, 1, 1).expand(6, 2, *SHAPE)
    train, measure = torch.zeros(3, *SHAPE), Recorder()
    rows = measures.on_the_way(
        network,
        Chains(moments[-1], moments, 60, all_stayed(moments[-1])),
        measure,
        train,
        "d",
        Step(steps=20, rho=0.2),
    )
    at = {(row["metric"], row["at"]): row["value"] for row in rows}
    x = low + (high - low) * 0.75  # in the network's own range
    for k, level in enumerate((1.0, 0.1, 0.01), 1):
        sigma = level * (high - low)
        assert at["drift_over_noise", level] == pytest.approx(0.2 * sigma**2 * (k * x / sigma**2) ** 2 / 2)
        assert at["nearest_on_the_way", level] == pytest.approx(0.5 * 4) and at["frechet_on_the_way", level] == 0.5
    assert len(rows) == 9 and all(row["axis"] == "sigma" and row["dataset"] == "d" for row in rows)


def test_a_settled_chain_drifts_as_much_as_theory_says():
    """At a Gaussian level the chain's variance is sigma^2 / (1 - rho / 2), so the ratio is rho / (2 - rho)."""
    rho, n = 0.2, 4000
    path = ve(0.01, 1.0)
    score = lambda x, t: -x / path.sigma(torch.tensor(t, dtype=F64)) ** 2  # noqa: E731
    network = Trained(Answering(path, "score", score, level_times(path, 3)), (0.0, 1.0))
    widths = torch.tensor([1.0, 0.1, 0.01], dtype=F64).reshape(3, 1, 1, 1, 1) / (1 - rho / 2) ** 0.5
    moments = 2 * widths * draw(3, n, *SHAPE) - 1
    rows = measures.on_the_way(
        network,
        Chains(moments[-1], moments, 3, all_stayed(moments[-1])),
        Recorder(),
        torch.zeros(1, *SHAPE),
        "d",
        Step(steps=1, rho=rho),
    )
    for row in rows:
        if row["metric"] == "drift_over_noise":
            assert row["value"] == pytest.approx(rho / (2 - rho), rel=0.02)


@pytest.mark.parametrize("pixel_range", RANGES.values())
def test_the_step_that_the_paper_does_not_make(pixel_range):
    """x + sigma^2 s with a score of -(x - grey) / sigma^2 is grey, at the least level only; clipped for the yardstick."""
    low, high = pixel_range
    path = ve(0.01 * (high - low), high - low)
    grey = low + 0.75 * (high - low)
    score = lambda x, t: (grey - x) / (0.01 * (high - low)) ** 2  # noqa: E731
    network, measure = Trained(Answering(path, "score", score, level_times(path, 3)), pixel_range), Recorder()
    row = measures.denoised_row(network, Chains(draw(4, *SHAPE), draw(0, 4, *SHAPE), 30, 0.0), measure, "d")
    torch.testing.assert_close(measure.images[0], torch.full((4, *SHAPE), 0.5, dtype=F64), rtol=1e-8, atol=1e-8)
    assert row["nfe"] == 31 and (row["method"], row["variant"]) == ("ncsn", "annealed, denoised")


def tenfold(images):
    return 10 * images.flatten(1).numpy()


def unsigned(images):
    return -images.flatten(1).abs().numpy()


def known(images, features):
    return measures.Known(images, features(images))


def test_distances_to_the_nearest_training_image():
    train = known(torch.stack([torch.full(SHAPE, value) for value in (-0.5, 0.5)]), tenfold)
    images = torch.stack([torch.full(SHAPE, value) for value in (-0.4, 0.8, 3.0)])  # 0.1, 0.3 and, clipped, 0.5 a pixel
    rows = measures.distance_rows(images, train, tenfold, {"method": "m", "nfe": 4})
    assert by_method(rows, "nearest_in_pixels") == {"m": pytest.approx(0.3 * 4)}
    assert by_method(rows, "nearest_in_features") == {"m": pytest.approx(3 * 4)}
    assert all(row["n"] == 3 and row["nfe"] == 4 for row in rows)
    test = ImageSplit(torch.full((1, *SHAPE), 3, dtype=torch.uint8), None, 4)  # 0.75
    held_out = measures.held_out_rows(test, train, tenfold, "d")
    assert by_method(held_out, "nearest_in_pixels") == {"data": pytest.approx(1.0)}
    assert held_out[0]["variant"] == "test split" and held_out[0]["dataset"] == "d"


def test_pictures_stand_beside_the_training_images_nearest_to_them():
    train = known(torch.stack([torch.full(SHAPE, value) for value in (-0.5, 0.1, 0.5)]), unsigned)
    images = torch.stack([torch.full(SHAPE, value) for value in (0.4, -9.0, 0.0)])
    found = measures.nearest_images(images, train, unsigned)
    assert found["copied"][:, 0, 0, 0].tolist() == [pytest.approx(0.4), -1, 0]
    assert found["nearest_pixels"][:, 0, 0, 0].tolist() == [0.5, -0.5, pytest.approx(0.1)]
    # features without sign: -0.5 comes first among equals
    assert found["nearest_features"][:, 0, 0, 0].tolist() == [-0.5, -0.5, pytest.approx(0.1)]


def test_training_images_are_the_replicates_own(context):
    split = catalogue.load("digits", "train", 3)
    other = Context("ncsn", "samples", "smoke", 3, 2, context.results, context.out, context.device)
    assert torch.equal(measures.training_images("digits", other), to_unit(split.images, split.grey_values))
    assert not torch.equal(measures.training_images("digits", other), measures.training_images("digits", context))


class Classifier:
    """Four classes by the first pixel's quarter of [-1, 1], each with probability 0.7 and the others 0.1."""

    project = SimpleNamespace(weight=torch.zeros(1))

    def __call__(self, images):
        which = ((images[:, 0, 0, 0] + 1) * 2).long().clamp(0, 3)
        return (0.1 + 0.6 * nn.functional.one_hot(which, 4)).log()


def test_confidence_and_entropy_of_the_classes():
    values = torch.tensor([-0.9, -0.3, 0.3, 7.0]).reshape(4, 1, 1, 1)
    test = ImageSplit(torch.tensor([0, 0, 3, 3, 3, 3, 3, 3]).reshape(8, 1, 1, 1), None, 4)
    rows = measures.recognised(Classifier(), values, test, "d")
    assert by_method(rows, "confidence") == {"ncsn": pytest.approx(0.7), "data": pytest.approx(0.7)}
    of_data = (0.25 * math.log(4) + 0.75 * math.log(4 / 3)) / math.log(4)
    assert by_method(rows, "class_entropy") == {"ncsn": pytest.approx(1.0), "data": pytest.approx(of_data)}
    assert [row["n"] for row in rows] == [4, 4, 8, 8]
    same = measures.recognised(Classifier(), values[:1].expand(5, 1, 1, 1), test, "d")
    assert by_method(same, "class_entropy")["ncsn"] == 0


def test_reference_rows(context):
    settings, measure = resolve(PACKAGE, "samples", "smoke", ["samples=3"]), Recorder()
    rows = samples.reference_rows(measure, torch.full((3, *SHAPE), 0.75), settings)
    assert [(row["method"], row["value"]) for row in rows] == [("data", 0.25), ("noise", 0.5)]
    assert rows[0]["n"] == 3 and rows[0]["floor"] == 0.25


def test_inception_sees_whole_numbers_of_256(context, monkeypatch):
    seen = {}
    monkeypatch.setattr(samples, "class_probabilities", lambda pixels, **_: seen.update(pixels=pixels))
    monkeypatch.setattr(samples, "inception_score", lambda probabilities: SimpleNamespace(mean=8.87, std=0.12))
    monkeypatch.setattr(samples, "fid_to", lambda split, device: lambda images: float(images.max()))
    images = torch.tensor([-7.0, -1.0, 0.0, 0.999, 1.0, 7.0]).reshape(6, 1, 1, 1).expand(6, 3, 1, 1)
    rows = samples.inception_rows(
        Chains(images, images[None], 1000, all_stayed(images)),
        SimpleNamespace(test=NO_IMAGES),
        resolve(PACKAGE, "samples", "smoke"),
        context,
    )
    assert seen["pixels"][:, 0, 0, 0].tolist() == [0, 0, 128, 255, 255, 255] and seen["pixels"].dtype == np.uint8
    assert [(row["metric"], row["value"], row["n"], row["nfe"]) for row in rows] == [
        ("fid", 1.0, 6, 1000),
        ("inception_score", 8.87, 6, 1000),
    ]
    assert rows[1]["error"] == 0.12


def test_the_baseline_is_compared_without_the_chains_that_diverged():
    """And with as many of NCSN's: a distance depends on how many samples it is read from."""
    seen = {}

    class Seeing(Recorder):
        def row(self, metric, images, **labels):
            seen[labels["method"]] = images
            return {"metric": metric, "value": float(images.mean()), **labels}

    values = torch.arange(6.0).reshape(6, 1, 1, 1) / 10
    stayed = torch.tensor([True, False, True, True, False, True])
    baseline, own = (
        Chains(values, values[None], 9, stayed),
        Chains(values + 0.1, values[None], 9, all_stayed(values)),
    )
    rows = samples.stayed_rows({("ncsn_single", "plain"): baseline, ("ncsn", "annealed"): own}, Seeing(), "d")
    assert torch.equal(seen["ncsn_single"].flatten(), torch.tensor([0.0, 0.2, 0.3, 0.5]))
    assert torch.equal(seen["ncsn"].flatten(), (values + 0.1).flatten()[:4])
    assert [(row["metric"], row["method"], row["variant"]) for row in rows] == [
        ("frechet_of_stayed", "ncsn_single", "plain"),
        ("frechet_of_stayed", "ncsn", "annealed"),
    ]


def test_with_too_few_that_stayed_the_comparison_is_refused():
    class Needing(Recorder):
        def row(self, metric, images, **labels):
            raise RetraceError("first set: 1 points; at least 2 are needed")

    values = torch.zeros(3, 1, 1, 1)
    chains = Chains(values, values[None], 9, torch.tensor([True, False, False]))
    rows = samples.stayed_rows({("ncsn_single", "plain"): chains, ("ncsn", "annealed"): chains}, Needing(), "d")
    assert [row["status"] for row in rows] == ["refused", "refused"] and "at least 2" in rows[0]["message"]
