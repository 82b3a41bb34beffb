"""An image split: integer grey levels, labels where there are any, and the number of levels."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ImageSplit:
    """Images as integer levels [n, channels, height, width] in 0 ... levels-1, and labels [n] or None."""

    images: Tensor
    labels: Tensor | None
    levels: int
