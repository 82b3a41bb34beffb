"""ImageNet from a folder of small pictures in the published layout."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import DataError
from common.learning.data import catalogue, imagenet
from common.learning.data.__main__ import main

CLASSES, EACH = 3, 4


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETRACE_DATA", str(tmp_path / "own"))
    monkeypatch.setattr("common.learning.data.images.SYSTEM_ROOT", tmp_path / "system")
    monkeypatch.setattr(imagenet, "VALIDATION", 2)
    return tmp_path


@pytest.fixture
def source(root):
    """Pictures of one colour each: red says which, green says the class; wide or high, JPEG and PNG."""
    for part in ("train", "val"):
        for label in range(CLASSES):
            for item in range(EACH):
                folder = root / "published" / part / f"n{label:08d}"
                folder.mkdir(parents=True, exist_ok=True)
                colour = (10 * (label * EACH + item), 80 * label, 5 if part == "val" else 250)
                size = (90, 64) if item % 2 else (70, 128)
                Image.new("RGB", size, colour).save(folder / f"{item}.{'png' if item else 'JPEG'}", quality=100)
    return root / "published"


def test_prepared_images_are_the_published_ones_in_another_order(source):
    imagenet.prepare(source, 32)
    train, validation, test = (catalogue.load("imagenet32", split) for split in catalogue.SPLITS)
    assert [len(part.images) for part in (train, validation, test)] == [CLASSES * EACH - 2, 2, CLASSES * EACH]
    assert train.images.shape[1:] == (3, 32, 32) and train.images.dtype == torch.uint8 and train.grey_values == 256
    for part in (train, validation, test):
        green = part.images[:, 1, 16, 16].int()
        assert (green - 80 * part.labels).abs().max() <= 3, "labels went with their images; JPEG moves a colour a little"
    red = torch.cat([train.images, validation.images])[:, 0, 0, 0].int()
    assert (red.sort().values - 10 * torch.arange(CLASSES * EACH)).abs().max() <= 3 and not torch.equal(red, red.sort().values)
    assert (test.images[:, 2] < 10).all() and (train.images[:, 2] > 240).all()


def test_the_shorter_side_is_averaged_and_the_middle_cut_out(root):
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, 32:96:2], pixels[:, :32] = 100, 255  # stripes in the middle, white at the left border
    for part in ("train", "val"):
        (root / "p" / part / "a").mkdir(parents=True)
        for item in range(3):
            Image.fromarray(pixels).save(root / f"p/{part}/a/{item}.png")
    imagenet.prepare(root / "p", 32)
    assert (catalogue.load("imagenet32", "test").images == 50).all()


def test_using_the_images_leaves_the_files_alone(source):
    folder = imagenet.prepare(source, 32)
    before = (folder / "val-images.npy").read_bytes()
    catalogue.load("imagenet32", "test").images[:] = 7
    assert (folder / "val-images.npy").read_bytes() == before


def test_a_flipped_byte_is_named_with_its_remedy(source):
    folder = imagenet.prepare(source, 32)
    content = bytearray((folder / "val-images.npy").read_bytes())
    content[-1] ^= 1
    (folder / "val-images.npy").write_bytes(content)
    with pytest.raises(
        DataError, match=r"val-images.npy: has changed since .*delete .*imagenet32 and run `python -m common.learning.data"
    ):
        catalogue.load("imagenet32", "test")
    (folder / "digests.json").write_text(json.dumps({}))
    with pytest.raises(DataError, match=r"val-images.npy: cannot be read"):
        catalogue.load("imagenet32", "test")


def test_what_is_missing_says_how_to_get_it(root, monkeypatch, capsys):
    with pytest.raises(
        DataError, match=r"imagenet256: digests.json not found in .*own/imagenet256, data/imagenet256.*--source DIR"
    ):
        catalogue.load("imagenet256", "train")
    with pytest.raises(DataError, match=r"nowhere/train: no images in folders of classes .*give --source"):
        imagenet.prepare(root / "nowhere", 32)
    assert not (root / "own").exists(), "nothing is touched before the source has been looked at"
    monkeypatch.setattr("sys.argv", ["data", "imagenet64"])
    assert main() == 1 and "imagenet64: not for download; run `python -m common" in capsys.readouterr().err


def test_too_few_images_are_refused(source, monkeypatch):
    monkeypatch.setattr(imagenet, "VALIDATION", CLASSES * EACH)
    with pytest.raises(DataError, match=r"train: 12 images, of which 12 are for validation: too few"):
        imagenet.prepare(source, 32)


def test_the_command_prepares_and_checks(source, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["data", "imagenet32", "--source", str(source)])
    assert main() == 0
    assert "imagenet32: 10 train, 2 validation, 12 test images, every file as prepared" in capsys.readouterr().out
