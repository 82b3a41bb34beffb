"""The checkerboard's exact marginal fields: what a perfect network would learn, so that paths are judged without training.

The board is represented by a mixture of small Gaussians on a grid inside its dark cells; its marginal velocity on any
Gaussian path is then known in closed form (common.dynamics.oracles).
"""

import torch

from common.dynamics.oracles import GaussianMixture
from common.dynamics.paths import GaussianPath

CELL = 2.0  # side of one of the eight cells of the board on [-4, 4]^2


def checkerboard_mixture(path: GaussianPath, per_side: int = 6) -> GaussianMixture:
    """Return the board as 8 * per_side^2 equal Gaussians, their standard deviation half the grid spacing."""
    spacing = CELL / per_side
    inside = (torch.arange(per_side, dtype=torch.float64) + 0.5) * spacing
    grid = torch.cartesian_prod(inside, inside)
    corners = torch.tensor(
        [(-4 + CELL * i, -4 + CELL * j) for i in range(4) for j in range(4) if (i + j) % 2 == 0], dtype=torch.float64
    )
    means = (corners[:, None] + grid).reshape(-1, 2)
    weights = torch.full((len(means),), 1 / len(means), dtype=torch.float64)
    return GaussianMixture(path, weights=weights, means=means, stds=torch.full_like(weights, spacing / 2))
