"""Patches of the two photographs that ship with scikit-learn: 8x8 grey, 8x8 and 16x16 colour, 256 grey values, no labels.

The photographs are a temple and a flower, both under the licence CC BY 2.0, as scikit-learn's `datasets/images/README.txt` says,
which credits their authors.

Each photograph (427 x 640) is cut by columns: the left 70 % are for training, the next 10 % for validation, the rest for testing,
and patches lie inside one part, so no pixel is in two splits.

As rows of a table, grey patches of several sizes are treated as those of BSDS300 (Uria et al. 2013; Papamakarios et al. 2017),
and every replicate has its own cut: where the left begins is drawn, and what lies left of it follows at the right end.

The 8x8 colour patches are cut by tiles: every replicate draws which ones are for training, validation and testing, in the same
shares, so that all splits have the same colours, and patches lie inside one tile.
"""

import functools

import torch
from jaxtyping import Float
from torch import Tensor

from common.learning.data.split import ImageSplit
from common.runs.seeds import derive_seed, generator

GREY_VALUES = 256
PARTS = {"train": (0.0, 0.7), "validation": (0.7, 0.8), "test": (0.8, 1.0)}
TILE = 40  # pixels of a side: ten rows and sixteen columns of them in a photograph


@functools.cache
def _photographs() -> list[Tensor]:
    from sklearn.datasets import load_sample_images

    return [torch.tensor(image).permute(2, 0, 1) for image in load_sample_images().images]


def _cut(image: Tensor, split: str, size: int, stride: int) -> Tensor:
    """Return the patches [n, c, size, size] of one photograph's part, on a grid of the given stride."""
    width = image.shape[-1]
    start, end = (round(fraction * width) for fraction in PARTS[split])
    return _windows(image[:, :, start:end], size, stride)


def _windows(image: Tensor, size: int, stride: int) -> Tensor:
    """Return the squares [n, c, size, size] of an image [c, h, w], on a grid of the given stride."""
    windows = image.unfold(1, size, stride).unfold(2, size, stride)
    return windows.permute(1, 2, 0, 3, 4).reshape(-1, image.shape[0], size, size)


def flat_patches(size: int, split: str, replicate: int = 0) -> Float[Tensor, "rows columns"]:
    """Return grey patches as rows of size^2 - 1 numbers, in random order: dequantised in [0, 1], minus their mean, less the last.

    Patches stand half their size apart. The last pixel says nothing more: it is minus the sum of the others.
    """
    random = generator("flat patches", size, split, replicate)
    values = torch.cat([_cut_anew(_grey(image), split, size, replicate) for image in _photographs()]).flatten(1)
    pixels = (values[torch.randperm(len(values), generator=random)] + torch.rand(values.shape, generator=random)) / GREY_VALUES
    return (pixels - pixels.mean(1, keepdim=True))[:, :-1]


def _cut_anew(image: Tensor, split: str, size: int, replicate: int) -> Tensor:
    """Return the patches [n, size, size] of one photograph's part in a replicate; none lies across the photograph's ends."""
    width, stride = image.shape[-1], (size + 1) // 2
    left = derive_seed("cut of photographs", replicate) % width
    start, end = (round(fraction * width) for fraction in PARTS[split])
    windows = image[0].unfold(0, size, stride).unfold(1, size, stride)
    place = (stride * torch.arange(windows.shape[1]) - left) % width
    return windows[:, (place >= start) & (place + size <= end)].reshape(-1, size, size)


def _grey(image: Tensor) -> Tensor:
    """Return the rounded ITU-R 601 luma [1, h, w] of a colour image [3, h, w]."""
    luma = torch.tensor([0.299, 0.587, 0.114])
    return (image.float() * luma[:, None, None]).sum(0, keepdim=True).round().to(torch.uint8)


def patches_grey8(split: str) -> ImageSplit:
    """Return 8x8 grey patches on a grid of stride 8."""
    return ImageSplit(torch.cat([_cut(_grey(image), split, 8, 8) for image in _photographs()]), None, GREY_VALUES)


def patches_colour16(split: str) -> ImageSplit:
    """Return 16x16 colour patches on a grid of stride 8: neighbours within a split overlap by half."""
    return ImageSplit(torch.cat([_cut(image, split, 16, 8) for image in _photographs()]), None, GREY_VALUES)


def patches_colour8(split: str, replicate: int = 0) -> ImageSplit:
    """Return 8x8 colour patches of a replicate's tiles, on a grid of stride 4: neighbours within a tile overlap by half."""
    tiles = torch.cat([_windows(image, TILE, TILE) for image in _photographs()])
    start, end = (round(fraction * len(tiles)) for fraction in PARTS[split])
    order = torch.randperm(len(tiles), generator=generator("tiles of photographs", replicate))
    windows = tiles[order[start:end]].unfold(2, 8, 4).unfold(3, 8, 4)
    return ImageSplit(windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, 8, 8), None, GREY_VALUES)
