"""Image data sets by name: what experiments call."""

import functools

from common.errors import DataError
from common.learning.data import binary_images as _binary
from common.learning.data import celeba as _celeba
from common.learning.data import digits as _digits
from common.learning.data import imagenet as _imagenet
from common.learning.data import images as _images
from common.learning.data import patches as _patches
from common.learning.data import pictures as _pictures
from common.learning.data.split import ImageSplit
from common.runs.settings import hint

SPLITS = ("train", "validation", "test")
DRAWN = {"digits", "digits_binary", "patches_colour8", "frey_faces"}  # no published split: every replicate draws its own
LOADERS = {
    "digits": _digits.digits,
    "digits_binary": _binary.digits_binary,
    "patches_grey8": _patches.patches_grey8,
    "patches_colour8": _patches.patches_colour8,
    "patches_colour16": _patches.patches_colour16,
    **{name: functools.partial(_images.load_images, name) for name in _images.SOURCES},
    "mnist_static": _binary.mnist_static,
    "omniglot": _binary.omniglot,
    "caltech_silhouettes": _binary.caltech_silhouettes,
    "frey_faces": _binary.frey_faces,
    **{f"celeba{size}": functools.partial(_celeba.load_celeba, size) for size in _celeba.SIZES},
    **{name: functools.partial(_pictures.load_pictures, name) for name in _pictures.SETS},
    **{f"imagenet{size}": functools.partial(_imagenet.load_imagenet, size) for size in _imagenet.SIZES},
}


def load(name: str, split: str, replicate: int = 0) -> ImageSplit:
    """Return one split of an image data set; where none is published (`DRAWN`), the replicate's own.

    Raises `DataError` if the name or split is unknown, or a file is missing or not the published one.
    """
    if name not in LOADERS:
        raise DataError(f"there is no image data set {name!r}{hint(name, LOADERS)}")
    if split not in SPLITS:
        raise DataError(f"{name}: there is no split {split!r}{hint(split, SPLITS)}")
    return LOADERS[name](split, replicate) if name in DRAWN else LOADERS[name](split)
