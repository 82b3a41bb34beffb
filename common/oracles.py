"""Models that are exact: the distribution of the data is known, so denoiser, score and velocity are known on any path.

Solvers and likelihoods are judged against these first: no training, no model error.
"""

import math

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.denoiser import Time, as_time, convert
from common.paths import GaussianPath


class _Oracle:
    """Answers noise, score and velocity by conversion from the exact posterior mean."""

    path: GaussianPath
    levels: Tensor | None = None

    def denoised(self, x: Tensor, t: Time) -> Tensor:
        raise NotImplementedError

    def noise(self, x: Tensor, t: Time) -> Tensor:
        """Return E[eps | x_t = x]."""
        return convert(self.path, "data", "noise", self.denoised(x, t), x, t)

    def score(self, x: Tensor, t: Time) -> Tensor:
        """Return the gradient of log p_t at x."""
        return convert(self.path, "data", "score", self.denoised(x, t), x, t)

    def velocity(self, x: Tensor, t: Time) -> Tensor:
        """Return the probability-flow field at x."""
        return convert(self.path, "data", "velocity", self.denoised(x, t), x, t)


class GaussianMixture(_Oracle):
    """A mixture of isotropic Gaussians: weights [k], means [k, dim], stds [k]; data and states are [batch, dim]."""

    def __init__(
        self,
        path: GaussianPath,
        *,
        weights: Float[Tensor, " k"],
        means: Float[Tensor, "k dim"],
        stds: Float[Tensor, " k"],
    ) -> None:
        self.path = path
        self.weights, self.means, self.stds = weights / weights.sum(), means, stds

    def _parts(self, x: Tensor, t: Time) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return alpha, sigma^2 [batch or 1, 1], the components' variances at t and their log joint densities [batch, k]."""
        t = as_time(t, x)
        alpha, variance = self.path.alpha(t).reshape(-1, 1), self.path.sigma(t).square().reshape(-1, 1)
        means, stds, weights = (part.to(x) for part in (self.means, self.stds, self.weights))
        spread = alpha.square() * stds.square() + variance
        # |x - alpha m|^2 without a [batch, k, dim] tensor would cancel digits near the data; the mixtures here are small
        distance = (x[:, None] - alpha[:, :, None] * means).square().sum(-1)
        log_joint = weights.log() - 0.5 * (distance / spread + x.shape[1] * torch.log(2 * math.pi * spread))
        return alpha, variance, spread, log_joint

    def log_density(self, x: Float[Tensor, "batch dim"], t: Time = 0.0) -> Float[Tensor, " batch"]:
        """Return log p_t(x) in nats, p_t being the marginal of the path (with its sigma at t = 0 too)."""
        return self._parts(x, t)[3].logsumexp(1)

    def denoised(self, x: Float[Tensor, "batch dim"], t: Time) -> Float[Tensor, "batch dim"]:
        """Return E[x_0 | x_t = x]: per component a shrunk residual, averaged with the posterior weights."""
        alpha, variance, spread, log_joint = self._parts(x, t)
        posterior = log_joint.softmax(1)
        shrink = self.stds.to(x).square() / spread
        # m + alpha s^2 (x - alpha m) / spread = m sigma^2 / spread + alpha s^2 x / spread
        from_means = (posterior * variance / spread) @ self.means.to(x)
        return from_means + (posterior * alpha * shrink).sum(1, keepdim=True) * x

    def sample(self, n: int, *, generator: Generator) -> Float[Tensor, "n dim"]:
        """Return data drawn from the mixture itself."""
        which = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator, dtype=self.means.dtype)
        return self.means[which] + self.stds[which, None] * noise


def gaussian(path: GaussianPath, mean: Float[Tensor, " dim"], std: float) -> GaussianMixture:
    """Return the oracle of data N(mean, std^2 I)."""
    one = torch.ones(1, dtype=mean.dtype)
    return GaussianMixture(path, weights=one, means=mean[None], stds=std * one)


class EmpiricalDistribution(_Oracle):
    """The training set itself as a distribution: data [n, *shape]; the denoiser is a softmax over data points.

    `chunk` states are handled at once, so memory is chunk * n numbers.
    """

    def __init__(self, path: GaussianPath, data: Float[Tensor, "n *shape"], chunk: int = 1024) -> None:
        self.path, self.data, self.chunk = path, data, chunk

    def denoised(self, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
        """Return E[x_0 | x_t = x], a convex combination of data points."""
        t = as_time(t, x).expand(len(x))
        data = self.data.to(x).flatten(1)
        parts = [self._denoised(x[i : i + self.chunk], t[i : i + self.chunk], data) for i in range(0, len(x), self.chunk)]
        return torch.cat(parts)

    def _denoised(self, x: Tensor, t: Tensor, data: Tensor) -> Tensor:
        alpha, variance = self.path.alpha(t)[:, None], self.path.sigma(t).square()[:, None]
        flat = x.flatten(1)
        # |x - alpha d|^2 up to the term |x|^2, which the softmax does not see
        distance = alpha.square() * data.square().sum(1) - 2 * alpha * (flat @ data.T)
        return ((-0.5 * distance / variance).softmax(1) @ data).reshape(x.shape)
