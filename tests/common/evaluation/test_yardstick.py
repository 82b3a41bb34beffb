"""What measures samples of images, on images whose distances are known by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from inception_stand_in import put_weights

from common.evaluation import yardstick as yardsticks
from common.evaluation.yardstick import Yardstick, drawn, fid_to
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.learning.data.split import ImageSplit

# clean-fid's file is TorchScript, which new versions of torch still read but call deprecated
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")


NO_IMAGES = ImageSplit(torch.empty(0, 1, 1, 1), None, 17)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    return put_weights(tmp_path, monkeypatch)


def test_a_random_part_of_a_split_keeps_images_and_labels_together():
    split = ImageSplit(torch.arange(20).reshape(20, 1, 1, 1), torch.arange(20), 17)
    part = drawn(split, 6, torch.Generator().manual_seed(0))
    assert len(part.images) == 6 and (part.images.flatten() == part.labels).all() and part.labels.tolist() != list(range(6))
    assert len(part.labels.unique()) == 6 and part.grey_values == 17
    assert len(drawn(split, 100, torch.Generator().manual_seed(0)).images) == 20


def test_the_floors_row_is_that_of_training_images():
    training = np.arange(5.0)[:, None]
    measure = Yardstick(NO_IMAGES, lambda images: images.flatten(1).numpy(), training + 3, training)
    row = measure.floor_row(9, "digits")
    assert row["value"] == row["floor"] == pytest.approx(9) and row["n"] == 5
    assert (row["metric"], row["dataset"], row["method"], row["variant"]) == ("feature_frechet", "digits", "data", "train split")


def test_a_distance_comes_with_its_floor_and_error():
    """Features on a line: d^2 is the squared shift, the floor that of as many training images."""
    spread = np.linspace(-1, 1, 101)[:, None]
    measure = Yardstick(NO_IMAGES, lambda images: images.flatten(1).numpy(), spread, np.concatenate([spread + 0.5, spread + 90]))
    images = torch.tensor(spread + 3).reshape(101, 1, 1, 1)
    row = measure.row("d", images, method="m", resampled=torch.Generator().manual_seed(0))
    assert row["value"] == pytest.approx(9, rel=1e-6) and row["floor"] == pytest.approx(0.25) and row["n"] == 101
    # standard deviation 0.583 of 101 points: 2 * 3 * 0.583 * sqrt(2 / 101)
    assert row["error"] == pytest.approx(0.49, rel=0.4) and row["method"] == "m"
    assert "error" not in measure.row("d", images)


def test_fid_of_paler_images_in_closed_form(weights):
    """Features of mean m and covariance C against m/2 and C/4: |m|^2 / 4 + tr C (1 + 1/4 - 2/2). Grey: every colour thrice."""
    test = catalogue.load("digits", "test")
    test = replace(test, images=test.images[:60], labels=None)
    images = to_unit(test.images, test.grey_values)
    distance = fid_to(test, torch.device("cpu"))
    assert distance(images) == pytest.approx(0, abs=1e-6)
    means = torch.stack([images.mean(dim=(1, 2, 3)), images[:, :, :4].mean(dim=(1, 2, 3))])
    expected = 3 * (means.mean(dim=1).square() / 4 + means.var(dim=1) / 4).sum()
    # rounding to 256 levels, and a resize that weighs the border's pixels differently
    assert distance(images / 2) == pytest.approx(float(expected), rel=0.05)


def test_dequantised_images_become_the_pixels_they_came_from(monkeypatch):
    """On the way to Inception a pixel's whole cell is that pixel: rounding would move a quarter of them to the next."""
    monkeypatch.setattr(yardsticks, "AT_ONCE", 3)
    seen = []
    monkeypatch.setattr(yardsticks, "inception_features", lambda pixels, device: seen.append(pixels) or np.eye(4)[:, :3])
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).repeat(3, 1, 1)
    images = torch.stack([every.roll(k, 1) for k in range(4)])
    distance = fid_to(ImageSplit(images, None, 256), torch.device("cpu"))
    distance(to_unit(images, 256, generator=torch.Generator().manual_seed(0)))
    assert all(np.array_equal(pixels, images.numpy()) for pixels in seen) and len(seen) == 2
