"""Losses of both networks on either split in closed form, smoothed curves, and counts of parameters."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from ncsn_stand_ins import MEAN, RANGES, SHAPE, STD, draw, level_network
from ncsnv2_stand_ins import by, write_shared

from common.errors import RetraceError, SettingsError
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.learning.data.split import ImageSplit
from common.runs.cli import main
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ncsnv2.experiments import losses

PACKAGE, D, GREYS = "replications.ncsnv2", 16, 2**16
OFF = 0.4  # how far the mean of the unseen images is from that of the training images
NARROW = 0.1  # half as wide as the network takes them for: STD


@pytest.fixture
def context(tmp_path):
    return Context("ncsnv2", "losses", "smoke", 0, 99, tmp_path, tmp_path, torch.device("cpu"))


def settings(*more):
    return resolve(PACKAGE, "losses", "smoke", more)


def split_of(name, split, replicate):
    """Gaussian pixels: as the network takes them, or narrower with another mean, and more of these."""
    n, mean, std = (3000, 0.5 * MEAN, STD / 2) if split == "train" else (2000, 0.5 * MEAN + OFF / 2, NARROW)
    x = mean.reshape(SHAPE) + std * draw(n, *SHAPE, seed=replicate + n)
    return ImageSplit(torch.floor((x + 1) * GREYS / 2).long(), None, GREYS)


def exact(pixel_range, seen):
    """A network that is exact for the training images; it keeps what it is asked."""
    low, high = pixel_range
    width = (high - low) / 2
    mean, std = low + width * (1 + 0.5 * MEAN.reshape(SHAPE)), width * STD / 2

    def score(x, t):
        seen.append(x)
        return (mean.to(x) - x) / (std**2 + (0.02 * width * 100**t) ** 2)

    return level_network(pixel_range, score=score)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A run and what its networks were asked: both are exact, one for pixels in [0, 1] and one for pixels in [-1, 1]."""
    seen, folder = {"ncsnv2": [], "ncsnv2_index": []}, tmp_path_factory.mktemp("run")
    ranges = dict(zip(seen, RANGES.values()))
    np.savez(folder / "arrays.npz", loss_step=np.array([1, 10, 20, 30]), loss=np.array([1.0, 0, 0, 0], dtype=np.float32))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(catalogue, "load", split_of)
        patched.setattr(losses, "folder_of", lambda context, data, objective, network: folder)
        patched.setattr(losses, "trained", lambda context, data, name, network: exact(ranges[name], seen[name]))
        context = Context("ncsnv2", "losses", "smoke", 0, 99, folder, folder, torch.device("cpu"))
        return losses.run(settings("images=2500", "ladders=[10, 232]"), context), seen


def test_losses_of_seen_and_unseen_images_in_closed_form(found):
    """With a score of -(x - m) / (s^2 + c^2), c the level, on images of N(m + d, q^2):

    E|c s + z|^2 / 2 = (D / 2) (s^4 + c^2 (q^2 + d^2)) / (s^2 + c^2)^2, so (D / 2) s^2 / (s^2 + c^2) where they are as taken.
    """
    outcome, _ = found
    values = by(outcome.rows, "weighted_loss", "method", "variant", "at")
    assert len(values) == 12
    s, narrow, off = STD / 4, NARROW / 2, OFF / 4  # of pixels in [0, 1]
    for (_, split, level), value in values.items():
        q, d = (s, 0) if split == "train" else (narrow, off)
        loss = D / 2 * (s**4 + level**2 * (q**2 + d**2)) / (s**2 + level**2) ** 2
        assert value == pytest.approx(loss, rel=0.03)
    norms = by(outcome.rows, "score_norm", "method", "variant", "at")
    chi = math.sqrt(2) * math.exp(math.lgamma((D + 1) / 2) - math.lgamma(D / 2))
    for level in (1.0, 0.1, 0.01):
        assert norms["ncsnv2", "train", level] == pytest.approx(chi / (s**2 + level**2) ** 0.5, rel=0.03)
    means = by(outcome.rows, "objective", "method", "variant")
    for (name, split), value in means.items():
        assert value == pytest.approx(np.mean([values[name, split, level] for level in (1.0, 0.1, 0.01)]))
    assert {row["n"] for row in outcome.rows if row["metric"] == "weighted_loss"} == {2000}, "as many of both splits"


def test_both_networks_see_the_same_images_with_the_same_noise(found):
    outcome, seen = found
    first, second = ([2 * x - 1 for x in seen["ncsnv2"]], seen["ncsnv2_index"])
    assert len(first) == len(second) == 2 * 3 * 4  # splits, levels, batches of 500
    for one, other in zip(first, second):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    values = by(outcome.rows, "weighted_loss", "method", "variant", "at")
    for (name, split, level), value in values.items():
        assert values["ncsnv2", split, level] == pytest.approx(value, rel=1e-4), name


