"""Patches of the two photographs that ship with scikit-learn: 8x8 grey and 16x16 colour, 256 grey values, no labels.

Each photograph (427 x 640) is cut by columns: the left 70 % are for training, the next 10 % for validation, the rest for testing,
and patches lie inside one part, so no pixel is in two splits.
"""

import functools

import torch
from torch import Tensor

from common.learning.data.split import ImageSplit

GREY_VALUES = 256
PARTS = {"train": (0.0, 0.7), "validation": (0.7, 0.8), "test": (0.8, 1.0)}


@functools.cache
def _photographs() -> list[Tensor]:
    from sklearn.datasets import load_sample_images

    return [torch.tensor(image).permute(2, 0, 1) for image in load_sample_images().images]


def _cut(image: Tensor, split: str, size: int, stride: int) -> Tensor:
    """Return the patches [n, c, size, size] of one photograph's part, on a grid of the given stride."""
    width = image.shape[-1]
    start, end = (round(fraction * width) for fraction in PARTS[split])
    windows = image[:, :, start:end].unfold(1, size, stride).unfold(2, size, stride)
    return windows.permute(1, 2, 0, 3, 4).reshape(-1, image.shape[0], size, size)


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
