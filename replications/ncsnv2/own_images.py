"""Images to choose noise levels for: a data set of the suite by its name, a folder of picture files, or a .npy file.

They come as they are stored, with the size of one of their units in pixels of [0, 1]. Grey values count as everywhere in the
suite, in the middle of their cells, so a step of 1 in 256 of them is 1/256.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Generator, Tensor

from common.errors import DataError
from common.learning.data import catalogue
from common.learning.data.pictures import SUFFIXES
from common.runs.settings import hint
from replications.ncsnv2.pairwise_distances import subset

GREY_MODES, GREY_VALUES = ("1", "L", "LA"), 256
CHANNELS = (1, 2, 3, 4)
RANGES = ((0.0, 1.0), (-1.0, 1.0))
ROUNDING = 1e-6
BLOCK = 2**22  # numbers


class Images(NamedTuple):
    """Images [n, ...], what 1 of their units is in pixels of [0, 1], how they were read, and how many there are in all."""

    stored: Shaped[Tensor, "n *shape"]
    unit: float
    reading: str
    total: int

    @property
    def dim(self) -> int:
        """Numbers of one image."""
        return self.stored[0].numel()


def read_images(data: str, *, generator: Generator) -> Images:
    """Return the images of a data set's training split, a folder or a .npy file.

    Raises `DataError` naming the file and the remedy if there is no such thing or it does not hold images of one size.
    """
    if data in catalogue.LOADERS:
        split = catalogue.load(data, "train")
        return _grey_values(split.images, split.grey_values, len(split.images))
    path = Path(data)
    if path.is_dir():
        return _folder(path, generator)
    if path.suffix == ".npy":
        return _array(path)
    raise DataError(f"{data}: no folder of pictures, no .npy file and no data set of the suite{hint(data, catalogue.LOADERS)}")


def _grey_values(images: Tensor, values: int, total: int) -> Images:
    return Images(images, 1 / values, f"grey value v of {values} as (v + 1/2) / {values}", total)


def _folder(folder: Path, generator: Generator) -> Images:
    """Return the pictures below a folder, in grey if all are; of very many the subset that will be compared."""
    from PIL import Image

    files = sorted((path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES), key=Path.as_posix)
    if not files:
        raise DataError(f"{folder}: no {', '.join(SUFFIXES)} files at any depth; name the folder that has the pictures")
    chosen = subset(len(files), generator)
    total, files = len(files), files if chosen is None else [files[k] for k in chosen.tolist()]
    pixels, grey = None, all(_mode(file) in GREY_MODES for file in files)
    for number, file in enumerate(files):
        try:
            with Image.open(file) as picture:
                found = np.asarray(picture.convert("L" if grey else "RGB"))
        # Pillow's readers of damaged files raise the other kinds
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"{file}: cannot be read ({error}); get it again, or remove it") from None
        if pixels is None:
            pixels = np.empty((len(files), *found.shape), np.uint8)
        if found.shape != pixels.shape[1:]:
            raise DataError(
                f"{file}: {_size(found)} pixels, but {files[0].name} has {_size(pixels[0])}; bring all pictures to one size first"
            )
        pixels[number] = found
    return _grey_values(torch.from_numpy(pixels), GREY_VALUES, total)


def _mode(file: Path) -> str:
    """Return a picture's mode, read from its head alone."""
    from PIL import Image

    try:
        with Image.open(file) as picture:
            mode = picture.mode
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{file}: cannot be read ({error}); get it again, or remove it") from None
    if mode[0] in "IF":
        raise DataError(
            f"{file}: grey values of more than 8 bits (mode {mode}); save it with 8, or all pictures as floats in a .npy"
        )
    return mode


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"


def _array(file: Path) -> Images:
    """Return the images of a .npy file, memory-mapped: uint8, or floats in [0, 1] or [-1, 1]."""
    try:
        # copy on write: torch asks for memory that may be written to, and the file must not change
        found = np.load(file, mmap_mode="c", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{file}: no such file") from None
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{file}: cannot be read as a .npy file ({error}); write it by numpy.save, no objects in it") from None
    channels = found.ndim == 4 and (found.shape[1] in CHANNELS or found.shape[3] in CHANNELS)
    if not (found.ndim == 3 or channels) or not found.size:
        raise DataError(
            f"{file}: has the shape {list(found.shape)}, and images have [n, height, width], [n, channels, height, width] or "
            "[n, height, width, channels]; bring it into one of these"
        )
    if found.dtype == np.uint8:
        return _grey_values(torch.from_numpy(found), GREY_VALUES, len(found))
    if found.dtype.kind != "f" or found.dtype.itemsize > 8:
        raise DataError(f"{file}: holds {found.dtype}; save grey values as uint8, or floats in [0, 1] or [-1, 1]")
    images = torch.from_numpy(found if found.dtype.isnative else found.astype(found.dtype.newbyteorder("=")))
    low, high = _range(images, file)
    return Images(images, 1 / (high - low), f"floats in [{low:g}, {high:g}]", len(images))


def _range(images: Tensor, file: Path) -> tuple[float, float]:
    """Return the range that floats are in: [-1, 1] if any is negative."""
    ends = [part.aminmax() for part in images.split(max(1, BLOCK // images[0].numel()))]
    least, most = (float(torch.stack(end).amin() if k == 0 else torch.stack(end).amax()) for k, end in enumerate(zip(*ends)))
    for low, high in RANGES:
        if low - ROUNDING <= least and most <= high + ROUNDING:
            return low, high
    raise DataError(
        f"{file}: floats from {least:g} to {most:g}; bring them into [0, 1] or [-1, 1], with no nan or inf, or save grey "
        "values as uint8"
    )
