"""Noise in the place of images and tables: what measures time needs a data set's shape and grey values, and none of its files."""

import contextlib
import functools
import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from common.learning.data import catalogue, tables
from common.learning.data.celeba import SIZES as CELEBA
from common.learning.data.imagenet import SIZES as IMAGENET
from common.learning.data.maf_tables import TABLES
from common.learning.data.pictures import SETS as PICTURES
from common.learning.data.split import ImageSplit

# channels, height, width
SHAPES: dict[str, tuple[int, int, int]] = {
    "digits": (1, 8, 8),
    "digits_binary": (1, 8, 8),
    "patches_colour8": (3, 8, 8),
    "patches_colour16": (3, 16, 16),
    "fashion_mnist": (1, 28, 28),
    "mnist": (1, 28, 28),
    "mnist_static": (1, 28, 28),
    "omniglot": (1, 28, 28),
    "caltech_silhouettes": (1, 28, 28),
    "frey_faces": (1, 28, 20),
    "cifar10": (3, 32, 32),
    **{f"celeba{size}": (3, size, size) for size in CELEBA},
    **{f"imagenet{size}": (3, size, size) for size in IMAGENET},
    **{name: (3, size, size) for name, (size, _) in PICTURES.items()},
}
# the others have 256
GREY_VALUES = {"digits": 17, **dict.fromkeys(("digits_binary", "mnist_static", "caltech_silhouettes"), 2)}
DRAWN_PIXELS = {"omniglot"}  # shares of ink in training, black and white in the other splits
LABELLED = {"digits", "digits_binary", "fashion_mnist", "mnist", "cifar10", *(f"imagenet{size}" for size in IMAGENET)}
ITEMS, VALUES = 10_000, 2**28  # as many images or rows as that, and no more bytes of images


@contextlib.contextmanager
def stand_ins(most: int = ITEMS) -> Iterator[None]:
    """Within it there is noise for every data set of `SHAPES` and every published table, and no file is read.

    The splits of a set are alike: as many as `most` images or rows.
    """
    images, rows = dict(catalogue.LOADERS), dict(tables.LOADERS)
    catalogue.LOADERS.update({name: functools.partial(noise, name, most=most) for name in SHAPES})
    tables.LOADERS.update({name: functools.partial(noise_rows, name, most=most) for name in TABLES})
    try:
        yield
    finally:
        catalogue.LOADERS.update(images)
        tables.LOADERS.update(rows)


def noise(name: str, split: str, replicate: int = 0, *, most: int = ITEMS) -> ImageSplit:
    """Return uniform grey values in the place of a split, and labels of ten classes if the set has labels."""
    grey_values = 2 if name in DRAWN_PIXELS and split != "train" else GREY_VALUES.get(name, 256)
    images, labels = _noise(SHAPES[name], grey_values, most)
    return ImageSplit(images, labels if name in LABELLED else None, grey_values)


def noise_rows(name: str, split: str, *, most: int = ITEMS) -> Float[Tensor, "rows columns"]:
    """Return standard normal rows in the place of a table's split."""
    return torch.randn(most, TABLES[name].columns, generator=torch.Generator().manual_seed(0))


@functools.cache
def _noise(shape: tuple[int, int, int], grey_values: int, most: int) -> tuple[Tensor, Tensor]:
    generator, count = torch.Generator().manual_seed(0), min(most, VALUES // math.prod(shape))
    images = torch.randint(grey_values, (count, *shape), generator=generator, dtype=torch.uint8)
    return images, torch.randint(10, (count,), generator=generator)
