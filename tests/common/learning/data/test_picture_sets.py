"""Large photographs from a few small pictures in folders as they are exported."""

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import DataError
from common.learning.data import catalogue, pictures
from common.learning.data.__main__ import main

NAME, SIZE, COUNT = "lsun_church256", 16, 40
# of 40 pictures, by the number in their names: a training and a test must never trade places
TRAIN, VALIDATION, TEST = [33, 16, 29, 8], [11, 2], [35, 34]
REMEDY = rf"run `python -m common.learning.data {NAME} --source DIR`, DIR being a folder of LSUN's outdoor churches"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETRACE_DATA", str(tmp_path / "own"))
    monkeypatch.setattr("common.learning.data.images.SYSTEM_ROOT", tmp_path / "system")
    monkeypatch.setitem(pictures.SETS, NAME, (SIZE, pictures.SETS[NAME][1]))
    return tmp_path


@pytest.fixture
def source(root):
    return exported(root / "published", range(COUNT))


def place(folder, item: int):
    """Where picture `item` is, in the order of the names: folders in folders, files of every kind."""
    kind = ("jpg", "png", "JPEG", "webp")[item % 4]
    return folder / f"{item // 20}" / ("deep/er" if item % 20 < 10 else "flat") / f"{item:04d}.{kind}"


def exported(folder, items):
    """Pictures of one colour each: red of picture k is 6 k; wide or high."""
    for item in items:
        path = place(folder, item)
        path.parent.mkdir(parents=True, exist_ok=True)
        size = (24, 17) if item % 2 else (16, 40)
        Image.new("RGB", size, (6 * item, 100, 200)).save(path, quality=100, subsampling=0, lossless=True)
    (folder / "export.log").write_text("no picture")
    return folder


def numbers(split: str) -> list[int]:
    """Which pictures a split has."""
    return [round(red / 6) for red in catalogue.load(NAME, split).images[:, 0].double().mean((1, 2)).tolist()]


def test_every_picture_is_in_one_split_and_colours_are_kept(source):
    pictures.prepare(source, NAME)
    parts = {split: catalogue.load(NAME, split) for split in catalogue.SPLITS}
    assert {split: len(part.images) for split, part in parts.items()} == {"train": 36, "validation": 2, "test": 2}
    assert sorted(number for split in parts for number in numbers(split)) == list(range(COUNT))
    for split, part in parts.items():
        assert part.images.shape[1:] == (3, SIZE, SIZE) and part.images.dtype == torch.uint8
        assert part.labels is None and part.grey_values == 256
        expected = torch.tensor([(6 * number, 100, 200) for number in numbers(split)])
        assert (part.images.int() - expected[:, :, None, None]).abs().max() <= 2, "JPEG moves a colour a little"


def test_the_order_is_the_names_and_never_moves(source, root):
    """Whatever folder holds them, whenever they were written, and by however many threads they are read."""
    pictures.prepare(source, NAME)
    before = {split: numbers(split) for split in catalogue.SPLITS}
    assert before["test"] == TEST and before["validation"] == VALIDATION and before["train"][:4] == TRAIN
    pictures.prepare(exported(root / "else" / "where", reversed(range(COUNT))), NAME, workers=3)
    assert {split: numbers(split) for split in catalogue.SPLITS} == before


@pytest.mark.parametrize(("count", "held"), [(20, 1), (39, 1), (30_000, 1500), (126_227, 6311), (300_000, 10_000)])
def test_one_in_twenty_is_held_out_twice_up_to_ten_thousand(count, held, root):
    parts = pictures._parts([root] * count, root, NAME)
    assert {split: len(files) for split, files in parts.items()} == {"train": count - 2 * held, "validation": held, "test": held}


@pytest.mark.parametrize("wide", [True, False])
def test_blocks_are_averaged_and_the_middle_is_cut_out(source, wide):
    """Half the size: a ramp along each side says which pixels went into one, noise of multiples of 4 that all weigh the same."""
    height, width = (2 * SIZE, 6 * SIZE) if wide else (6 * SIZE, 2 * SIZE)
    rows, columns = np.mgrid[:height, :width]
    noise = 4 * np.random.default_rng(0).integers(0, 64, (height, width))
    pixels = np.stack([2 * columns, 2 * rows, noise], -1).astype(np.uint8)
    Image.fromarray(pixels).save(place(source, 1))
    pictures.prepare(source, NAME)
    means = torch.from_numpy(pixels).double().unfold(0, 2, 2).unfold(1, 2, 2).mean((-2, -1)).permute(2, 0, 1)
    expected = means[..., SIZE : 2 * SIZE] if wide else means[:, SIZE : 2 * SIZE]
    found = torch.cat([catalogue.load(NAME, split).images for split in catalogue.SPLITS])
    assert (found == expected).flatten(1).all(1).sum() == 1


