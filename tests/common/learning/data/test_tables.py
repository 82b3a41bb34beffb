"""Tables that need no files: scikit-learn's, and patches of its photographs."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes

import common.learning.data.patches as patches
from common.errors import DataError
from common.learning.data.digits import digits
from common.learning.data.tables import LOADERS, load_table
from common.runs.seeds import generator

SPLITS = ("train", "validation", "test")
# rows of the splits, and which columns have a density
SKLEARN = {
    "breast_cancer": (load_breast_cancer, (398, 57, 114), 21),
    "diabetes": (lambda: load_diabetes(scaled=False), (309, 45, 88), 8),
}
PATCHES = {"patches8": 3, "patches24": 5, "patches63": 8}


@pytest.fixture
def no_noise(monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda shape, **options: torch.zeros(shape, dtype=options.get("dtype")))


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", [*SKLEARN, *PATCHES, "digits64"])
def test_a_split_is_float32_and_follows_from_its_name_and_replicate(name, split):
    before = torch.get_rng_state()
    rows = load_table(name, split, 1)
    assert rows.dtype == torch.float32 and rows.isfinite().all()
    assert torch.equal(rows, load_table(name, split, 1))
    assert torch.equal(before, torch.get_rng_state())
    other = load_table(name, split, 2)
    assert rows[:40].shape == other[:40].shape and not torch.equal(rows[:40], other[:40])


@pytest.mark.parametrize("name", SKLEARN)
def test_splits_partition_the_rows_and_are_scaled_by_the_training_rows(name, no_noise):
    load, sizes, columns = SKLEARN[name]
    raw, parts = load().data, [load_table(name, split, 3).double().numpy() for split in SPLITS]
    assert [len(part) for part in parts] == list(sizes) and parts[0].shape[1] == columns
    np.testing.assert_allclose(parts[0].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(parts[0].std(0, ddof=1), 1, rtol=1e-6)
    # every column is one of the table's in another order and scale, and the same order and scale in every split
    order = torch.randperm(len(raw), generator=generator("table", name, 3)).numpy()
    mean, std = (getattr(raw[order[: sizes[0]]], kind)(0, **options) for kind, options in (("mean", {}), ("std", {"ddof": 1})))
    expected, found = ((raw - mean) / std)[order], np.concatenate(parts)
    kept = [np.flatnonzero(np.abs(expected - column[:, None]).max(0) < 1e-5).tolist() for column in found.T]
    assert all(len(each) == 1 for each in kept)
    dropped = {"breast_cancer": {0, 2, 6, 7, 16, 17, 20, 26, 27}, "diabetes": {1, 7}}[name]
    assert [each[0] for each in kept] == sorted(set(range(raw.shape[1])) - dropped)


def test_what_rounding_cut_off_is_drawn_anew(no_noise, monkeypatch):
    rounded = load_table("diabetes", "train")
    monkeypatch.undo()
    drawn = load_table("diabetes", "train")
    assert all(len(column.unique()) == len(column) for column in drawn.T) and len(rounded[:, 0].unique()) < 60
    # ages are whole years: the ages of one year are spread over a year
    ages = load_diabetes(scaled=False).data[:, 0]
    order = torch.randperm(442, generator=generator("table", "diabetes", 0))[:309]
    age = torch.from_numpy(ages)[order]
    slope, start = np.polyfit(drawn[:, 0].double(), age, 1)
    noise = slope * drawn[:, 0] + start - age
    assert 0.9 < noise.max() - noise.min() < 1.1 and abs(noise.std() - 12**-0.5) < 0.03
    assert torch.corrcoef(torch.stack([drawn.flatten(), rounded.flatten()]))[0, 1] > 0.99


def test_replicates_draw_their_own_test_rows(no_noise):
    raw = load_breast_cancer().data[:, 1]
    tests = [set(torch.randperm(569, generator=generator("table", "breast_cancer", k))[455:].tolist()) for k in range(3)]
    ranks = [set(np.searchsorted(np.sort(raw), raw[list(test)])) for test in tests]
    assert all(len(a & b) < 80 for i, a in enumerate(ranks) for b in ranks[:i])


@pytest.mark.parametrize(("name", "size"), PATCHES.items())
def test_patches_have_the_sizes_that_they_should(name, size):
    stride = (size + 1) // 2
    for split, share in zip(SPLITS, (0.7, 0.1, 0.2)):
        rows = load_table(name, split, 1)
        assert rows.shape[1] == size**2 - 1
        expected = 2 * ((427 - size) // stride + 1) * (share * 640 / stride)
        assert 0.85 < len(rows) / expected <= 1.01


def test_a_row_is_a_patch_dequantised_less_its_mean_and_its_last_pixel(monkeypatch):
    values = torch.tensor([[0, 255, 7], [7, 7, 7], [7, 7, 100]], dtype=torch.uint8).expand(4000, 3, 3)
    monkeypatch.setattr(patches, "_cut_anew", lambda *_: values)
    rows = patches.flat_patches(3, "train").double()
    restored = torch.cat([rows, -rows.sum(1, keepdim=True)], 1) * 256
    # every pixel's noise against the first one's: a triangle on (-1, 1)
    noise = restored - restored[:, :1] - (values[0].flatten().double() - 0)
    noise = noise[:, 1:]
    assert noise.abs().max() < 1 and noise.abs().max() > 0.9
    assert abs(float(noise.mean())) < 0.01 and abs(float(noise.std()) - 6**-0.5) < 0.01
    assert torch.corrcoef(noise.T)[0, 1] < 0.6, "every pixel has noise of its own"


@pytest.fixture
def numbered(monkeypatch):
    """A photograph whose pixels are their own number."""
    image = torch.arange(427 * 640).reshape(1, 427, 640)
    return lambda split, size, replicate: patches._cut_anew(image, split, size, replicate)


@pytest.mark.parametrize("size", PATCHES.values())
@pytest.mark.parametrize("replicate", [0, 1, 2])
def test_no_pixel_is_in_two_splits_and_no_patch_lies_across_the_ends(numbered, size, replicate):
    seen = []
    for split in SPLITS:
        windows = numbered(split, size, replicate)
        row, column = windows // 640, windows % 640
        assert (column.diff(dim=2) == 1).all() and (row.diff(dim=2) == 0).all()
        assert (row.diff(dim=1) == 1).all() and (column.diff(dim=1) == 0).all()
        assert len(windows.flatten(1)[:, 0].unique()) == len(windows)
        seen.append(column.unique())
    counts = torch.bincount(torch.cat(seen), minlength=640)
    assert counts.max() == 1, "columns of pixels belong to one split"
    assert (counts == 0).sum() < 6 * size, "and few are lost at the cuts"


def test_every_replicate_has_its_own_cut(numbered):
    cuts = [frozenset((numbered("test", 8, replicate) % 640).unique().tolist()) for replicate in range(5)]
    assert len(set(cuts)) == 5


def test_any_part_of_a_split_is_a_fair_sample():
    """Rows come in random order, not photograph by photograph."""
    rows = load_table("patches63", "train")
    half = len(rows) // 2
    spread = rows.square().mean(1)
    difference = spread[:half].mean() - spread[half:].mean()
    assert abs(difference) < 5 * spread.std() * (2 / half) ** 0.5


def test_digits_are_their_pixels_dequantised():
    pixels = digits("validation", 3).images.flatten(1)
    noise = load_table("digits64", "validation", 3) * 17 - pixels
    assert noise.shape == (200, 64) and 0 <= noise.min() < 0.001 and 0.999 < noise.max() <= 1
    assert abs(float(noise.mean()) - 0.5) < 0.01 and abs(float(noise.std()) - 12**-0.5) < 0.01
    assert not torch.equal(noise[0], noise[1])


def test_unknown_names_are_errors_with_a_hint():
    with pytest.raises(DataError, match=r"no table 'hepmas'; did you mean 'hepmass'\? \(known: patches8, .*bsds300\)"):
        load_table("hepmas", "train")
    with pytest.raises(DataError, match=r"wine|no split 'valid'; did you mean 'validation'\?"):
        load_table("diabetes", "valid")
    assert len(LOADERS) == 11
