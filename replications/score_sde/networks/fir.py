"""Half and double the resolution of images through the filter [1, 3, 3, 1], against aliasing (Zhang 2019, Karras 2020).

The filter in the plane is the outer product of the four taps with themselves, its sum one, so that flat regions keep their value;
doubling spreads every pixel over four, so its sum is four there. Beyond the border all pixels are zero. Filter and resampling are
one convolution with a stride, each channel by itself. Sizes are even where they are halved.

A convolution that comes with the resampling is given filtered pixels from around the image, where its own padding would have put
zeros.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Maps = Float[Tensor, "batch channels height width"]
NewMaps = Float[Tensor, "batch out new_height new_width"]
Weight = Float[Tensor, "out channels rows columns"]
TAPS = (1.0, 3.0, 3.0, 1.0)


def halved(x: Maps) -> NewMaps:
    """Return x filtered, every second pixel of it."""
    return F.conv2d(x, _filter(x), stride=2, padding=1, groups=x.shape[1])


def doubled(x: Maps) -> NewMaps:
    """Return x with a zero after every pixel, filtered: the linear interpolation between x's pixels."""
    return F.conv_transpose2d(x, 4 * _filter(x), stride=2, padding=1, groups=x.shape[1])


def halved_and_convolved(x: Maps, weight: Weight, bias: Float[Tensor, " out"] | None = None) -> NewMaps:
    """Return every second pixel of the 3x3 convolution of x filtered."""
    return F.conv2d(F.conv2d(x, _filter(x), padding=2, groups=x.shape[1]), weight, bias, stride=2)


def doubled_and_convolved(x: Maps, weight: Weight, bias: Float[Tensor, " out"] | None = None) -> NewMaps:
    """Return the 3x3 convolution of x doubled."""
    return F.conv2d(F.conv_transpose2d(x, 4 * _filter(x), stride=2, groups=x.shape[1]), weight, bias)


def _filter(x: Tensor) -> Float[Tensor, "channels 1 4 4"]:
    """Return the filter for each channel, in x's dtype and on its device."""
    taps = torch.tensor(TAPS, dtype=x.dtype, device=x.device) / sum(TAPS)
    return torch.outer(taps, taps).expand(x.shape[1], 1, -1, -1)