def test_the_shorter_side_of_another_ratio_is_the_sets(source):
    """40 pixels to 16: every new one is the mean of two and a half."""
    ramp = np.broadcast_to(np.arange(40)[:, None, None] * 6, (40, 50, 3)).astype(np.uint8)
    Image.fromarray(ramp).save(place(source, 1))
    pictures.prepare(source, NAME)
    expected = (torch.arange(SIZE) + 0.5) * 15 - 3
    found = torch.cat([catalogue.load(NAME, split).images for split in catalogue.SPLITS]).double()
    off = (found - expected[:, None]).abs().amax((1, 2, 3))
    assert off.min() < 2 and off.sort().values[1] > 20


def test_grey_and_transparent_pictures_get_three_colours(source):
    Image.new("L", (16, 16), 77).save(place(source, 1))
    Image.new("RGBA", (16, 16), (77, 77, 77, 0)).save(place(source, 5))
    pictures.prepare(source, NAME)
    found = torch.cat([catalogue.load(NAME, split).images for split in catalogue.SPLITS])
    assert (found == 77).flatten(1).all(1).sum() == 2


def test_the_real_size_and_the_command(root, monkeypatch, capsys):
    monkeypatch.setitem(pictures.SETS, NAME, (256, pictures.SETS[NAME][1]))
    for item in range(20):
        Image.new("RGB", (256 + item, 257), (10 * item, 0, 0)).save(root / f"{item}.png")
    monkeypatch.setattr("sys.argv", ["data", NAME, "--source", str(root)])
    assert main() == 0
    assert f"{NAME}: 18 train, 1 validation, 1 test images, every file as prepared" in capsys.readouterr().out
    assert catalogue.load(NAME, "train").images.shape == (18, 3, 256, 256)


def test_the_sets_are_those_of_the_catalogue_and_their_names_say_the_size():
    assert set(pictures.SETS) <= set(catalogue.LOADERS) and len(pictures.SETS) == 8
    assert all(name.endswith(str(size)) for name, (size, _) in pictures.SETS.items())


def test_a_flipped_byte_is_named_with_its_remedy(source):
    folder = pictures.prepare(source, NAME)
    content = bytearray((folder / "test-images.npy").read_bytes())
    content[-1] ^= 1
    (folder / "test-images.npy").write_bytes(content)
    assert len(catalogue.load(NAME, "train").images) == 36
    with pytest.raises(DataError, match=rf"test-images.npy: has changed since it was prepared .*delete .*{NAME} and {REMEDY}"):
        catalogue.load(NAME, "test")


def test_what_was_never_prepared_says_how(root, monkeypatch, capsys):
    with pytest.raises(DataError, match=rf"{NAME}: digests.json not found in .*own/{NAME}, data/{NAME}.*; {REMEDY}"):
        catalogue.load(NAME, "train")
    monkeypatch.setattr("sys.argv", ["data", NAME])
    assert main() == 1 and f"{NAME}: not for download; run `python -m" in capsys.readouterr().err


def test_a_source_without_enough_pictures_is_found_before_anything_is_written(source, root):
    with pytest.raises(DataError, match=rf"nowhere: no such folder; {REMEDY}"):
        pictures.prepare(root / "nowhere", NAME)
    with pytest.raises(DataError, match=rf"export.log: no such folder; {REMEDY}"):
        pictures.prepare(source / "export.log", NAME)
    (root / "empty").mkdir()
    with pytest.raises(DataError, match=rf"empty: no .jpg, .jpeg, .png, .webp files at any depth; {REMEDY}"):
        pictures.prepare(root / "empty", NAME)
    with pytest.raises(DataError, match=rf"few: 19 picture files, of which one in 20 is for testing .*: too few; {REMEDY}"):
        pictures.prepare(exported(root / "few", range(19)), NAME)
    assert not (root / "own").exists()


@pytest.mark.parametrize("size", [(15, 40), (40, 15)])
def test_a_small_picture_is_named_and_leaves_no_set_behind(source, size):
    pictures.prepare(source, NAME)
    Image.new("RGB", size).save(place(source, 7))
    with pytest.raises(DataError, match=rf"0007.webp: \({size[0]}, {size[1]}\) pixels, not 16 wide and high; get a larger one"):
        pictures.prepare(source, NAME, workers=2)
    with pytest.raises(DataError, match=rf"{NAME}: digests.json not found"):
        catalogue.load(NAME, "train")


@pytest.mark.parametrize("item", range(4))
def test_half_a_file_is_named(source, item):
    path = place(source, item)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)).save(path)
    content = path.read_bytes()
    for part in (content[: len(content) // 2], b"no picture", b""):
        path.write_bytes(part)
        with pytest.raises(DataError, match=rf"{path.name}: cannot be read .*get it again, or remove it"):
            pictures.prepare(source, NAME)


def test_a_damaged_chunk_of_a_png_file_is_named(source):
    """Pillow takes it for a mistake of syntax."""
    path = place(source, 1)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)).save(path)
    content = path.read_bytes()
    assert content.count(b"IDAT") > 1
    first, last = content.index(b"IDAT"), content.rindex(b"IDAT")
    path.write_bytes(content[:last] + b"\0\1\2\3" + content[last + 4 :])
    assert first < last
    with pytest.raises(DataError, match=r"0001.png: cannot be read .*get it again, or remove it"):
        pictures.prepare(source, NAME)
