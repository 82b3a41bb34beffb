"""Continuous flows on images: a logit, flows at one scale or several, a standard normal base (Grathwohl 2019, Section 4.2).

With z the latent, x in [0, 1] the dequantised image, and flows that run from time 0 at the data to T at the base,

    log p(x) = log N(z; 0, I) + sum over flows of int_0^T div f dt + log |dy/dx|    (eq. 3; y: the logit of x) .
"""

import math
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Integer
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from common.dynamics.divergence import DivergenceField, with_exact_divergence
from common.dynamics.paths import STANDARD_NORMAL
from common.errors import SettingsError
from common.learning.data.scale import rescaled, to_unit
from common.learning.nets.build import seeded
from common.measure.metrics import density
from common.runs.settings import Settings
from replications.ffjord.images.conv_fields import ConvolutionalField, encoder_decoder, same_grid
from replications.ffjord.images.conv_tape import ProbedField
from replications.ffjord.images.logit import ALPHA, from_logit, logit
from replications.ffjord.images.multiscale import Multiscale
from replications.ffjord.solving.solve import Evaluations, SolverSettings, push
from replications.ffjord.trace_estimators import Noise, draw

Images = Float[Tensor, "batch channels y x"]
Trace = Literal["exact"] | Noise


class Encoded(NamedTuple):
    """Latents, log |dz/dx| in nats, and the evaluations of every flow, in the order they were run."""

    latent: Float[Tensor, "batch dim"]
    log_det: Float[Tensor, " batch"]
    nfe: tuple[int, ...]


class ImageFlowSettings(Settings):
    """Everything needed to build a flow on images again."""

    shape: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(description="channels, height, width of an image")
    field: Literal["same_grid", "encoder_decoder"] = Field(default="same_grid", description="kind of field")
    widths: tuple[PositiveInt, ...] = Field(min_length=1, description="channels of the convolutions (of the encoder's)")
    flows: PositiveInt = Field(default=2, description="flows before a squeeze, and as many after it")
    scales: PositiveInt | None = Field(default=None, description="blocks; as many as the images are good for unless given")
    alpha: float = Field(default=ALPHA, ge=0, lt=0.5, description="how far the logit keeps off the ends of [0, 1]")
    end_time: PositiveFloat = Field(default=1.0, description="T of every flow")
    bottleneck: bool = Field(default=False, description="estimate traces between an encoder and its decoder (eq. 9)")

    def build(self, seed: int) -> "ImageFlow":
        """Return an untrained flow, whose weights depend on `seed` alone."""
        return seeded(seed, lambda: ImageFlow(self))

    def field_on(self, shape: tuple[int, int, int]) -> ConvolutionalField:
        """Return an untrained field for maps of one shape. Raises `SettingsError` for what is asked of it in vain."""
        if self.field == "same_grid":
            if self.bottleneck:
                raise SettingsError("bottleneck: true is for an encoder and its decoder, but field is same_grid")
            return same_grid(shape[0], self.widths)
        reduced = 2 ** (len(self.widths) // 2)
        if shape[1] % reduced or shape[2] % reduced:
            raise SettingsError(
                f"{len(self.widths)} widths of an encoder divide the grid by {reduced}, which {shape[1]} x {shape[2]} is no "
                "multiple of: pad or crop the images, or give fewer widths"
            )
        return encoder_decoder(shape[0], self.widths, bottleneck=self.bottleneck)


class ImageFlow(nn.Module):
    """A normalising flow between images in [0, 1] and a standard normal latent."""

    def __init__(self, settings: ImageFlowSettings) -> None:
        super().__init__()
        self.settings, self.dim = settings, math.prod(settings.shape)
        self.flows = Multiscale(settings.shape, settings.flows, settings.field_on, settings.scales)
        self.prior = STANDARD_NORMAL
        self.evaluations = Evaluations()  # of all solves since it was last reset, summed over the flows

    def encode(
        self, x: Images, solver: SolverSettings, *, trace: Trace = "rademacher", generator: Generator | None = None
    ) -> Encoded:
        """Return the latents of images in [0, 1]; every flow's solve draws a probe of its own, unless the trace is exact."""
        y, log_det = logit(x, self.settings.alpha)
        nfe = []

        def carry(field: ConvolutionalField, y: Tensor) -> Tensor:
            nonlocal log_det
            both, parameters = traced(field, y, trace, generator), tuple(field.parameters())
            end = push(both, y, 0.0, self.settings.end_time, solver, parameters=parameters, evaluations=self.evaluations)
            log_det = log_det + end.integral
            nfe.append(end.nfe)
            return end.z

        return Encoded(self.flows.encode(y, carry), log_det, tuple(nfe))

    def log_density(
        self, x: Images, solver: SolverSettings, *, trace: Trace = "rademacher", generator: Generator | None = None
    ) -> Float[Tensor, " batch"]:
        """Return log p(x) in nats of images in [0, 1]: an estimate, unless the trace is exact."""
        encoded = self.encode(x, solver, trace=trace, generator=generator)
        return self.prior.prior_log_density(encoded.latent) + encoded.log_det

    @torch.no_grad()
    def decode(self, latent: Float[Tensor, "batch dim"], solver: SolverSettings) -> Images:
        """Return the images of latents."""

        def carry(field: ConvolutionalField, y: Tensor) -> Tensor:
            def without_trace(t: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
                return field(t, z), z.new_zeros(len(z))

            return push(without_trace, y, self.settings.end_time, 0.0, solver, evaluations=self.evaluations).z

        return from_logit(self.flows.decode(latent, carry), self.settings.alpha)

    def sample(self, n: int, solver: SolverSettings, *, generator: Generator) -> Images:
        """Return n images drawn from the model, clamped to [0, 1]."""
        weight = next(self.parameters())
        latent = self.prior.prior_sample((n, self.dim), generator=generator, device=weight.device, dtype=weight.dtype)
        return self.decode(latent, solver).clamp(0, 1)


def traced(field: ConvolutionalField, z: Images, trace: Trace, generator: Generator | None) -> DivergenceField:
    """Return a field that gives its divergence for one solve from z. Raises `SolverError` for an estimate without a generator."""
    if trace == "exact":
        return with_exact_divergence(field)
    return ProbedField(field, draw(trace, field.traced_maps(z), generator=generator), tuple(z.shape[1:]))


def dequantised(values: Integer[Tensor, "batch channels y x"], grey_values: int, *, generator: Generator) -> Images:
    """Return (v + u) / L in (0, 1), u uniform: fresh noise with every call."""
    return rescaled(to_unit(values, grey_values, generator=generator), (-1.0, 1.0), (0.0, 1.0))


def bits_per_dim(log_density: Float[Tensor, " batch"], dim: int, grey_values: int) -> Float[np.ndarray, " batch"]:
    """Return bits/dim from log-densities (nats) of dequantised images in [0, 1]: -log p / (D ln 2) + log2 L."""
    return density.bits_per_dim(log_density.detach().cpu().numpy(), dim, grey_values=grey_values, width=1.0)
