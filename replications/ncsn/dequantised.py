"""How large the score of dequantised images can be: that of one image whose grey values are known, in closed form.

Its pixels are uniform over their grey value's cell, plus the level's noise. The mean squared score of such a pixel is the Fisher
information of a uniform variable plus a normal one: 1 / sigma^2 where the noise is wider than the cell, far less where it is
narrower, for inside its cell every value is as likely. No average over images has a larger score, so a norm that goes as 1/sigma
is for noise that is wider than a grey value.
"""

import math

from scipy.integrate import quad
from scipy.special import ndtr


def largest_score_norm(sigma: float, cell: float, dimensions: int) -> float:
    """Return the root mean square norm of the score of `dimensions` independent pixels, each uniform over `cell`, plus noise."""
    return math.sqrt(dimensions * fisher_information(sigma, cell))


def fisher_information(sigma: float, cell: float) -> float:
    """Return E[(d log p / dx)^2] of x = cell u + sigma z, u uniform on [0, 1), z standard normal."""

    def integrand(x: float) -> float:
        # in units of sigma; p = (ndtr(x) - ndtr(x - w)) / w, by symmetry about w / 2 with both tails on the left
        density = ndtr(x) - ndtr(x - width)
        slope = math.exp(-0.5 * x * x) - math.exp(-0.5 * (x - width) ** 2)
        return slope * slope / (2 * math.pi * density) if density > 0 else 0.0

    width = cell / sigma
    # both halves are alike; the left one's tail ends where the normal density does
    half, _ = quad(integrand, -12.0, width / 2, limit=200, points=[0.0])
    return 2 * half / width / sigma**2
