"""The logit transform between pixels in [0, 1] and the whole line (Dinh et al. 2017), with its log-determinant.

    s = alpha + (1 - 2 alpha) x        y = log s - log(1 - s)        log |dy/dx| = log(1 - 2 alpha) - log s - log(1 - s)

alpha keeps s off the ends, where y would be infinite. Pixels that are uniform on [0, 1] become the logistic distribution, cut off
where s is alpha or 1 - alpha.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

ALPHA = 1e-6  # of the authors' image script


def logit(
    x: Float[Tensor, "batch *shape"], alpha: float = ALPHA
) -> tuple[Float[Tensor, "batch *shape"], Float[Tensor, " batch"]]:
    """Return y and the log-determinant (nats) of every item of x, whose pixels are in [0, 1]."""
    # 1 - s from 1 - x: beside the upper end float32 has no digits left to take s from 1
    low, high = ((alpha + (1 - 2 * alpha) * part).log() for part in (x, 1 - x))
    return low - high, (math.log(1 - 2 * alpha) - low - high).flatten(1).sum(1)


def from_logit(y: Float[Tensor, "batch *shape"], alpha: float = ALPHA) -> Float[Tensor, "batch *shape"]:
    """Return the pixels of y: in [0, 1] where y is an image of `logit`, up to alpha beyond it elsewhere."""
    return (torch.sigmoid(y) - alpha) / (1 - 2 * alpha)
