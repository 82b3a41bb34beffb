"""A second path beside a U-Net, resolution by resolution: the image on the way down, the output on the way up (Karras 2020).

Each module is called with the network's maps h and the path's, and returns both.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from replications.score_sde.networks.blocks import NOTHING, Direction, Resample, conv, merged, norm, resampled
from replications.score_sde.networks.fir import Maps

Beside = Float[Tensor, "batch beside new_height new_width"]
Both = tuple[Float[Tensor, "batch out height width"], Float[Tensor, "batch new_beside height width"]]


class InputSkip(nn.Module):
    """The image at this resolution joins the maps through a 1x1 convolution, as their sum or as more channels."""

    def __init__(self, image: int, channels: int, *, join: str, fir: bool) -> None:
        super().__init__()
        self.join, self.fir = join, fir
        self.conv = conv(image, channels, kernel=1)

    def forward(self, h: Maps, image: Beside) -> Both:
        """Return the joined maps and the image, half as large as it came."""
        image = resampled(image, "down", self.fir)
        entering = self.conv(image)
        return torch.cat([entering, h], 1) if self.join == "cat" else entering + h, image


class PathResidual(nn.Module):
    """The path changes its resolution by a convolution and is added to the maps; their sum is both, from there on."""

    def __init__(self, beside: int, channels: int, direction: Direction, *, rescale: bool, fir: bool) -> None:
        super().__init__()
        self.rescale = rescale
        self.resample = Resample(beside, channels, direction, fir=fir)

    def forward(self, h: Maps, path: Beside) -> Both:
        """Return the sum twice."""
        total = merged(self.resample(path), h, self.rescale)
        return total, total


class OutputSkip(nn.Module):
    """norm - swish - conv to an image, plus that of the resolution below."""

    def __init__(self, channels: int, image: int, *, fir: bool) -> None:
        super().__init__()
        self.fir = fir
        self.norm, self.conv = norm(channels), conv(channels, image, scale=NOTHING)

    def forward(self, h: Maps, image: Beside | None) -> Both:
        """Return h and the image so far; the lowest resolution is given none."""
        mine = self.conv(F.silu(self.norm(h)))
        return h, mine if image is None else resampled(image, "up", self.fir) + mine


class OutputStart(nn.Module):
    """norm - swish - conv: where the residual path of the output begins, at the lowest resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm, self.conv = norm(channels), conv(channels, channels)

    def forward(self, h: Maps, path: None) -> Both:
        """Return h as it came and the path."""
        return h, self.conv(F.silu(self.norm(h)))
