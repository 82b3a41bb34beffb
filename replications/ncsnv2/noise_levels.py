"""Which noise levels to choose (Song & Ermon 2020, Section 3; techniques 1 and 2, Proposition 2).

The largest level sigma_1 must be so wide that chains go from image to image: the largest distance between two images
(`pairwise_distances`). The levels between it and the least one, sigma_L, form a geometric ladder (`common.dynamics.paths.ladder`)
of so small a ratio g that samples of one level lie where the network has learned the level before.

In D dimensions noise of width sigma lies near a sphere: its norm is nearly N(sqrt(D) sigma, sigma^2 / 2) (Proposition 2). The
mass that one level puts within three standard deviations of the sphere of the level before, g times as wide, is thus

    Phi(sqrt(2 D) (g - 1) + 3 g) - Phi(sqrt(2 D) (g - 1) - 3 g)

which is the same at all levels. The paper asks for a mass of about 1/2; every ladder that it runs has
0.567 (0.5662 to 0.5670).
"""

import math
from typing import TypeVar

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammainc, ndtr

from common.errors import SettingsError

MASS = 0.567  # of all published ladders; with 1/2 they would have about 6 % fewer levels
SHELL = 3.0  # standard deviations to either side
LEAST_DIMENSIONS = 5

Numbers = TypeVar("Numbers", float, np.ndarray)


def norm_below(norm: Numbers, dim: int, sigma: float = 1.0) -> Numbers:
    """Return P(|x| <= norm) for x ~ N(0, sigma^2 I) in `dim` dimensions, exactly: |x| / sigma has a chi distribution."""
    return gammainc(dim / 2, (norm / sigma) ** 2 / 2)


def shell_mass(dim: int, ratio: float) -> float:
    """Return the mass that a level puts on the shell of the level before, `ratio` times as wide (technique 2)."""
    shift = math.sqrt(2 * dim) * (ratio - 1)
    # of the upper tail, where nothing cancels
    return float(ndtr(SHELL * ratio - shift) - ndtr(-SHELL * ratio - shift))


def ratio_of_levels(dim: int, mass: float = MASS) -> float:
    """Return the ratio of neighbouring levels whose `shell_mass` in `dim` dimensions is `mass`.

    Raises `SettingsError` for a mass that no ratio has, and for fewer than 5 dimensions: there the shell of three standard
    deviations is all of the space, however wide the ratio.
    """
    if dim < LEAST_DIMENSIONS:
        raise SettingsError(
            f"{dim} dimensions: below {LEAST_DIMENSIONS} a level lies on the shell of the level before whatever their ratio, so "
            "technique 2 has no solution; choose the ladder by hand, common.dynamics.paths.ladder with a ratio of 1.3 to 2"
        )
    most = shell_mass(dim, 1.0)
    if not 0 < mass < most:
        raise SettingsError(f"mass = {mass:g}: must be above 0 and below {most:.4f}, that of a level on its own shell")
    root = math.sqrt(2 * dim)
    nothing_left = (root + 40) / (root - SHELL)  # where the mass is below Phi(-40), which is 0 in double precision
    return brentq(lambda ratio: shell_mass(dim, ratio) - mass, 1.0, nothing_left, xtol=1e-14)


def levels_needed(sigma_max: float, sigma_min: float, ratio: float) -> float:
    """Return how many levels of this ratio lead from sigma_max to sigma_min, both included, before rounding."""
    return 1 + math.log(sigma_max / sigma_min) / math.log(ratio)


def number_of_levels(sigma_max: float, sigma_min: float, dim: int, mass: float = MASS) -> int:
    """Return the number of levels of technique 2, rounded down as all published ones are, at least 2.

    Raises `SettingsError` as `ratio_of_levels` does, and unless 0 < sigma_min < sigma_max.
    """
    if not 0 < sigma_min < sigma_max:
        raise SettingsError(f"sigma_min = {sigma_min:g}: must be above 0 and below the largest noise level, {sigma_max:g}")
    return max(2, int(levels_needed(sigma_max, sigma_min, ratio_of_levels(dim, mass))))
