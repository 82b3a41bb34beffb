"""Models that are exact: the distribution of the data is known, so denoiser, score and velocity are known on any path.

Solvers and likelihoods are judged against these first: no training, no model error.
"""

import math

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Answers, Quantity, Time, as_time
from common.dynamics.paths import GaussianPath, broadcast


class GaussianMixture(Answers):
    """A mixture of isotropic Gaussians: weights [k], means [k, dim], stds [k]; data and states are [batch, dim].

    At time t component k is N(alpha m_k, v_k I) with v_k = alpha^2 s_k^2 + sigma^2, so with its posterior weight r_k(x)

        score = sum_k r_k (alpha m_k - x) / v_k        E[x_0 | x] = sum_k r_k (sigma^2 m_k + alpha s_k^2 x) / v_k

    Both are sums of well-scaled terms: nothing cancels where sigma is tiny, as (alpha E[x_0 | x] - x) / sigma^2 would.
    """

    known_times: Tensor | None = None

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

    def _components(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the components' variances at t [k, batch or 1] and their log joint densities [k, batch].

        The short axes come first, here and below: a sum over two neighbours in memory costs several times more.
        """
        alpha, sigma = self.path.alpha(t).reshape(1, -1), self.path.sigma(t).reshape(1, -1)
        means, stds, weights = (part.to(x) for part in (self.means, self.stds, self.weights))
        spread = (alpha * stds[:, None]).square() + sigma.square()
        # |x - alpha m|^2 without a [dim, k, batch] tensor would cancel digits near the data; the mixtures here are small
        distance = (x.T[:, None] - alpha * means.T[:, :, None]).square().sum(0)
        log_weights = weights.log()[:, None]
        return spread, log_weights - 0.5 * (distance / spread + x.shape[1] * torch.log(2 * math.pi * spread))

    def _precision(self, x: Tensor, t: Tensor) -> Tensor:
        """Return r_k(x) / v_k, [k, batch]."""
        spread, log_joint = self._components(x, t)
        return log_joint.softmax(0) / spread

    def _denoised(self, x: Tensor, t: Tensor, precision: Tensor) -> Tensor:
        alpha, sigma = broadcast(self.path.alpha(t), x), broadcast(self.path.sigma(t), x)
        of_x = (precision * self.stds.to(x).square()[:, None]).sum(0)[:, None]
        return sigma.square() * (precision.T @ self.means.to(x)) + alpha * of_x * x

    def _score(self, x: Tensor, t: Tensor, precision: Tensor) -> Tensor:
        return broadcast(self.path.alpha(t), x) * (precision.T @ self.means.to(x)) - precision.sum(0)[:, None] * x

    def log_density(self, x: Float[Tensor, "batch dim"], t: Time = 0.0) -> Float[Tensor, " batch"]:
        """Return log p_t(x) in nats, p_t being the marginal of the path (with its sigma at t = 0 too)."""
        return self._components(x, as_time(t, x))[1].logsumexp(0)

    def answer(self, quantity: Quantity, x: Float[Tensor, "batch dim"], t: Time) -> Float[Tensor, "batch dim"]:
        """Return any of the four quantities, each from well-scaled sums."""
        t = as_time(t, x)
        precision = self._precision(x, t)
        if quantity == "data":
            return self._denoised(x, t, precision)
        score = self._score(x, t, precision)
        if quantity == "score":
            return score
        if quantity == "noise":
            return -broadcast(self.path.sigma(t), x) * score
        denoised, sigma = self._denoised(x, t, precision), self.path.sigma(t)
        return broadcast(self.path.alpha_dot(t), x) * denoised - broadcast(self.path.sigma_dot(t) * sigma, x) * score

    def sample(self, n: int, *, generator: Generator) -> Float[Tensor, "n dim"]:
        """Return data drawn from the mixture itself, on the generator's device."""
        weights, means, stds = (part.to(generator.device) for part in (self.weights, self.means, self.stds))
        which = torch.multinomial(weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, means.shape[1], generator=generator, device=means.device, dtype=means.dtype)
        return means[which] + stds[which, None] * noise


def gaussian(path: GaussianPath, mean: Float[Tensor, " dim"], std: float) -> GaussianMixture:
    """Return the oracle of data N(mean, std^2 I)."""
    one = torch.ones(1, dtype=mean.dtype)
    return GaussianMixture(path, weights=one, means=mean[None], stds=std * one)


class EmpiricalDistribution(Answers):
    """The training set itself as a distribution: data [n, *shape]; the denoiser is a softmax over data points.

    `chunk` states are handled at once, so memory is chunk * n numbers. Distances are taken in float64, since they are divided by
    sigma^2, unless `dtype` says otherwise: where data points are many sigma apart, float32 finds the same ones in half the time.
    Noise, score and velocity follow from the denoiser.
    """

    prediction: Quantity = "data"
    known_times: Tensor | None = None

    def __init__(
        self, path: GaussianPath, data: Float[Tensor, "n *shape"], chunk: int = 1024, dtype: torch.dtype = torch.float64
    ) -> None:
        self.path, self.data, self.chunk, self.dtype = path, data, chunk, dtype

    def predict(self, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
        """Return E[x_0 | x_t = x], a convex combination of data points."""
        states, data = x.to(self.dtype).flatten(1), self.data.to(x.device, self.dtype).flatten(1)
        times = as_time(t, states).expand(len(x))
        parts = [self._denoised(*part, data) for part in zip(states.split(self.chunk), times.split(self.chunk))]
        return torch.cat(parts).to(x.dtype).reshape(x.shape)

    def _denoised(self, x: Tensor, t: Tensor, data: Tensor) -> Tensor:
        alpha, variance = self.path.alpha(t)[:, None], self.path.sigma(t).square()[:, None]
        # |x - alpha d|^2 up to the term |x|^2, which the softmax does not see
        distance = alpha.square() * data.square().sum(1) - 2 * alpha * (x @ data.T)
        return (-0.5 * distance / variance).softmax(1) @ data
