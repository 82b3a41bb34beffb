"""Noise in the place of images: what measures time needs a data set's shape and grey values, and none of its files."""

import contextlib
import functools
import math
from collections.abc import Iterator

import torch

from common.learning.data import catalogue
from common.learning.data.celeba import SIZES as CELEBA
from common.learning.data.imagenet import SIZES as IMAGENET
from common.learning.data.pictures import SETS as PICTURES
from common.learning.data.split import ImageSplit

# channels, height, width
SHAPES: dict[str, tuple[int, int, int]] = {
    "digits": (1, 8, 8),
    "patches_colour8": (3, 8, 8),
    "patches_colour16": (3, 16, 16),
    "fashion_mnist": (1, 28, 28),
    "mnist": (1, 28, 28),
    "cifar10": (3, 32, 32),
    **{f"celeba{size}": (3, size, size) for size in CELEBA},
    **{f"imagenet{size}": (3, size, size) for size in IMAGENET},
    **{name: (3, size, size) for name, (size, _) in PICTURES.items()},
}
GREY_VALUES = {"digits": 17}  # the others have 256
IMAGES, VALUES = 10_000, 2**28  # as many images as that, and no more bytes


@contextlib.contextmanager
def stand_ins() -> Iterator[None]:
    """Within it the catalogue gives noise for every data set of `SHAPES`, and reads no file; the splits of a set are alike."""
    loaders = dict(catalogue.LOADERS)
    catalogue.LOADERS.update({name: functools.partial(noise, name) for name in SHAPES})
    try:
        yield
    finally:
        catalogue.LOADERS.update(loaders)


def noise(name: str, split: str, replicate: int = 0) -> ImageSplit:
    """Return uniform grey values and labels of ten classes in the place of a split."""
    return _noise(SHAPES[name], GREY_VALUES.get(name, 256))


@functools.cache
def _noise(shape: tuple[int, int, int], grey_values: int) -> ImageSplit:
    generator, count = torch.Generator().manual_seed(0), min(IMAGES, VALUES // math.prod(shape))
    images = torch.randint(grey_values, (count, *shape), generator=generator, dtype=torch.uint8)
    return ImageSplit(images, torch.randint(10, (count,), generator=generator), grey_values)
