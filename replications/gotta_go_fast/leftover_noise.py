"""How much noise is left in images: their size along the directions in which data vary least.

Along these data are nearly constant, and noise has as much there as anywhere else: for images of objects they are the finest
details, for digits the empty corners too. A feature network sees little of such noise.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Quietest(NamedTuple):
    """The directions of the least variance of a set of images, and its mean."""

    mean: Float[Tensor, " dim"]
    directions: Float[Tensor, "dim count"]

    def noise(self, images: Float[Tensor, "n *shape"]) -> float:
        """Return the root mean square of images' components there, in units of a pixel: of white noise its own."""
        centred = images.flatten(1).to(self.mean) - self.mean
        return float((centred @ self.directions).square().mean().sqrt())


def quietest(images: Float[Tensor, "n *shape"], share: float = 0.25) -> Quietest:
    """Return the share of all principal directions of images with the least variance."""
    flat = images.flatten(1).double()
    # eigenvalues come in ascending order
    directions = torch.linalg.eigh(torch.cov(flat.T))[1]
    return Quietest(flat.mean(0), directions[:, : max(1, round(share * flat.shape[1]))])
