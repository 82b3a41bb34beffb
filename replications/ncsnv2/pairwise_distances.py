"""Technique 1 (Song & Ermon 2020, Section 3.1): the largest noise level is the largest Euclidean distance between two images.

Images stay as they are stored, and on disk if they are memory-mapped; a block of each is converted at a time. To be the widest
pair, two images must lie far from the mean of all, since |x - y| <= |x - m| + |y - m|: from the outermost inwards, blocks of
pairs that cannot be wider than the widest so far are skipped.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Generator, Tensor

from common.errors import DataError

LARGE, SUBSET = 60_000, 10_000  # above so many images the paper takes a random subset of so many
PAIRS = 20_000  # random pairs that the median is of
NUMBERS, ROWS = 2**22, 1024  # at most, in a block of images


class Distances(NamedTuple):
    """Euclidean distances between images: the largest, the median of random pairs, and how many images were compared."""

    largest: float
    median: float
    compared: int


def distances(images: Shaped[Tensor, "n *shape"], *, generator: Generator, unit: float = 1.0) -> Distances:
    """Return the distances between images, in pixels of which the images' own numbers are multiples of `unit`.

    Of more than 60 000 images a random subset of 10 000 is compared, which may miss the widest pair. Raises `DataError` for
    fewer than two images, or if all are the same.
    """
    if len(images) < 2:
        raise DataError("there is only one image, and sigma_1 is the largest distance between two; give more images")
    chosen = subset(len(images), generator)
    images = images if chosen is None else images[chosen]
    largest = unit * _largest(images)
    if largest == 0:
        raise DataError(f"all {len(images)} images are the same, so no noise level follows from their distances; give others")
    return Distances(largest, unit * _median(images, generator), len(images))


def subset(count: int, generator: Generator) -> Int[Tensor, " fewer"] | None:
    """Return which of `count` images the paper would compare, in order, or None for all of them."""
    return torch.randperm(count, generator=generator)[:SUBSET].sort().values if count > LARGE else None


def _largest(images: Tensor) -> float:
    size = max(1, min(ROWS, NUMBERS // images[0].numel()))
    blocks = torch.arange(len(images)).split(size)
    mean = torch.stack([_rows(images, block).double().sum(0) for block in blocks]).sum(0) / len(images)
    radius = torch.cat([(_rows(images, block) - mean.float()).norm(dim=1) for block in blocks])
    outermost = radius.argsort(descending=True)
    blocks, reach, largest = outermost.split(size), radius[outermost[::size]].tolist(), 0.0
    for number, block in enumerate(blocks):
        for other in range(number, len(blocks)):
            if reach[number] + reach[other] <= largest:
                break
            between = torch.cdist(_rows(images, block) - mean.float(), _rows(images, blocks[other]) - mean.float())
            first, second = divmod(int(between.argmax()), between.shape[1])
            # products of float32 choose the pair; its distance is exact
            pair = _rows(images, torch.stack([block[first], blocks[other][second]])).double()
            largest = max(largest, float((pair[0] - pair[1]).norm()))
    return largest


def _median(images: Tensor, generator: Generator) -> float:
    first = torch.randint(len(images), (PAIRS,), generator=generator)
    second = (first + torch.randint(1, len(images), (PAIRS,), generator=generator)) % len(images)
    size = max(1, NUMBERS // images[0].numel())
    parts = zip(first.split(size), second.split(size))
    return float(torch.cat([(_rows(images, one) - _rows(images, other)).norm(dim=1) for one, other in parts]).median())


def _rows(images: Tensor, which: Int[Tensor, " k"]) -> Float[Tensor, "k dim"]:
    return images[which].flatten(1).float()
