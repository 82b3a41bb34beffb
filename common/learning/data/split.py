"""An image split: integer grey values, labels where there are any, and the number of grey values."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ImageSplit:
    """Images as integers [n, channels, height, width] in 0 ... grey_values-1, and labels [n] or None."""

    images: Tensor
    labels: Tensor | None
    grey_values: int
