"""Pictures of images: many small ones side by side, as one."""

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

Images = Float[np.ndarray, "n c h w"]


def tiled(images: Images, per_line: int) -> Float[np.ndarray, "height width channels"]:
    """Return images in [-1, 1] as one picture in [0, 1], line by line; what a last line lacks is white."""
    shown = (images.astype(np.float32).clip(-1, 1) / 2 + 0.5).transpose(0, 2, 3, 1)
    missing = np.ones((-len(shown) % per_line, *shown.shape[1:]), np.float32)
    lines = np.concatenate([shown, missing]).reshape(-1, per_line, *shown.shape[1:])
    return np.concatenate([np.concatenate(list(line), 1) for line in lines])


def image_lines(axis: Axes, images: Images, label: str = "", per_line: int = 15, **more: Any) -> None:
    """Draw images [n, c, h, w] in [-1, 1] side by side, a label on the left; `more` goes to `imshow`."""
    picture = tiled(images, per_line)
    axis.imshow(picture.squeeze(-1) if picture.shape[-1] == 1 else picture, cmap="gray", vmin=0, vmax=1, **more)
    axis.set(xticks=[], yticks=[])
    axis.set_ylabel(label, rotation=0, ha="right", va="center")
