"""Which ladders the experiments with exact scores run, and what they find."""

import math

import pytest
import torch

from common.errors import SettingsError
from common.learning.data import catalogue
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ncsnv2.exact_chains import Centres
from replications.ncsnv2.experiments import exact_scores, resolution

PACKAGE, F64 = "replications.ncsnv2", torch.float64


@pytest.fixture
def context(tmp_path):
    return Context("ncsnv2", "exact_scores", "smoke", 0, 99, tmp_path, tmp_path, torch.device("cpu"))


def stand_in(monkeypatch, module, mixture):
    """Put a mixture in the data set's place; keep the ladders that chains are run with, and their starts."""
    seen = []

    def chains(images, starts, ladder, *, generator, dtype=torch.float32):
        seen.append((ladder, starts, generator.initial_seed(), dtype))
        return starts

    monkeypatch.setattr(module, "centres", lambda *_: mixture)
    monkeypatch.setattr(module, "exact_chains", chains)
    return seen


def test_every_ladder_starts_at_its_level_and_from_every_start(context, monkeypatch):
    """Three points of distances 3, 4 and 5: the median is 4, the largest 5."""
    points = torch.zeros(3, 1, 3, 3)
    points[1, 0, 0, 0], points[2, 0, 0, 1] = 3, 4
    seen = stand_in(monkeypatch, exact_scores, Centres(points, torch.tensor([0, 1, 1])))
    settings = resolve(PACKAGE, "exact_scores", "smoke", ["shares=[0.25]", "splits=[4,10]", "budget=40", "steps=3", "chains=8"])
    outcome = exact_scores.run(settings, context)
    assert [ladder.sigma_max for ladder, *_ in seen] == pytest.approx([5, 1, 4 / 18, 1, 5, 5])
    assert [(ladder.levels, ladder.steps) for ladder, *_ in seen[4:]] == [(4, 10), (10, 4)]
    assert all(ladder.steps == 3 and ladder.sigma_min == 0.01 for ladder, *_ in seen[:4])
    assert {seed for *_, seed, _ in seen} == {context.seed_for("chains")} and {dtype for *_, dtype in seen} == {torch.float32}
    assert all(list(starts) == ["uniform", "grey", "one image"] for _, starts, *_ in seen[:4])
    assert all(torch.equal(starts["uniform"], seen[0][1]["uniform"]) for _, starts, *_ in seen)
    found = {(r["metric"], r["method"], r["variant"], r.get("at")): r for r in outcome.rows}
    grey = found["distance_over_data", "grey", "largest distance", 1.25]
    assert grey["value"] == 0 and grey["nfe"] == seen[0][0].nfe and grey["axis"] == "sigma_over_median"
    assert grey["floor"] == found["distance_over_data", "data", "exact draws", None]["value"] > 0.3
    # all at one point: one centre of 3 (1 - (2/3)^8)
    one = found["distinct_centres", "one image", "median / 18", 1 / 18]
    assert one["value"] == pytest.approx(1 / (3 * (1 - (2 / 3) ** 8))) and one["n"] == 8
    assert ("distinct_centres", "grey", "median × 0.25", 0.25) in found
    assert ("class_variation", "uniform", "split", 10) in found
    assert found["median_distance", "data", "centres", None]["value"] == pytest.approx(4)
    assert found["largest_distance", "data", "centres", None]["value"] == pytest.approx(5)
    bound = found["log10_bound_at_median", "", "1", 0.25]["value"]
    assert bound == pytest.approx(math.log10(0.5 * math.exp(-2)))
    assert outcome.arrays["1, grey"].shape == (8, 1, 3, 3) and len(outcome.arrays) == 14


def test_a_published_level_stands_in_the_largest_distances_place(context, monkeypatch):
    points = torch.zeros(2, 1, 3, 3)
    points[1, 0, 0, 0] = 3
    seen = stand_in(monkeypatch, exact_scores, Centres(points, None))
    rows = exact_scores.run(resolve(PACKAGE, "exact_scores", "smoke", ["largest=50", "precision=double"]), context).rows
    assert seen[0][0].sigma_max == seen[-1][0].sigma_max == 50 and seen[0][3] == F64
    assert [r["value"] for r in rows if r["metric"] == "largest_distance"] == pytest.approx([3])


