"""The variational autoencoder whose posterior is moved by a flow (FFJORD, Section 4.3, eq. 10).

    z_0 ~ N(mu(x), diag sigma^2(x)),    z_K = flow(z_0; x)
    -ELBO = E[ -log p(x | z_K) + log q(z_0 | x) - log p(z_K) - log|det dz_K/dz_0| ]

All of log q is sampled, also the entropy of z_0 that has a closed form: it cancels noise of log p(z_K).
"""

import math
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Integer
from torch import Generator, Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, softplus

from common.dynamics.paths import STANDARD_NORMAL

Pixels = Literal["binary", "categorical"]
GREY_VALUES = 256
OUTPUTS = {"binary": 1, "categorical": GREY_VALUES}  # numbers per pixel that a decoder must give
# bounds of the posterior's variance on grey images, whose sharp likelihood lets it run away (the Sylvester VAE's)
VARIANCE = {"binary": (1e-6, math.inf), "categorical": (0.01, 7.0)}


class Bound(NamedTuple):
    """One sample's negative ELBO per image, in nats, in its two parts, and the evaluations of a field."""

    reconstruction: Float[Tensor, " batch"]  # -log p(x | z_K)
    divergence: Float[Tensor, " batch"]  # log q(z_K | x) - log p(z_K)
    nfe: float

    @property
    def negative_elbo(self) -> Float[Tensor, " batch"]:
        """-ELBO in nats."""
        return self.reconstruction + self.divergence


class VAE(nn.Module):
    """Encoder, posterior's flow and decoder; images are 0/1 ("binary") or grey values 0 ... 255 ("categorical")."""

    def __init__(
        self, encoder: nn.Module, flow: nn.Module, decoder: nn.Module, *, features: int, latent: int, pixels: Pixels
    ) -> None:
        super().__init__()
        self.encoder, self.flow, self.decoder = encoder, flow, decoder
        self.posterior = nn.Linear(features, 2 * latent)
        self.latent, self.pixels = latent, pixels

    def encode(
        self, images: Integer[Tensor, "batch channels y x"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"], Float[Tensor, "batch features"]]:
        """Return mean and variance of q(z_0 | x), and the feature that moves the flow."""
        scale = 1 if self.pixels == "binary" else GREY_VALUES - 1
        feature = self.encoder(images.to(self.posterior.weight) / scale)
        mean, raw = self.posterior(feature).chunk(2, 1)
        return mean, softplus(raw).clamp(*VARIANCE[self.pixels]), feature

    def forward(self, images: Integer[Tensor, "batch channels y x"], generator: Generator, *, exact: bool = True) -> Bound:
        """Return the bound at one z_0 per image, drawn from `generator`; with `exact` the flow's trace is no estimate."""
        mean, variance, feature = self.encode(images)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        moved = self.flow(torch.addcmul(mean, variance.sqrt(), noise), feature, generator, exact)
        log_start = STANDARD_NORMAL.prior_log_density(noise) - 0.5 * variance.log().sum(1)
        divergence = log_start - moved.log_det - STANDARD_NORMAL.prior_log_density(moved.z)
        return Bound(-self.log_likelihood(images, moved.z), divergence, moved.nfe)

    def log_likelihood(
        self, images: Integer[Tensor, "batch channels y x"], z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, " batch"]:
        """Return log p(x | z) in nats."""
        outputs = self.decoder(z)
        if self.pixels == "binary":
            logits = outputs[:, 0]
            losses = binary_cross_entropy_with_logits(logits, images.to(logits), reduction="none")
        else:
            losses = cross_entropy(outputs, images.long(), reduction="none")
        return -losses.flatten(1).sum(1)


def bits_per_dim(nats: Float[Tensor, "*batch"], dim: int) -> Float[Tensor, "*batch"]:
    """Return nats per image of `dim` discrete pixels as bits per pixel: what grey images are reported in."""
    return nats / (dim * math.log(2))


@torch.no_grad()
def held_out_bound(
    model: VAE, images: Integer[Tensor, "n channels y x"], *, samples: int, batch: int, generator: Generator
) -> Bound:
    """Return each image's bound, exact trace, its parts means over `samples` of z_0, and the mean NFE of a batch."""
    drawn = [[model(part, generator) for _ in range(samples)] for part in images.split(batch)]
    reconstruction, divergence = (
        torch.cat([torch.stack([bound[part] for bound in bounds]).mean(0) for bounds in drawn]) for part in (0, 1)
    )
    counts = [bound.nfe for bounds in drawn for bound in bounds]
    return Bound(reconstruction, divergence, sum(counts) / len(counts))


def held_out(
    model: VAE, images: Integer[Tensor, "n channels y x"], *, samples: int, batch: int, generator: Generator
) -> tuple[Float[Tensor, " n"], float]:
    """Return each image's negative ELBO in nats and the mean NFE of a batch, as `held_out_bound` has them."""
    bound = held_out_bound(model, images, samples=samples, batch=batch, generator=generator)
    return bound.negative_elbo, bound.nfe
