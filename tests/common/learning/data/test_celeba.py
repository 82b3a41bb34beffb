"""CelebA from a few pictures in the published format."""

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import DataError
from common.learning.data import catalogue, celeba
from common.learning.data.__main__ import main

COUNTS = {"train": 3, "validation": 1, "test": 2}
# not in blocks, so that a split is not a range of names; red of picture k is 40 k
CODES = [0, 2, 0, 1, 2, 0]
REMEDY = r"run `python -m common.learning.data celeba32 --source DIR`, DIR being CelebA's folder of img_align_celeba/ .*partition"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETRACE_DATA", str(tmp_path / "own"))
    monkeypatch.setattr("common.learning.data.images.SYSTEM_ROOT", tmp_path / "system")
    monkeypatch.setattr(celeba, "PUBLISHED", COUNTS)
    return tmp_path


@pytest.fixture
def source(root):
    folder = root / "published"
    (folder / "img_align_celeba").mkdir(parents=True)
    for item in range(len(CODES)):
        save(folder, item, np.full((218, 178, 3), (40 * item, 100, 200), np.uint8))
    lines = (f"{item + 1:06d}.jpg {code}\n" for item, code in enumerate(CODES))
    (folder / "list_eval_partition.txt").write_text("".join(lines))
    return folder


