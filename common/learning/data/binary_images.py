"""The images of variational autoencoders: black and white digits, MNIST, Omniglot and Caltech silhouettes, and grey Frey faces.

Files are looked for in $RETRACE_DATA, ./data and /usr/share/datasets, in a folder of the set's name or flat, as published:

    mnist_static            binarized_mnist_{train,valid,test}.amat (Larochelle & Murray 2011): text, 50 000 / 10 000 / 10 000
    omniglot                chardata.mat (Burda et al. 2016): shares of ink in [0, 1], 24 345 for training and 8 070 for testing
    caltech_silhouettes     caltech101_silhouettes_28_split1.mat (Marlin et al. 2010): 4 100 / 2 264 / 2 307, shapes white here
    frey_faces              frey_rawface.mat (Roweis): 1 965 faces of 28 x 20 pixels, 256 grey values

MD5 sums tell a damaged or another file. They are those of other projects that read the published files; none of these formats can
run code when it is read. `digits_binary` needs no file.
"""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Integer
from torch import Generator, Tensor

from common.errors import DataError
from common.learning.data.digits import digits
from common.learning.data.images import roots
from common.learning.data.split import ImageSplit
from common.runs.seeds import derive_seed

GREY_VALUES = 256
INK = 8  # of a digit's 17 grey values 0 ... 16, the first that counts as ink
OMNIGLOT_VALIDATION = 1345  # images drawn from the training set, as many as is usual
FREY_SIZES = {"train": 1565, "validation": 200, "test": 200}


@dataclass(frozen=True)
class Published:
    """Where a data set is published, and its files' MD5."""

    address: str
    md5: dict[str, str]


SETS = {
    "mnist_static": Published(
        "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/",
        {
            "binarized_mnist_train.amat": "db28b1a6ae0fe70cbd3da91acf46e477",
            "binarized_mnist_valid.amat": "bf37822a04e94123630de6a7dfd9c9ef",
            "binarized_mnist_test.amat": "14e41ae11040adba6ab8cb291eda0dd8",
        },
    ),
    "omniglot": Published(
        "https://github.com/yburda/iwae/raw/master/datasets/OMNIGLOT/", {"chardata.mat": "21ecaf34373511aa7691cf2e0802aa3d"}
    ),
    "caltech_silhouettes": Published(
        "https://people.cs.umass.edu/~marlin/data/",
        {"caltech101_silhouettes_28_split1.mat": "4483e9c14b188fd09937f9ea6f9ea777"},
    ),
    "frey_faces": Published("https://cs.nyu.edu/~roweis/data/", {"frey_rawface.mat": "5aeb024d42b8a6091f30e5eb18c8a48d"}),
}


def digits_binary(split: str, replicate: int = 0) -> ImageSplit:
    """Return a replicate's digits in black and white, by a threshold in the middle of the grey values: always the same image."""
    grey = digits(split, replicate)
    return ImageSplit((grey.images >= INK).to(torch.uint8), grey.labels, 2)


def mnist_static(split: str) -> ImageSplit:
    """Return a published split of the digits that were drawn once from MNIST's grey values."""
    content = _read("mnist_static", f"binarized_mnist_{'valid' if split == 'validation' else split}.amat")
    symbols = np.frombuffer(content, np.uint8)
    # zeros and ones with white space between them
    return _split((symbols[symbols > ord(" ")] - ord("0")).reshape(-1, 28, 28), 2)


def omniglot(split: str) -> ImageSplit:
    """Return a split of Omniglot: of shares of ink to draw pixels from in training, drawn once for validation and test.

    The shares are kept to 1/255. Validation images are a fixed random part of the published training set.
    """
    part = "testdata" if split == "test" else "data"
    # columns of pixels, themselves column by column
    shares = _matrix("omniglot", "chardata.mat", part).T.reshape(-1, 28, 28).swapaxes(1, 2)
    grey = np.rint(255 * shares).astype(np.uint8)
    if split != "test":
        order = _order("omniglot validation", len(grey))
        grey = grey[order[OMNIGLOT_VALIDATION:] if split == "train" else order[:OMNIGLOT_VALIDATION]]
    made = _split(grey, GREY_VALUES)
    if split == "train":
        return made
    draw = Generator().manual_seed(derive_seed("omniglot pixels", split))
    return ImageSplit(drawn_pixels(made.images, made.grey_values, generator=draw), None, 2)


def caltech_silhouettes(split: str) -> ImageSplit:
    """Return a published split of the silhouettes, shapes 1 and background 0: the file has them the other way round."""
    part = "val" if split == "validation" else split
    found = _matrix("caltech_silhouettes", "caltech101_silhouettes_28_split1.mat", f"{part}_data")
    return _split(1 - found.astype(np.uint8).reshape(-1, 28, 28).swapaxes(1, 2), 2)


def frey_faces(split: str, replicate: int = 0) -> ImageSplit:
    """Return a replicate's split of the faces; there is no published one."""
    faces = _matrix("frey_faces", "frey_rawface.mat", "ff").T.reshape(-1, 28, 20)
    parts = torch.from_numpy(_order("frey faces split", replicate, len(faces))).split(list(FREY_SIZES.values()))
    return _split(faces[dict(zip(FREY_SIZES, parts))[split].numpy()], GREY_VALUES)


def drawn_pixels(values: Integer[Tensor, "*shape"], grey_values: int, *, generator: Generator) -> Integer[Tensor, "*shape"]:
    """Return 0/1 pixels: values of two as they are, others drawn with the probability value / (grey_values - 1)."""
    if grey_values == 2:
        return values
    return torch.bernoulli(values / (grey_values - 1), generator=generator).to(torch.uint8)


def _split(images: np.ndarray, grey_values: int) -> ImageSplit:
    return ImageSplit(torch.from_numpy(np.ascontiguousarray(images)[:, None]), None, grey_values)


def _order(*purpose_and_count: str | int) -> np.ndarray:
    *purpose, count = purpose_and_count
    return torch.randperm(count, generator=Generator().manual_seed(derive_seed(*purpose))).numpy()


def _matrix(name: str, file: str, key: str) -> np.ndarray:
    from scipy.io import loadmat

    return loadmat(BytesIO(_read(name, file)), variable_names=[key])[key]


def _read(name: str, file: str) -> bytes:
    """Return a published file's content. Raises `DataError` where it is not to be found, or another one."""
    published = SETS[name]
    remedy = f"put {file} from {published.address} into {roots()[0] / name}, or set RETRACE_DATA to the folder above {name}"
    places = [root / folder / file for root in roots() for folder in (name, "")]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise DataError(f"{name}: {file} not found in {', '.join(str(place.parent) for place in places)}; {remedy}")
    return _checked(path, published.md5[file], remedy)


def _checked(path: Path, expected: str, remedy: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); {remedy}") from None
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise DataError(f"{path}: not the published file (MD5 {found[:12]}..., expected {expected[:12]}...); {remedy}")
    return content
