"""Fashion-MNIST, MNIST and CIFAR-10 from files on disk, each file's SHA-256 checked on every use.

Files are looked for in $RETRACE_DATA, ./data and where Linux distributions install data sets (Debian's dataset-fashion-mnist), in
torchvision's layout or flat; torchvision downloads them on request only. The digests are of the *uncompressed* files, because
distributions compress them again and torchvision unpacks them: all sources pass. The checked bytes themselves are parsed
(torchvision's readers would open the path a second time), and CIFAR-10's pickles are loaded only after their check.
"""

import gzip
import hashlib
import os
import pickle
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from common.errors import DataError
from common.learning.data.split import ImageSplit

SYSTEM_ROOT = Path("/usr/share/datasets")
GREY_VALUES = 256
VALIDATION = 5000  # the last images of the published training set


@dataclass(frozen=True)
class Source:
    """Where a data set's files may lie below a root, the archive that may hold them, and their digests."""

    torchvision: str  # torchvision's class, which downloads it
    folders: tuple[str, ...]
    digests: dict[str, str]
    archive: str | None = None


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
        ("MNIST/raw", "mnist"),  # not flat: Fashion-MNIST's files have the same names
        {
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ),
    "cifar10": Source(
        "CIFAR10",
        ("cifar-10-batches-py", "", "cifar10", "CIFAR10"),
        {
            "data_batch_1": "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
            "data_batch_2": "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8",
            "data_batch_3": "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9",
            "data_batch_4": "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b",
            "data_batch_5": "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154",
            "test_batch": "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831",
        },
        archive="cifar-10-python.tar.gz",
    ),
}


def load_images(name: str, split: str, *, download: bool = False) -> ImageSplit:
    """Return one split ("train", "validation" or "test") of "fashion_mnist", "mnist" or "cifar10".

    With `download`, files that are nowhere on disk are fetched by torchvision into $RETRACE_DATA, or ./data if that is not set.
    Raises `DataError` if a file is missing (with the places searched and how to get it) or is not the published one.
    """
    if name == "cifar10":
        files = ["test_batch"] if split == "test" else [f"data_batch_{i}" for i in range(1, 6)]
    else:
        prefix = "t10k" if split == "test" else "train"
        files = [f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"]
    if download and not all(_find(name, file) for file in files):
        _download(name)
    contents = read_checked(name, files)
    images, labels = _cifar(contents) if name == "cifar10" else _idx(*contents)
    part = {"train": slice(None, -VALIDATION), "validation": slice(-VALIDATION, None), "test": slice(None)}[split]
    return ImageSplit(images[part], labels[part], GREY_VALUES)


def read_checked(name: str, files: Sequence[str]) -> list[bytes]:
    """Return the uncompressed contents of some of a data set's files, in order, after checking their digests."""
    paths = {file: _find(name, file) for file in files}
    for file, path in paths.items():
        if path is None:
            places = ", ".join(dict.fromkeys(str(place) for place in _places(name)))
            raise DataError(f"{name}: {' or '.join(_candidates(name, file))} not found in {places}; {_remedy(name)}")
    contents: dict[str, bytes] = {}
    for path in dict.fromkeys(paths.values()):
        wanted = [file for file in files if paths[file] == path]
        try:
            contents |= _unpack(path, wanted)
        except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
            raise DataError(f"{path}: cannot be read ({error}); replace it: {_remedy(name)}") from None
        for file in wanted:
            _check_digest(name, file, path, contents.get(file, b""))
    return [contents[file] for file in files]


def roots() -> list[Path]:
    """Return the folders below which data sets are looked for; the first one is where new ones are put."""
    own = os.environ.get("RETRACE_DATA")
    return [*([Path(own)] if own else []), Path("data"), SYSTEM_ROOT]


def _places(name: str) -> list[Path]:
    return [root / folder for root in roots() for folder in SOURCES[name].folders]


def _find(name: str, file: str) -> Path | None:
    """Return the first place of a file: as it is, compressed, or the archive that holds it."""
    paths = (place / each for place in _places(name) for each in _candidates(name, file))
    return next((path for path in paths if path.is_file()), None)


def _candidates(name: str, file: str) -> list[str]:
    archive = SOURCES[name].archive
    return [file, f"{file}.gz", *([archive] if archive else [])]


def _unpack(path: Path, files: Sequence[str]) -> dict[str, bytes]:
    """Return the uncompressed contents of the files that lie in `path`; nothing is written to disk."""
    if path.name.endswith(".tar.gz"):
        with tarfile.open(path) as tar:
            # in the archive's order: going back in a compressed file means starting again
            members = ((PurePosixPath(member.name).name, member) for member in tar if member.isfile())
            return {file: tar.extractfile(member).read() for file, member in members if file in files}
    [file] = files
    content = path.read_bytes()
    return {file: gzip.decompress(content) if path.suffix == ".gz" else content}


def _check_digest(name: str, file: str, path: Path, content: bytes) -> None:
    found, expected = hashlib.sha256(content).hexdigest(), SOURCES[name].digests[file]
    if found != expected:
        raise DataError(
            f"{path}: not {name}'s published {file} (SHA-256 {found[:12]}..., expected {expected[:12]}...); replace it: "
            f"{_remedy(name)}"
        )


def _remedy(name: str) -> str:
    debian = ", or on Debian: apt install dataset-fashion-mnist" if name == "fashion_mnist" else ""
    return f"run `python -m common.learning.data {name}`{debian}, or set RETRACE_DATA to the folder that has it"


def _download(name: str) -> None:
    import torchvision

    root = roots()[0]
    try:
        getattr(torchvision.datasets, SOURCES[name].torchvision)(root, download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{name}: torchvision could not download it into {root}: {error}") from error


def _idx(images: bytes, labels: bytes) -> tuple[Tensor, Tensor]:
    return _parse_idx(images)[:, None], _parse_idx(labels).long()


def _parse_idx(content: bytes) -> Tensor:
    """Return an idx file's array: two zero bytes, type 8 (unsigned byte), number of axes, big-endian sizes, then the data."""
    axes = content[3]
    shape = np.frombuffer(content, ">i4", count=axes, offset=4)
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape).copy())


def _cifar(contents: Sequence[bytes]) -> tuple[Tensor, Tensor]:
    parts = [pickle.loads(content, encoding="bytes") for content in contents]
    images = np.concatenate([part[b"data"] for part in parts]).reshape(-1, 3, 32, 32)
    return torch.from_numpy(images), torch.tensor([label for part in parts for label in part[b"labels"]])
