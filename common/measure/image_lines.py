"""Pictures of images: many small ones side by side, as one."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

Images = Float[np.ndarray, "n c h w"]


def tiled(images: Images, per_line: int, gap: int = 0) -> Float[np.ndarray, "height width channels"]:
    """Return images in [-1, 1] as one picture in [0, 1], line by line; gaps and what a last line lacks are white."""
    shown = (images.astype(np.float32).clip(-1, 1) / 2 + 0.5).transpose(0, 2, 3, 1)
    missing = ((0, -len(shown) % per_line), (0, gap), (0, gap), (0, 0))
    padded = np.pad(shown, missing, constant_values=1)
    n, height, width, channels = padded.shape
    lines = padded.reshape(n // per_line, per_line, height, width, channels).swapaxes(1, 2)
    return lines.reshape(-1, per_line * width, channels)[: -gap or None, : -gap or None]


def image_lines(axis: Axes, images: Images, label: str = "", per_line: int = 15, gap: int = 0) -> None:
    """Draw images [n, c, h, w] in [-1, 1] side by side, `gap` pixels from one another, a label on the left."""
    picture = tiled(images, per_line, gap)
    axis.imshow(picture.squeeze(-1) if picture.shape[-1] == 1 else picture, cmap="gray", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.grid(False)
    axis.set_ylabel(label, rotation=0, ha="right", va="center")
