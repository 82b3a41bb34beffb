"""Sets of binary and grey images: digits by their threshold, the others from small files in the published formats."""

import dataclasses
import hashlib

import numpy as np
import pytest
import torch
from scipy.io import savemat

from common.errors import DataError
from common.learning.data import binary_images, catalogue
from common.learning.data.binary_images import SETS, drawn_pixels
from common.learning.data.digits import digits

RANDOM = np.random.default_rng(0)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETRACE_DATA", str(tmp_path / "own"))
    monkeypatch.setattr("common.learning.data.images.SYSTEM_ROOT", tmp_path / "system")
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


def publish(monkeypatch, path):
    """Count what lies at `path` as the published file."""
    name = next(name for name, each in SETS.items() if path.name in each.md5)
    md5 = SETS[name].md5 | {path.name: hashlib.md5(path.read_bytes()).hexdigest()}
    monkeypatch.setitem(binary_images.SETS, name, dataclasses.replace(SETS[name], md5=md5))


def save_matrices(monkeypatch, path, **matrices):
    path.parent.mkdir(exist_ok=True)
    savemat(path, matrices)
    publish(monkeypatch, path)


@pytest.mark.parametrize("split", catalogue.SPLITS)
@pytest.mark.parametrize("replicate", [0, 3])
def test_digits_by_a_threshold_in_the_middle(split, replicate):
    grey, black = digits(split, replicate), catalogue.load("digits_binary", split, replicate)
    assert black.grey_values == 2 and black.images.dtype == torch.uint8 and black.labels.equal(grey.labels)
    assert black.images.equal((grey.images > 7.5).to(torch.uint8))
    assert 0.3 < black.images.float().mean() < 0.4


@pytest.mark.parametrize(("split", "published"), [("train", "train"), ("validation", "valid"), ("test", "test")])
def test_mnist_static_is_lines_of_zeros_and_ones(root, monkeypatch, split, published):
    images = RANDOM.integers(0, 2, (3, 28, 28))
    path = root / "mnist_static" / f"binarized_mnist_{published}.amat"
    path.parent.mkdir()
    path.write_text("".join(" ".join(map(str, image.ravel())) + " \n" for image in images))
    publish(monkeypatch, path)
    part = catalogue.load("mnist_static", split)
    assert part.images.shape == (3, 1, 28, 28) and part.grey_values == 2 and part.images.dtype == torch.uint8
    np.testing.assert_array_equal(part.images[:, 0], images)


def test_caltech_silhouettes_are_turned_and_white(root, monkeypatch):
    images = {part: RANDOM.integers(0, 2, (n, 28, 28)) for part, n in (("train", 4), ("val", 3), ("test", 2))}
    flat = {f"{part}_data": each.swapaxes(1, 2).reshape(len(each), -1).astype(np.uint8) for part, each in images.items()}
    save_matrices(monkeypatch, root / "caltech101_silhouettes_28_split1.mat", **flat)
    for split, part in (("train", "train"), ("validation", "val"), ("test", "test")):
        found = catalogue.load("caltech_silhouettes", split)
        assert found.grey_values == 2
        np.testing.assert_array_equal(found.images[:, 0], 1 - images[part])


def test_omniglot_is_grey_for_training_and_drawn_once_for_tests(root, monkeypatch):
    monkeypatch.setattr(binary_images, "OMNIGLOT_VALIDATION", 30)
    shares = {part: RANDOM.integers(0, 256, (n, 28, 28)) / 255 for part, n in (("data", 50), ("testdata", 40))}
    flat = {part: each.swapaxes(1, 2).reshape(len(each), -1).T for part, each in shares.items()}
    save_matrices(monkeypatch, root / "omniglot" / "chardata.mat", **flat)
    train, validation, test = (catalogue.load("omniglot", split) for split in catalogue.SPLITS)
    assert (train.grey_values, validation.grey_values, test.grey_values) == (256, 2, 2)
    published = np.rint(255 * shares["data"]).astype(np.uint8)
    order = {image.tobytes(): index for index, image in enumerate(published)}
    chosen = [order[image.numpy().tobytes()] for image in train.images]
    assert len(set(chosen)) == 20 and chosen != sorted(chosen), "a random part, turned the right way"
    assert validation.images.shape == (30, 1, 28, 28) and test.images.shape == (40, 1, 28, 28)
    # pixels agree with their shares: a mean of 40 * 784 products has an error of 0.002
    centred = test.images[:, 0].double().numpy() - shares["testdata"]
    assert abs(centred.mean()) < 0.015 and abs((centred * shares["testdata"]).mean()) < 0.015
    assert catalogue.load("omniglot", "test").images.equal(test.images), "drawn once and for all"
    rest = [image for index, image in enumerate(published) if index not in chosen]
    closest = min(np.abs(validation.images[0, 0].numpy() - image / 255).mean() for image in rest)
    assert closest < 0.4 < min(np.abs(validation.images[0, 0].numpy() - published[i] / 255).mean() for i in chosen)


def test_frey_faces_are_split_by_the_replicate(root, monkeypatch):
    faces = RANDOM.integers(0, 256, (1965, 28, 20)).astype(np.uint8)
    save_matrices(monkeypatch, root / "frey_faces" / "frey_rawface.mat", ff=faces.reshape(1965, -1).T)
    order = {face.tobytes(): index for index, face in enumerate(faces)}
    splits = {}
    for replicate in (0, 1):
        parts = [catalogue.load("frey_faces", split, replicate) for split in catalogue.SPLITS]
        assert [len(part.images) for part in parts] == [1565, 200, 200] and parts[0].grey_values == 256
        assert parts[0].images.shape[1:] == (1, 28, 20)
        indices = [[order[image.numpy().tobytes()] for image in part.images] for part in parts]
        assert sorted(index for part in indices for index in part) == list(range(1965))
        splits[replicate] = indices
    assert len(set(splits[0][2]) & set(splits[1][2])) < 50, "a tenth of the test images is shared by chance"


def test_pixels_are_drawn_with_their_probability():
    values = torch.tensor([0, 51, 255], dtype=torch.uint8).repeat(10_000, 1)
    drawn = drawn_pixels(values, 256, generator=torch.Generator().manual_seed(0)).float()
    assert drawn.mean(0)[[0, 2]].tolist() == [0, 1] and abs(float(drawn[:, 1].mean()) - 0.2) < 0.02
    assert set(drawn.unique().tolist()) == {0, 1}
    binary = torch.tensor([0, 1, 1], dtype=torch.uint8)
    assert drawn_pixels(binary, 2, generator=torch.Generator()).tolist() == [0, 1, 1]


@pytest.mark.parametrize("name", SETS)
def test_a_missing_file_says_where_it_was_sought_and_where_it_is_published(root, name):
    with pytest.raises(
        DataError, match=rf"{name}: \S+ not found in .*own/{name}, .*own, data/{name}, .*put .* from http.* into "
    ):
        catalogue.load(name, "train")


def test_another_file_is_refused(root, monkeypatch):
    (root / "chardata.mat").write_bytes(b"an error page")
    with pytest.raises(DataError, match=r"chardata.mat: not the published file \(MD5 .*expected 21ecaf.*put chardata.mat from"):
        catalogue.load("omniglot", "test")
