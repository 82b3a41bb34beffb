"""How well points show the checkerboard: the share off its dark cells, of samples and, in closed form, of a path's marginals.

Samples of the board have none of their mass off it, noise about half; the share asks for no reference sample, so it has no floor.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.paths import GaussianPath
from common.learning.data.densities import checkerboard_log_density
from replications.flow_matching.exact_fields import CELL

EDGES = CELL * torch.arange(-2, 3, dtype=torch.float64)  # of the board's rows and columns


def share_off_board(points: Float[Tensor, "n 2"]) -> float:
    """Return the share of points that lie off the board's dark cells."""
    return float(torch.isinf(checkerboard_log_density(points)).double().mean())


def histogram_distance(points: Float[Tensor, "n 2"], per_cell: int = 4) -> float:
    """Return the total variation between the points' histogram and the board's, on per_cell^2 squares a cell and one bin outside.

    Unlike the share off the board it sees points that crowd together inside the cells. n points of the board itself read about
    sqrt(bins / (2 pi n)): a floor.
    """
    side = 4 * per_cell
    index = torch.floor((points.double() + 2 * CELL) * (per_cell / CELL)).long()
    inside = ((index >= 0) & (index < side)).all(1)
    found = torch.bincount(index[inside] @ torch.tensor([side, 1]), minlength=side**2).double() / len(points)
    cell = torch.arange(side) // per_cell
    dark = ((cell[:, None] + cell) % 2 == 0).flatten().double()
    return float(((found - dark / dark.sum()).abs().sum() + 1 - inside.double().mean()) / 2)


def marginal_off_board(path: GaussianPath, t: float) -> float:
    """Return the share of p_t's mass off the board drawn at p_t's own scale, its cells times alpha(t): exact.

    x_t / alpha = x_0 + (sigma / alpha) eps, so it grows with the noise-to-signal ratio alone, from 0 without noise. Along either
    coordinate the chance to go from row i, where x_0 is uniform, to row j has a closed form, and the noise is independent.
    """
    time = torch.tensor(t, dtype=torch.float64)
    moves = row_to_row(float(path.sigma(time) / path.alpha(time)))
    rows = torch.arange(4)
    dark = ((rows[:, None] + rows) % 2 == 0).double()
    # sum over dark cells (i, j) to dark cells (k, l) of moves[i, k] moves[j, l], each start having an eighth of the mass
    return 1 - float(torch.einsum("ij,ik,jl,kl->", dark, moves, moves, dark)) / 8


def row_to_row(noise: float) -> Float[Tensor, "from to"]:
    """Return the chance that x + noise eps lies in row j, for x uniform on row i of the board."""
    low, high = EDGES[:-1], EDGES[1:]

    def mean_cdf(edge: Tensor) -> Tensor:
        """Return P(x + noise eps < edge) for x uniform on each row: the mean over x of Phi((edge - x) / noise)."""
        return (integrated_cdf((edge - low) / noise) - integrated_cdf((edge - high) / noise)) * noise / CELL

    return torch.stack([mean_cdf(b) - mean_cdf(a) for a, b in zip(low, high)], dim=1)


def integrated_cdf(z: Tensor) -> Tensor:
    """Return the integral of the normal distribution function up to z: z Phi(z) + phi(z)."""
    return z * torch.special.ndtr(z) + torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
