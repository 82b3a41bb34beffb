"""How far samples are from a distribution whose characteristic function is known: no reference sample, so a low, exact floor.

The maximum mean discrepancy with a Gaussian kernel of width l is the distance of characteristic functions over frequencies
w ~ N(0, I / l^2) (Rahimi & Recht 2007):

    MMD^2 = E_w |phi_n(w) - phi(w)|^2,    phi_n(w) = mean over samples of exp(i w x)

n samples of the distribution itself read E_w (1 - |phi(w)|^2) / n, which is the floor.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Generator, Tensor

from common.dynamics.oracles import GaussianMixture
from common.dynamics.paths import vp

Frequencies = Float[Tensor, "count dim"]
OfFrequencies = Complex[Tensor, " count"]


class Target(NamedTuple):
    """Frequencies, and the characteristic function of the distribution there."""

    frequencies: Frequencies
    values: OfFrequencies

    def mmd(self, x: Float[Tensor, "n dim"]) -> float:
        """Return the MMD of samples, not its square."""
        found = torch.exp(1j * (x.double() @ self.frequencies.T)).mean(0)
        return float((found - self.values).abs().square().mean().sqrt())

    def floor(self, n: int) -> float:
        """Return the root mean square of what n samples of the distribution itself read."""
        return float(((1 - self.values.abs().square()).mean() / n).sqrt())


def target(
    characteristic: Callable[[Frequencies], OfFrequencies], dim: int, width: float, count: int, *, generator: Generator
) -> Target:
    """Return `count` random frequencies of a kernel of this width, and the characteristic function there."""
    frequencies = torch.randn(count, dim, generator=generator, dtype=torch.float64) / width
    return Target(frequencies, characteristic(frequencies))


def of_mixture(mixture: GaussianMixture) -> Callable[[Frequencies], OfFrequencies]:
    """Return the characteristic function of a mixture's data: sum_k w_k exp(i w m_k - s_k^2 |w|^2 / 2)."""
    weights, means, stds = (part.double() for part in (mixture.weights, mixture.means, mixture.stds))

    def values(frequencies: Frequencies) -> OfFrequencies:
        exponents = 1j * (frequencies @ means.T) - 0.5 * frequencies.square().sum(1, keepdim=True) * stds.square()
        return (weights * torch.exp(exponents)).sum(1)

    return values


def of_eight_gaussians(frequencies: Frequencies) -> OfFrequencies:
    """Return the characteristic function of the eight Gaussians on a circle."""
    angles = torch.arange(8, dtype=torch.float64) * (torch.pi / 4)
    means = 4 / 1.414 * torch.stack([angles.cos(), angles.sin()], 1)
    stds = torch.full((8,), 0.5 / 1.414, dtype=torch.float64)
    return of_mixture(GaussianMixture(vp(), weights=torch.ones_like(stds), means=means, stds=stds))(frequencies)


def of_checkerboard(frequencies: Frequencies) -> OfFrequencies:
    """Return the characteristic function of the board: that of its eight cells' centres, times sinc w_1 sinc w_2."""
    places = torch.arange(-3.0, 4.0, 2.0, dtype=torch.float64)
    centres = torch.cartesian_prod(places, places)
    dark = (torch.div(centres + 4, 2, rounding_mode="floor").sum(1) % 2) == 0
    of_cell = torch.sinc(frequencies / torch.pi).prod(1)
    return torch.exp(1j * (frequencies @ centres[dark].T)).mean(1) * of_cell


BOARDS: dict[str, Callable[[Frequencies], OfFrequencies]] = {
    "checkerboard": of_checkerboard,
    "eight_gaussians": of_eight_gaussians,
}
