"""The square on which two-dimensional densities are drawn and summed."""

import torch
from jaxtyping import Float
from torch import Tensor


def square_grid(points: int, half_width: float, *, cells: bool = False) -> Float[Tensor, "squared 2"]:
    """Return points^2 places on [-half_width, half_width]^2 in float64, the second coordinate running fastest.

    They reach from border to border, for pictures, or are the middles of as many `cells`, for sums (the midpoint rule).
    """
    edge = 2 * half_width / points
    if cells:
        axis = (torch.arange(points, dtype=torch.float64) + 0.5) * edge - half_width
    else:
        axis = torch.linspace(-half_width, half_width, points, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis)
