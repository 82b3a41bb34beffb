"""A mixture of narrow Gaussians in many dimensions, whose score is exact, and how much noise a sampler leaves around it.

The modes lie far apart and are as narrow as the last noise of a sampler, so what a sampler does wrong is seen in the distance of
its samples from the nearest centre: no network, no finite sample of data to compare with. In few dimensions or with wide modes
every sampler would look the same.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Answering, Time, as_time
from common.dynamics.paths import GaussianPath, broadcast, ve, vp

STD = 0.01  # of the modes
SIGMA_MIN = 0.01
RANGES = {"vp": (-1.0, 1.0), "ve": (0.0, 1.0)}  # of the centres' components: the published ranges of pixels


class Narrow(NamedTuple):
    """The mixture on an SDE: its exact score, its centres, the last time of sampling."""

    sde: str
    model: Answering
    centres: Float[Tensor, "modes dim"]
    eps: float

    @property
    def times(self) -> Float[Tensor, "2"]:
        """Where sampling starts and ends."""
        return torch.tensor([1.0, self.eps], dtype=torch.float64)

    @property
    def exact(self) -> float:
        """The residual of exact samples at the last time, denoised: s^2 / (s^2 + sigma^2 / alpha^2) of the modes' variance."""
        alpha, sigma = (float(schedule(self.times[1])) for schedule in (self.model.path.alpha, self.model.path.sigma))
        return (STD**2 / (STD**2 + (sigma / alpha) ** 2)) ** 0.5

    def residual(self, x: Float[Tensor, "n dim"]) -> float:
        """Return the root mean square distance to the nearest centre over s sqrt(d): 1 for data, `exact` for exact samples."""
        nearest = torch.cdist(x.double(), self.centres.to(x.device)).amin(1)
        return float((nearest.square().mean() / x.shape[1]).sqrt() / STD)

    def starts(self, n: int, generator: Generator) -> Float[Tensor, "n dim"]:
        """Return samples of the SDE's prior, in single precision: its rounding is far below the modes' width."""
        return self.model.path.prior_sample((n, self.centres.shape[1]), generator=generator, dtype=torch.float32)

    def exact_samples(self, n: int, generator: Generator) -> Float[Tensor, "n dim"]:
        """Return samples of an error-free sampler: data noised to the last time, and denoised."""
        which = torch.randint(len(self.centres), (n,), generator=generator)
        data, noise = torch.randn(2, n, self.centres.shape[1], generator=generator, dtype=torch.float64)
        t = self.times[1]
        return self.model.denoised(self.model.path.perturb(self.centres[which] + STD * data, t, noise), float(t))


def narrow(sde: str, eps: float, *, dim: int = 256, modes: int = 10, sigma_max: float = 50.0, generator: Generator) -> Narrow:
    """Return a mixture with random centres on the VP or the VE path; centres are uniform in the range of pixels there."""
    low, high = RANGES[sde]
    centres = low + (high - low) * torch.rand(modes, dim, generator=generator, dtype=torch.float64)
    path = vp() if sde == "vp" else ve(SIGMA_MIN, sigma_max)
    return Narrow(sde, exact_score(path, centres, STD), centres, eps)


def exact_score(path: GaussianPath, centres: Float[Tensor, "modes dim"], std: float) -> Answering:
    """Return the exact model of modes of one weight and one standard deviation.

    Its score is (alpha E[m | x] - x) / v with v = alpha^2 std^2 + sigma^2. Since one v serves all modes, |x|^2 drops out of the
    posterior of m, and a matrix product gives the rest: in float64 as exact as common's mixture of any modes, and ten times
    faster in hundreds of dimensions.
    """

    def score(x: Float[Tensor, "batch dim"], t: Time) -> Float[Tensor, "batch dim"]:
        t, means = as_time(t, x), centres.to(x)
        alpha = broadcast(path.alpha(t), x)
        spread = (alpha * std).square() + broadcast(path.sigma(t).square(), x)
        log_weights = alpha / spread * (x @ means.T - 0.5 * alpha * means.square().sum(1))
        return (alpha * (log_weights.softmax(1) @ means) - x) / spread

    return Answering(path, "score", score)