def save(folder, item: int, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(folder / f"img_align_celeba/{item + 1:06d}.jpg", quality=100, subsampling=0)


def zipped(source) -> None:
    """Put the pictures into the published archive, as it is published."""
    pictures = source / "img_align_celeba"
    with zipfile.ZipFile(source / "img_align_celeba.zip", "w") as archive:
        for file in sorted(pictures.iterdir()):
            archive.write(file, f"img_align_celeba/{file.name}")
            file.unlink()
    pictures.rmdir()


@pytest.mark.parametrize("form", ["folder", "archive", "as published"])
def test_the_published_splits_in_the_published_order(source, form):
    if form != "folder":
        zipped(source)
    if form == "as published":
        for name, below in (("img_align_celeba.zip", "Img"), ("list_eval_partition.txt", "Eval")):
            (source / below).mkdir()
            (source / name).rename(source / below / name)
    celeba.prepare(source, 32)
    for code, split in enumerate(catalogue.SPLITS):
        part = catalogue.load("celeba32", split)
        assert part.images.shape == (CODES.count(code), 3, 32, 32) and part.images.dtype == torch.uint8
        assert part.labels is None and part.grey_values == 256
        expected = torch.tensor([(40 * item, 100, 200) for item, each in enumerate(CODES) if each == code])
        assert (part.images.int() - expected[:, :, None, None]).abs().max() <= 2, "JPEG moves a colour a little"


@pytest.mark.parametrize("size", celeba.SIZES)
def test_the_middle_140_pixels_are_shrunk(source, size):
    """A ramp stays one under linear interpolation: the value at a pixel's centre says where that centre lay."""
    columns, rows = np.meshgrid(np.arange(178), np.arange(218))
    save(source, 0, np.stack([columns, rows, np.full_like(rows, 128)], -1).astype(np.uint8))
    celeba.prepare(source, size)
    red, green, blue = catalogue.load(f"celeba{size}", "train").images[0].double()
    centres = (torch.arange(size) + 0.5) * 140 / size - 0.5
    inner = slice(2, -2)  # beyond the border nothing can be averaged
    for found, expected in ((red.mean(0), 19 + centres), (green.mean(1), 39 + centres)):
        off = (found - expected)[inner]
        assert off.abs().max() < 0.75 and abs(float(off.mean())) < 0.1, (
            "rounded to whole values; a crop by one beside it is 1 off"
        )
    assert (blue - 128).abs().max() <= 2 and red.std(0).max() < 2 and green.std(1).max() < 2


def test_what_is_shrunk_is_averaged_over_a_triangle(source):
    """Against torch's own bilinear interpolation with antialiasing, of noise that any other filter would treat otherwise."""
    save(source, 0, np.random.default_rng(0).integers(0, 256, (218, 178, 3)).astype(np.uint8))
    celeba.prepare(source, 32)
    with Image.open(source / "img_align_celeba/000001.jpg") as picture:
        cut = torch.from_numpy(np.array(picture)[39:179, 19:159]).permute(2, 0, 1)[None].double()
    expected = torch.nn.functional.interpolate(cut, (32, 32), mode="bilinear", antialias=True)
    assert (catalogue.load("celeba32", "train").images[:1] - expected).abs().max() <= 1.01, "rounded in both directions in turn"


def test_a_flipped_byte_is_named_with_its_remedy(source):
    folder = celeba.prepare(source, 32)
    content = bytearray((folder / "test-images.npy").read_bytes())
    content[-1] ^= 1
    (folder / "test-images.npy").write_bytes(content)
    assert len(catalogue.load("celeba32", "train").images) == 3
    with pytest.raises(DataError, match=rf"test-images.npy: has changed since it was prepared .*delete .*celeba32 and {REMEDY}"):
        catalogue.load("celeba32", "test")


def test_what_was_never_prepared_says_how(root, monkeypatch, capsys):
    with pytest.raises(DataError, match=rf"celeba32: digests.json not found in .*own/celeba32, data/celeba32.*; {REMEDY}"):
        catalogue.load("celeba32", "train")
    monkeypatch.setattr("sys.argv", ["data", "celeba32"])
    assert main() == 1 and "celeba32: not for download; run `python -m" in capsys.readouterr().err


def test_what_the_source_lacks_is_found_before_anything_is_written(source, root):
    (source / "img_align_celeba/000003.jpg").unlink()
    with pytest.raises(DataError, match=r"img_align_celeba/000003.jpg: not found, nor 0 others of list_eval_partition.txt"):
        celeba.prepare(source, 32)
    zipped(source)
    with pytest.raises(DataError, match=r"img_align_celeba.zip/img_align_celeba/000003.jpg: not found"):
        celeba.prepare(source, 32)
    (source / "img_align_celeba.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"img_align_celeba.zip: cannot be read .*get CelebA's img_align_celeba.zip again"):
        celeba.prepare(source, 32)
    (source / "img_align_celeba.zip").unlink()
    with pytest.raises(DataError, match=rf"published: has none of img_align_celeba, .*Img/img_align_celeba.zip; {REMEDY}"):
        celeba.prepare(source, 32)
    with pytest.raises(DataError, match=rf"nowhere: has none of list_eval_partition.txt, Eval/list_eval_partition.txt; {REMEDY}"):
        celeba.prepare(root / "nowhere", 32)
    assert not (root / "own").exists()


@pytest.mark.parametrize("lines", ["000001.jpg 0\n", "".join(f"{item:06d}.jpg 0\n" for item in range(1, 7))])
def test_another_partition_is_refused(source, lines):
    (source / "list_eval_partition.txt").write_text(lines)
    with pytest.raises(DataError, match=r"partition.txt: \d lines, images .*not \{'train': 3, .*replace it by CelebA's own"):
        celeba.prepare(source, 32)


def test_a_line_beside_the_published_ones_is_refused(source):
    with (source / "list_eval_partition.txt").open("a") as stream:
        stream.write("000007.jpg 3\n")
    with pytest.raises(DataError, match=r"partition.txt: 7 lines"):
        celeba.prepare(source, 32)


def test_pictures_that_are_not_the_aligned_ones_leave_no_set_behind(source, root):
    celeba.prepare(source, 32)
    Image.new("RGB", (218, 178)).save(source / "img_align_celeba/000002.jpg")
    with pytest.raises(DataError, match=r"000002.jpg: \(218, 178\) pixels, not \(178, 218\); give --source CelebA's img_align"):
        celeba.prepare(source, 32)
    with pytest.raises(DataError, match=r"celeba32: digests.json not found"):
        catalogue.load("celeba32", "train")
    content = (source / "img_align_celeba/000001.jpg").read_bytes()
    (source / "img_align_celeba/000001.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"000001.jpg: cannot be read .*unpack CelebA again"):
        celeba.prepare(source, 32)


def test_the_command_prepares_and_checks(source, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["data", "celeba64", "--source", str(source)])
    assert main() == 0
    assert "celeba64: 3 train, 1 validation, 2 test images, every file as prepared" in capsys.readouterr().out


def test_the_published_counts_are_those_of_the_whole_set():
    assert sum(celeba.PUBLISHED.values()) == 202_599 and list(celeba.PUBLISHED) == list(catalogue.SPLITS)
