"""The latent ODE: a variational autoencoder whose latent path solves an ODE (Chen 2018, Section 5, eq. 11-13, 53).

    z_0 ~ N(0, I);    dz/dt = f(z), f without time;    x_i ~ N(decoder(z(t_i)), s^2)
    q(z_0 | x) = N(mu, diag sigma^2) from a recurrent network that reads (x_i, t_i - t_{i-1}) backwards in time, t_0 = 0

Models for several numbers of observations are kept side by side along a dimension `models`; they see the same series.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from common.dynamics.samplers.ode import integrate
from replications.neural_ode.autonomous_solve import Solution, solve
from replications.neural_ode.recurrent import StackedRNN, aligned
from replications.neural_ode.spirals import STEP


class Posterior(NamedTuple):
    """Mean and log-variance of q(z_0 | observations)."""

    mean: Float[Tensor, "models batch latent"]
    log_variance: Float[Tensor, "models batch latent"]

    def sample(self, noise: Float[Tensor, "models batch latent"]) -> Float[Tensor, "models batch latent"]:
        """Return mu + sigma noise, through which gradients flow."""
        return self.mean + (0.5 * self.log_variance).exp() * noise


class LatentODE(nn.Module):
    """Encoder, field and decoder of `models` latent ODEs; one hidden layer in the field and in the decoder."""

    def __init__(
        self, models: int, *, dim: int = 2, latent: int = 4, hidden: int = 20, encoder: int = 25, generator: Generator
    ) -> None:
        super().__init__()

        def layer(inputs: int, outputs: int) -> tuple[nn.Parameter, nn.Parameter]:
            weight = torch.randn(models, inputs, outputs, generator=generator) * inputs**-0.5
            return nn.Parameter(weight), nn.Parameter(torch.zeros(models, 1, outputs))

        self.latent = latent
        self.encoder = StackedRNN(models, dim + 1, encoder, 2 * latent, generator=generator)
        self.w1, self.b1 = layer(latent, hidden)
        self.w2, self.b2 = layer(hidden, latent)
        self.decoder1, self.decoder_bias1 = layer(latent, hidden)
        self.decoder2, self.decoder_bias2 = layer(hidden, dim)

    def inputs(
        self, x: Float[Tensor, "batch window dim"], indices: Sequence[Int[Tensor, "batch observations"]]
    ) -> Float[Tensor, "longest models batch inputs_and_one"]:
        """Return what the encoders read, each its own observations alone: those of `x` at its `indices`, backwards."""
        return aligned([backwards(x, chosen) for chosen in indices])

    def encode(self, inputs: Float[Tensor, "longest models batch inputs_and_one"]) -> Posterior:
        """Return every model's posterior from its `inputs`.

        It is never wider than the prior: an exponential without a bound makes gradients a thousand times their usual size.
        """
        mean, precision = self.encoder.read(self.encoder(inputs)[-1]).chunk(2, -1)
        return Posterior(mean, -nn.functional.softplus(precision))

    def solve(self, z: Float[Tensor, "models batch latent"], *, span: float, steps: int) -> Solution:
        """Return the latent paths from time 0 to `span`."""
        return solve(z, (self.w1, self.b1, self.w2, self.b2), span=span, steps=steps)

    def field(self, z: Float[Tensor, "models batch latent"]) -> Float[Tensor, "models batch latent"]:
        """Return dz/dt, for solvers that want a function."""
        return torch.baddbmm(self.b2, torch.tanh(torch.baddbmm(self.b1, z, self.w1)), self.w2)

    @torch.no_grad()
    def adaptive(
        self, z: Float[Tensor, "models batch latent"], times: Float[Tensor, " times"], *, tolerance: float
    ) -> Float[Tensor, "times models batch latent"]:
        """Return latent paths from times[0] through all `times` by dopri5 in float64: what measurements use."""
        exact = deepcopy(self).double()
        return integrate(lambda t, state: exact.field(state), z, times, method="dopri5", rtol=tolerance, atol=tolerance)

    def decode(self, z: Float[Tensor, "times models batch latent"]) -> Float[Tensor, "times models batch dim"]:
        """Return the mean of x at latent states."""
        # models first, times into the batch: two products for everything
        flat = z.transpose(0, 1).flatten(1, 2)
        hidden = torch.baddbmm(self.decoder_bias1, flat, self.decoder1).relu()
        return torch.baddbmm(self.decoder_bias2, hidden, self.decoder2).unflatten(1, (len(z), -1)).transpose(0, 1)


def backwards(x: Float[Tensor, "batch window dim"], indices: Int[Tensor, "batch n"]) -> Float[Tensor, "batch n inputs"]:
    """Return the observations (x_i, t_i - t_{i-1}) in reversed order of time; the first gap starts at time 0."""
    seen = x.gather(1, indices[..., None].expand(-1, -1, x.shape[-1]))
    gaps = STEP * indices.diff(dim=1, prepend=torch.zeros_like(indices[:, :1])).to(x)
    return torch.cat([seen, gaps[..., None]], -1).flip(1)


def observed_mask(indices: Sequence[Int[Tensor, "batch n"]], window: int) -> Float[Tensor, "window models batch 1"]:
    """Return 1 where a model observes a series and 0 elsewhere: the likelihood on the union of all times."""
    masks = [torch.zeros(len(i), window, device=i.device).scatter_(1, i, 1.0) for i in indices]
    return torch.stack(masks).permute(2, 0, 1)[..., None]


def gaussian_kl(posterior: Posterior) -> Float[Tensor, "models batch"]:
    """Return KL(q || N(0, I)) in nats: 1/2 sum(mu^2 + sigma^2 - 1 - log sigma^2)."""
    mean, log_variance = posterior
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1)


def negative_elbo(
    decoded: Float[Tensor, "window models batch dim"],
    x: Float[Tensor, "batch window dim"],
    mask: Float[Tensor, "window models batch 1"],
    posterior: Posterior,
    noise: float,
) -> Float[Tensor, " models"]:
    """Return the mean negative ELBO in nats per observed number, less the Gaussians' constant: squared errors, and KL."""
    numbers = decoded.shape[-1] * mask.sum((0, 3))
    errors = (mask * (decoded - x.transpose(0, 1)[:, None]).square()).sum((0, 3))
    return ((errors / (2 * noise**2) + gaussian_kl(posterior)) / numbers).mean(1)
