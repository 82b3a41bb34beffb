"""How many Langevin steps to take at a level, and how large (Song & Ermon 2020, Section 3.4; Proposition 3, technique 4).

A chain that enters level i with the noise of the level before, g times as wide, should leave it with noise of width sigma_i. For
data of one point its noise stays Gaussian, and one step of relative size rho = eps / sigma_L^2 makes of its variance v (in
sigma_i^2) the variance (1 - rho)^2 v + 2 rho, whichever the level and in any number of dimensions. After T steps it is

    s_T^2 / sigma_i^2 = (1 - rho)^(2 T) (g^2 - b) + b,    b = 1 / (1 - rho / 2)

where b is what chains settle at. A step is x + a s + sqrt(2 a) z with a = rho sigma_i^2, as in `ncsn.annealed_langevin`.
"""

from typing import NamedTuple, TypeVar

import numpy as np

from common.errors import SettingsError

EVALUATIONS, FEWEST, MOST = 3000, 3, 5
POINTS, REFINEMENTS = 1001, 3

Numbers = TypeVar("Numbers", float, np.ndarray)


class StepSize(NamedTuple):
    """A step size, as the paper's eps and as rho = eps / sigma_L^2, and the s_T^2 / sigma_i^2 that it reaches."""

    eps: float
    rho: float
    variance_ratio: float


def variance_ratio(ratio: float, rho: Numbers, steps: int) -> Numbers:
    """Return s_T^2 / sigma_i^2 after `steps` steps of relative size `rho`, in closed form (Proposition 3); rho may not be 2."""
    return 1 + variance_excess(ratio, rho, steps)


def variance_excess(ratio: float, rho: Numbers, steps: int) -> Numbers:
    """Return s_T^2 / sigma_i^2 - 1 as a sum of two terms that do not cancel, where chains are stable."""
    kept = (1 - rho) ** (2 * steps)
    return kept * (ratio - 1) * (ratio + 1) + (1 - kept) * rho / (2 - rho)


def largest_stable(sigma_min: float) -> float:
    """Return the eps from which on chains diverge, 2 sigma_L^2."""
    return 2 * sigma_min**2


def best_step_size(ratio: float, steps: int, sigma_min: float) -> StepSize:
    """Return the stable step size that brings s_T^2 / sigma_i^2 nearest to 1, by a grid search that is refined (technique 4).

    Raises `SettingsError` unless `steps` >= 1, the ratio of the levels is above 1 and sigma_min above 0.
    """
    for name, value, least in (("steps_per_level", steps, 0), ("ratio", ratio, 1), ("sigma_min", sigma_min, 0)):
        if not least < value < np.inf:
            raise SettingsError(f"{name} = {value:g}: must be above {least}")
    grid = np.geomspace(1e-9, 2, POINTS + 1)[:-1]
    for _ in range(1 + REFINEMENTS):
        best = np.abs(variance_excess(ratio, grid, steps)).argmin()
        rho = float(grid[best])
        grid = np.linspace(grid[max(best - 1, 0)], grid[min(best + 1, POINTS - 1)], POINTS)
    return StepSize(rho * sigma_min**2, rho, variance_ratio(ratio, rho, steps))


def steps_per_level(levels: int) -> int:
    """Return T = 3000 / L, rounded, but at least 3 and at most 5: all published T follow from it.

    The paper says that T L should be a few thousand. Short ladders, of small images, stay below that.
    """
    return min(max(round(EVALUATIONS / levels), FEWEST), MOST)
