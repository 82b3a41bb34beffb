"""Small files in the published formats, written here, with their own digests in place of the published ones."""

import gzip
import io
import pickle
import struct
import tarfile
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
import torch

import common.learning.data.images as module
from common.errors import DataError
from common.learning.data.images import SOURCES, load_images

TRAIN, TEST, VALIDATION = 12, 5, 4
CIFAR_TRAIN = 5 * 3


def idx(array: np.ndarray) -> bytes:
    return struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte": rng.integers(256, size=(TRAIN, 28, 28), dtype=np.uint8),
        "train-labels-idx1-ubyte": rng.integers(10, size=TRAIN, dtype=np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(256, size=(TEST, 28, 28), dtype=np.uint8),
        "t10k-labels-idx1-ubyte": rng.integers(10, size=TEST, dtype=np.uint8),
    }


@pytest.fixture
def batches():
    """CIFAR-10's batches as Python 2 wrote them: dictionaries with keys of bytes."""
    rng = np.random.default_rng(1)
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    return {
        name: {b"data": rng.integers(256, size=(3, 3072), dtype=np.uint8), b"labels": rng.integers(10, size=3).tolist()}
        for name in names
    }


@pytest.fixture(autouse=True)
def roots(tmp_path, monkeypatch):
    """Empty search places: $RETRACE_DATA, ./data and the system's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETRACE_DATA", str(tmp_path / "own"))
    monkeypatch.setattr(module, "SYSTEM_ROOT", tmp_path / "system")
    monkeypatch.setattr(module, "VALIDATION", VALIDATION)
    return {"own": tmp_path / "own", "data": tmp_path / "data", "system": tmp_path / "system"}


def pin(monkeypatch, name: str, contents: dict[str, bytes]) -> None:
    digests = {file: sha256(content).hexdigest() for file, content in contents.items()}
    assert digests.keys() == SOURCES[name].digests.keys()
    monkeypatch.setitem(SOURCES, name, replace(SOURCES[name], digests=digests))


@pytest.fixture
def fashion(arrays, monkeypatch):
    contents = {file: idx(array) for file, array in arrays.items()}
    pin(monkeypatch, "fashion_mnist", contents)
    return contents


@pytest.fixture
def cifar(batches, monkeypatch):
    contents = {file: pickle.dumps(batch, protocol=2) for file, batch in batches.items()}
    pin(monkeypatch, "cifar10", contents)
    return contents


def write(folder, contents: dict[str, bytes], *, compress: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in contents.items():
        (folder / f"{file}{'.gz' * compress}").write_bytes(gzip.compress(content) if compress else content)


def write_archive(path, contents: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for file, content in reversed(contents.items()):
            info = tarfile.TarInfo(f"cifar-10-batches-py/{file}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize(
    "place", ["own/", "own/fashion-mnist", "own/FashionMNIST/raw", "data/FashionMNIST/raw", "system/fashion-mnist"]
)
def test_idx_files_in_every_place(place, compress, tmp_path, fashion, arrays):
    write(tmp_path / place, fashion, compress=compress)
    splits = {"train": slice(0, TRAIN - VALIDATION), "validation": slice(TRAIN - VALIDATION, TRAIN), "test": slice(0, TEST)}
    for split, part in splits.items():
        loaded = load_images("fashion_mnist", split)
        prefix = "t10k" if split == "test" else "train"
        assert loaded.grey_values == 256 and loaded.images.dtype == torch.uint8 and loaded.labels.dtype == torch.int64
        np.testing.assert_array_equal(loaded.images.numpy(), arrays[f"{prefix}-images-idx3-ubyte"][part, None])
        np.testing.assert_array_equal(loaded.labels.numpy(), arrays[f"{prefix}-labels-idx1-ubyte"][part])


def test_idx_agrees_with_torchvisions_reader(roots, fashion):
    from torchvision.datasets.mnist import read_image_file, read_label_file

    write(roots["own"], fashion)
    loaded = load_images("fashion_mnist", "test")
    assert torch.equal(loaded.images[:, 0], read_image_file(str(roots["own"] / "t10k-images-idx3-ubyte")))
    assert torch.equal(loaded.labels, read_label_file(str(roots["own"] / "t10k-labels-idx1-ubyte")))


@pytest.mark.parametrize(("first", "then"), [("own", "data"), ("data", "system")])
def test_order_of_the_places(roots, fashion, first, then):
    write(roots[then] / "fashion-mnist", fashion)
    write(roots[first] / "fashion-mnist", dict.fromkeys(fashion, b"wrong"))
    with pytest.raises(DataError, match=f"{first}/fashion-mnist/t10k-images.*: not fashion_mnist's"):
        load_images("fashion_mnist", "test")


def test_mnist_is_not_taken_for_fashion_mnist(roots, fashion, monkeypatch):
    pin(monkeypatch, "mnist", {file: content + b"0" for file, content in fashion.items()})
    write(roots["own"], fashion)
    with pytest.raises(DataError, match=r"mnist: t10k-images-idx3-ubyte or .* not found"):
        load_images("mnist", "test")


@pytest.mark.parametrize("compress", [True, False])
def test_a_flipped_byte_is_an_error(roots, fashion, compress):
    images = bytearray(fashion["t10k-images-idx3-ubyte"])
    images[100] ^= 1
    write(roots["own"], fashion | {"t10k-images-idx3-ubyte": bytes(images)}, compress=compress)
    with pytest.raises(
        DataError,
        match=r"own/t10k-images-idx3-ubyte.*: not fashion_mnist's published .*SHA-256.*replace it: run .python -m common",
    ):
        load_images("fashion_mnist", "test")
    # the other files are good
    load_images("fashion_mnist", "train")


@pytest.mark.parametrize("compress", [True, False])
def test_a_truncated_file_is_an_error(roots, fashion, compress):
    write(roots["own"], fashion, compress=compress)
    [path] = roots["own"].glob("t10k-labels*")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match=f"{path.name}: (cannot be read|not fashion_mnist's).*replace it"):
        load_images("fashion_mnist", "test")


NOT_GZIP, NOT_DEFLATE, NOT_TAR = (
    b"<html>not found</html>",
    gzip.compress(b"")[:10] + b"\xff" * 20,
    gzip.compress(b"not a tar" * 100),
)


@pytest.mark.parametrize("content", [NOT_GZIP, NOT_DEFLATE], ids=["not gzip", "not deflate"])
def test_something_else_under_the_name_is_an_error(roots, fashion, content):
    write(roots["own"], fashion, compress=True)
    (roots["own"] / "t10k-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte.gz: cannot be read"):
        load_images("fashion_mnist", "test")


@pytest.mark.parametrize("content", [NOT_GZIP, NOT_DEFLATE, NOT_TAR], ids=["not gzip", "not deflate", "not tar"])
def test_something_else_under_the_archives_name_is_an_error(roots, content):
    roots["own"].mkdir()
    (roots["own"] / "cifar-10-python.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"cifar-10-python.tar.gz: cannot be read"):
        load_images("cifar10", "test")


def test_a_missing_file_names_the_places_and_the_remedies(roots, fashion):
    write(roots["own"], fashion)
    (roots["own"] / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError) as error:
        load_images("fashion_mnist", "test")
    message = str(error.value)
    assert "t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz not found" in message
    for place in (f"{roots['own']}/FashionMNIST/raw", "data/fashion-mnist", f"{roots['system']}/fashion-mnist"):
        assert place in message
    for remedy in ("python -m common.learning.data fashion_mnist", "apt install dataset-fashion-mnist", "RETRACE_DATA"):
        assert remedy in message


def test_nothing_is_downloaded_unless_asked_and_missing(roots, fashion, monkeypatch):
    asked = []

    def fake(root, download):
        asked.append((root, download))
        write(root / "FashionMNIST" / "raw", fashion, compress=True)

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", fake)
    with pytest.raises(DataError):
        load_images("fashion_mnist", "test")
    assert not asked
    assert len(load_images("fashion_mnist", "test", download=True).images) == TEST
    load_images("fashion_mnist", "train", download=True)
    assert asked == [(roots["own"], True)]


def test_a_failed_download_is_an_error(monkeypatch):
    def fake(root, download):
        raise RuntimeError("Error downloading")

    monkeypatch.setattr("torchvision.datasets.CIFAR10", fake)
    with pytest.raises(DataError, match=r"cifar10: torchvision could not download .*Error downloading"):
        load_images("cifar10", "test", download=True)


@pytest.mark.parametrize("place", ["own/cifar-10-batches-py", "own", "data/cifar-10-batches-py", "system/cifar10"])
@pytest.mark.parametrize("archive", [True, False])
def test_cifar(place, archive, tmp_path, cifar, batches):
    if archive:
        write_archive(tmp_path / place / "cifar-10-python.tar.gz", cifar)
    else:
        write(tmp_path / place, cifar)
    test = load_images("cifar10", "test")
    assert test.images.dtype == torch.uint8 and test.labels.dtype == torch.int64 and test.grey_values == 256
    np.testing.assert_array_equal(test.images.flatten(1).numpy(), batches["test_batch"][b"data"])
    # a row holds the red plane, then green, then blue, each by rows
    assert test.images[0, 1, 2, 3] == batches["test_batch"][b"data"][0, 1 * 1024 + 2 * 32 + 3]
    train, validation = load_images("cifar10", "train"), load_images("cifar10", "validation")
    labels = [label for i in range(1, 6) for label in batches[f"data_batch_{i}"][b"labels"]]
    assert train.labels.tolist() == labels[:-VALIDATION] and validation.labels.tolist() == labels[-VALIDATION:]
    assert len(train.images) == CIFAR_TRAIN - VALIDATION
    np.testing.assert_array_equal(validation.images[-1].flatten().numpy(), batches["data_batch_5"][b"data"][-1])


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded before its check",))


@pytest.mark.parametrize("archive", [True, False])
def test_an_unknown_pickle_is_never_loaded(roots, cifar, archive):
    contents = cifar | {"test_batch": pickle.dumps(Bomb())}
    if archive:
        write_archive(roots["own"] / "cifar-10-python.tar.gz", contents)
    else:
        write(roots["own"], contents)
    with pytest.raises(DataError, match="not cifar10's published test_batch"):
        load_images("cifar10", "test")


def test_a_truncated_archive_is_an_error(roots, cifar):
    path = roots["own"] / "cifar-10-python.tar.gz"
    write_archive(path, cifar)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"cifar-10-python.tar.gz: cannot be read"):
        load_images("cifar10", "train")


def test_published_digests_are_whole():
    for source in SOURCES.values():
        assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for digest in source.digests.values())
        assert len(set(source.digests.values())) == len(source.digests)


def test_the_command_of_the_remedy_fetches_and_checks(roots, fashion, monkeypatch, capsys):
    from common.learning.data.__main__ import main

    def fetched(root, download):
        return write(root / "FashionMNIST" / "raw", fashion)

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", fetched)
    monkeypatch.setattr("sys.argv", ["data", "fashion_mnist"])
    assert main() == 0
    assert f"{TEST} test images, every file as published" in capsys.readouterr().out
    (roots["own"] / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte").write_bytes(b"x")
    assert main() == 1 and "t10k-images-idx3-ubyte: not fashion_mnist's published" in capsys.readouterr().err