def test_images_are_dequantised_ones_of_the_replicates_split(context):
    other = Context("ncsnv2", "losses", "smoke", 3, 99, context.results, context.out, context.device)
    for split in ("train", "test"):
        few = losses.drawn_images(settings("images=40"), split, other)
        stored = catalogue.load("digits", split, 3)
        grey = torch.floor((few + 1) * 17 / 2).long()
        every = stored.images.flatten(1).tolist()
        assert len(few) == 40 and all(image in every for image in grey.flatten(1).tolist())
        assert (few - to_unit(grey, 17)).abs().max() > 0.9 / 17, "dequantised"
        assert not torch.equal(few, losses.drawn_images(settings("images=40"), split, context))
    many = [len(losses.drawn_images(settings("images=100000"), split, other)) for split in ("train", "test")]
    assert many == [min(len(catalogue.load("digits", split, 3).images) for split in ("train", "test"))] * 2


def test_curves_are_smoothed_with_momentum_0_9(found):
    np.testing.assert_allclose(losses.smoothed(np.array([1.0, 0, 0, 0, 0])), 0.9 ** np.arange(5))
    np.testing.assert_allclose(losses.smoothed(np.array([0.0, 1, 1, 1])), 1 - 0.9 ** np.arange(4))
    np.testing.assert_allclose(losses.smoothed(np.full(6, 0.3, dtype=np.float32)), 0.3, rtol=1e-6)
    outcome, _ = found
    assert by(outcome.rows, "smoothed_loss", "method", "n") == {
        ("ncsnv2", 30): pytest.approx(0.729),
        ("ncsnv2_index", 30): pytest.approx(0.729),
    }
    for name in ("ncsnv2", "ncsnv2_index"):
        assert list(outcome.arrays[f"step_{name}"]) == [1, 10, 20, 30]
        np.testing.assert_allclose(outcome.arrays[f"loss_{name}"], [1, 0.9, 0.81, 0.729])


def test_a_training_without_a_curve_is_refused(context, tmp_path, monkeypatch):
    monkeypatch.setattr(losses, "folder_of", lambda *names: tmp_path)
    with pytest.raises(RetraceError, match=r"arrays\.npz is missing"):
        losses.curve(settings(), "ncsnv2", context)


def test_parameters_of_ncsns_network_grow_by_three_for_each_normed_channel_and_level():
    """A gain, a bias and a weight of the means before each convolution. NCSNv2's has one level's, none in refinement blocks."""
    rows = losses.parameter_rows(settings("ladders=[10, 232, 2311]"))
    residual = 4 * 128 + (128 + 128 + 256 + 256) + 4 * 256 + 4 * 256 + 128
    # units, fusion, pooling and last units of the four blocks, from the coarsest
    refinement = (4 + 0 + 2 + 2) * 256 + (8 + 2 + 2 + 2) * 256 + (8 + 2) * 256 + (2 + 2) * 128 + (8 + 2 + 2 + 6) * 128
    own, *counts = (row["value"] for row in rows)
    assert own == 29_694_083
    assert counts == [own - 3 * residual + 3 * (residual + refinement) * levels for levels in (10, 232, 2311)]
    assert [(row["method"], row.get("axis"), row.get("at")) for row in rows] == [
        ("ncsnv2", None, None),
        *(("ncsn", "levels", levels) for levels in (10, 232, 2311)),
    ]


def test_one_ladder_has_no_slope():
    with pytest.raises(SettingsError, match="two numbers"):
        losses.check(settings("ladders=[10, 10]"))
    losses.check(settings("ladders=[10, 20]"))


def test_the_smoke_level_goes_through(tmp_path):
    write_shared(tmp_path, "ncsnv2", "ncsnv2_index")
    assert main(PACKAGE, ["losses", "--level", "smoke", "--results", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "smoke/ncsnv2/losses/digits/seed0/metrics.csv")
    assert table.value.notna().all()
    counted = table.groupby("metric").size().to_dict()
    assert counted == {"parameters": 5, "objective": 4, "weighted_loss": 84, "score_norm": 84, "smoothed_loss": 2}
    assert set(table[table.metric == "weighted_loss"].variant) == {"train", "test"}
    assert list(table[table.metric == "smoothed_loss"].value) == pytest.approx([0.905] * 2) and set(
        table[table.metric == "smoothed_loss"].n
    ) == {4}
