"""Fashion-MNIST, MNIST and CIFAR-10 from files on disk, each file's SHA-256 checked on every use.

Files are looked for in $RETRACE_DATA, ./data and where Linux distributions install data sets (Debian's dataset-fashion-mnist),
in torchvision's layout or flat; `python -m common.data.images NAME` downloads them with torchvision. For the idx files the digest is of the *uncompressed* content,
because distributions compress them again: both sources pass. CIFAR-10 is read from its published archive.
"""

import gzip
import hashlib
import io
import os
import pickle
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from common.data.split import ImageSplit
from common.errors import DataError

SYSTEM_ROOT = Path("/usr/share/datasets")
LEVELS = 256
VALIDATION = 5000  # the last images of the published training set


@dataclass(frozen=True)
class Source:
    """Where a data set's files may lie, below a root, and their digests."""

    torchvision: str  # torchvision's class, which downloads it
    folders: tuple[str, ...]
    digests: dict[str, str]


SOURCES = {
    "fashion_mnist": Source(
        "FashionMNIST",
        ("FashionMNIST/raw", "fashion-mnist", ""),
        {
            "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    ),
    "mnist": Source(
        "MNIST",
        ("MNIST/raw", "mnist"),
        {
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ),
    "cifar10": Source(
        "CIFAR10",
        ("", "cifar10", "CIFAR10"),
        {"cifar-10-python.tar.gz": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"},
    ),
}


def roots() -> list[Path]:
    """Return the folders that are searched, first to last."""
    own = os.environ.get("RETRACE_DATA")
    return [*([Path(own)] if own else []), Path("data"), SYSTEM_ROOT]


def load_images(name: str, split: str) -> ImageSplit:
    """Return one split of "fashion_mnist", "mnist" or "cifar10".

    Raises `DataError` if a file is missing (with the places searched and how to get it) or is not the published one.
    """
    images, labels = _cifar(name, split) if name == "cifar10" else _idx(name, split)
    part = {"train": slice(None, -VALIDATION), "validation": slice(-VALIDATION, None), "test": slice(None)}[split]
    return ImageSplit(images[part], labels[part], LEVELS)


def download(name: str, root: Path) -> None:
    """Download a data set into `root` with torchvision."""
    import torchvision

    getattr(torchvision.datasets, SOURCES[name].torchvision)(root, download=True)


def read_checked(name: str, file: str) -> bytes:
    """Return the content of one of a data set's files, uncompressed if it is an idx file, after checking its digest."""
    path = _find(name, file)
    try:
        content = path.read_bytes()
        if path.suffix == ".gz" and not file.endswith(".gz"):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); delete it and get it again: {_remedy(name)}") from None
    found, expected = hashlib.sha256(content).hexdigest(), SOURCES[name].digests[file]
    if found != expected:
        raise DataError(
            f"{path}: not the published file (SHA-256 {found[:12]}..., expected {expected[:12]}...); delete it and get it again: "
            f"{_remedy(name)}"
        )
    return content


def _find(name: str, file: str) -> Path:
    places = [root / folder / each for root in roots() for folder in SOURCES[name].folders for each in (file, f"{file}.gz")]
    for path in places:
        if path.is_file():
            return path
    searched = ", ".join(dict.fromkeys(str(path.parent) for path in places))
    raise DataError(f"{name}: {file} (or .gz) not found in {searched}; {_remedy(name)}")


def _remedy(name: str) -> str:
    debian = " (on Debian: apt install dataset-fashion-mnist)" if name == "fashion_mnist" else ""
    return f"run: python -m common.data.images {name}{debian}; or set RETRACE_DATA to the folder that has it"


def _idx(name: str, split: str) -> tuple[Tensor, Tensor]:
    prefix = "t10k" if split == "test" else "train"
    images = _parse_idx(read_checked(name, f"{prefix}-images-idx3-ubyte"))
    return images[:, None], _parse_idx(read_checked(name, f"{prefix}-labels-idx1-ubyte")).long()


def _parse_idx(content: bytes) -> Tensor:
    """Return an idx file's array: two zero bytes, type 8 (unsigned byte), number of axes, big-endian sizes, then the data."""
    axes = content[3]
    shape = np.frombuffer(content, ">i4", count=axes, offset=4)
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape).copy())


def _cifar(name: str, split: str) -> tuple[Tensor, Tensor]:
    batches = ["test_batch"] if split == "test" else [f"data_batch_{i}" for i in range(1, 6)]
    archive = io.BytesIO(read_checked(name, "cifar-10-python.tar.gz"))
    with tarfile.open(fileobj=archive) as tar:
        # the published format is a pickle; it is opened only after its digest has been checked
        parts = [pickle.load(tar.extractfile(f"cifar-10-batches-py/{batch}"), encoding="bytes") for batch in batches]
    images = np.concatenate([part[b"data"] for part in parts]).reshape(-1, 3, 32, 32)
    return torch.from_numpy(images), torch.tensor([label for part in parts for label in part[b"labels"]])


if __name__ == "__main__":
    import sys

    for wanted in sys.argv[1:]:
        if wanted not in SOURCES:
            sys.exit(f"there is no data set {wanted!r} to download (known: {', '.join(SOURCES)})")
        download(wanted, Path("data"))