def test_wide_noise_covers_from_anywhere_and_narrow_noise_does_not(context):
    settings = resolve(
        PACKAGE, "exact_scores", "laptop", ["data=digits", "centres=300", "chains=150", "splits=[5]", "steps=3", "pairs=50"]
    )
    found = {(r["metric"], r["method"], r["variant"]): r["value"] for r in exact_scores.run(settings, context).rows}
    for start in ("uniform", "grey", "one image"):
        assert found["distinct_centres", start, "largest distance"] > 0.88
        assert found["distance_over_data", start, "largest distance"] == pytest.approx(1, abs=0.05)
    assert found["distinct_centres", "uniform", "median / 18"] < 0.8
    assert found["distinct_centres", "one image", "median / 18"] < 0.1
    assert found["distance_over_data", "one image", "median / 18"] < 0.2
    assert found["distinct_centres", "uniform", "split"] > 0.85
    for variant in ("1", "largest distance"):
        alone, mixture = (found["largest_over_bound", method, variant] for method in ("two images alone", "mixture"))
        assert mixture < alone <= 1 + 1e-9 and alone > 0.8


# against resolution


def test_averaging_keeps_the_mean_of_every_box():
    images = torch.arange(32.0).reshape(2, 1, 4, 4)
    found = resolution.averaged(Centres(images, torch.tensor([0, 1])), 2)
    assert found.images[0].flatten().tolist() == [2.5, 4.5, 10.5, 12.5] and found.labels.tolist() == [0, 1]
    assert torch.equal(resolution.averaged(Centres(images, None), 4).images, images)


def test_both_ladders_at_every_resolution(context, monkeypatch):
    """Checks of grey in boxes of 8: distances grow with the root of the number of pixels."""
    images = torch.zeros(2, 3, 16, 16)
    images[1] = 0.5
    seen = stand_in(monkeypatch, resolution, Centres(images, None))
    rows = resolution.run(resolve(PACKAGE, "resolution", "smoke", ["sides=[2, 4]", "steps=3"]), context).rows
    for (own, *_), (fixed, *_), dim in zip(seen[::2], seen[1::2], (12, 48)):
        assert own.sigma_max == pytest.approx(0.5 * dim**0.5) and own.steps == 3
        assert (fixed.sigma_max, fixed.levels, fixed.rho) == (1.0, 10, 0.2) and fixed.sigma_min == own.sigma_min == 0.01
        assert abs(fixed.nfe - own.nfe) <= 5
    shares = {(r["method"], r["at"]): r["value"] for r in rows if r["metric"] == "sigma_over_median"}
    assert shares == pytest.approx({("ncsnv2", 12): 1, ("ncsn", 12): 3**-0.5, ("ncsnv2", 48): 1, ("ncsn", 48): 12**-0.5})
    assert {seed for *_, seed, _ in seen} == {context.seed_for("chains")}
    assert {(r["axis"], r["dataset"]) for r in rows} == {("dimensions", "patches_colour16")}


def test_sides_that_do_not_divide_are_refused():
    with pytest.raises(SettingsError, match="sides: 5 does not divide 16"):
        resolution.check(resolve(PACKAGE, "resolution", "smoke", ["sides=[4, 5]"]))


def test_a_fixed_ladder_falls_behind(context):
    settings = resolve(PACKAGE, "resolution", "laptop", ["sides=[4, 16]", "centres=150", "chains=80"])
    rows = resolution.run(settings, context).rows
    found = {(r["method"], r["at"]): r["value"] for r in rows if r["metric"] == "distance_over_data"}
    assert found["ncsn", 768] < 0.7 < 0.8 < found["ncsn", 48]
    assert found["ncsnv2", 48] > 0.9 and found["ncsnv2", 768] > 0.9


@pytest.mark.parametrize(("level", "asked"), [("smoke", ("digits", "train")), ("paper", ("cifar10", "test"))])
def test_the_check_looks_for_the_split(level, asked, monkeypatch):
    seen = []
    monkeypatch.setattr(catalogue, "load", lambda *names: seen.append(names))
    exact_scores.check(resolve(PACKAGE, "exact_scores", level))
    assert seen == [asked]
