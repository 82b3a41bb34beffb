"""The settings of a VAE: its coders, its latent, and one of the five posteriors of Table 3."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import nn

from common.learning.nets.build import seeded
from common.runs.settings import Settings
from replications.ffjord.posteriors.amortised_flow import AmortisedFFJORD
from replications.ffjord.posteriors.inverse_autoregressive import InverseAutoregressive
from replications.ffjord.posteriors.posterior_flows import AmortisedPlanar, AmortisedSylvester, NoFlow
from replications.ffjord.posteriors.vae import OUTPUTS, VAE, Pixels
from replications.ffjord.posteriors.vae_networks import CoderSettings, Shape
from replications.ffjord.solving.solve import SolverSettings


class NoFlowSettings(Settings):
    """A Gaussian posterior."""

    kind: Literal["none"] = "none"

    def build(self, latent: int, features: int) -> nn.Module:
        """Return the identity."""
        return NoFlow()


class PlanarSettings(Settings):
    """Planar steps."""

    kind: Literal["planar"] = "planar"
    flows: PositiveInt = Field(description="steps")

    def build(self, latent: int, features: int) -> nn.Module:
        """Return an untrained flow."""
        return AmortisedPlanar(latent, features, self.flows)


class IAFSettings(Settings):
    """Inverse autoregressive steps."""

    kind: Literal["iaf"] = "iaf"
    flows: PositiveInt = Field(description="steps")
    hidden: PositiveInt = Field(description="units of a masked layer")
    layers: PositiveInt = Field(default=1, description="hidden layers of a step")

    def build(self, latent: int, features: int) -> nn.Module:
        """Return an untrained flow."""
        return InverseAutoregressive(latent, features, self.flows, self.hidden, self.layers)


class SylvesterSettings(Settings):
    """Orthogonal Sylvester steps."""

    kind: Literal["sylvester"] = "sylvester"
    flows: PositiveInt = Field(description="steps")
    columns: PositiveInt = Field(description="orthonormal columns, at most as many as the latent has dimensions")

    def build(self, latent: int, features: int) -> nn.Module:
        """Return an untrained flow."""
        return AmortisedSylvester(latent, features, self.flows, min(self.columns, latent))


class FFJORDSettings(Settings):
    """Continuous flows, amortised by a low rank or by a hypernetwork."""

    kind: Literal["ffjord"] = "ffjord"
    flows: PositiveInt = Field(description="solves, one after the other")
    hidden: tuple[PositiveInt, ...] = Field(min_length=1, description="widths of a field's hidden layers")
    rank: NonNegativeInt = Field(description="rank of what the image adds to a layer's weights; 0 = a field for all images")
    amortisation: Literal["low_rank", "full"] = Field(default="low_rank", description="full = a hypernetwork makes all weights")
    activation: Literal["tanh", "softplus"] = Field(default="softplus", description="between a field's layers")
    end_time: PositiveFloat = Field(default=0.5, description="where every solve ends")
    solver: SolverSettings

    def build(self, latent: int, features: int) -> nn.Module:
        """Return an untrained flow."""
        return AmortisedFFJORD(
            latent,
            features,
            self.flows,
            self.hidden,
            rank=self.rank,
            amortisation=self.amortisation,
            activation=self.activation,
            end_time=self.end_time,
            solver=self.solver,
        )


FlowSettings = Annotated[
    NoFlowSettings | PlanarSettings | IAFSettings | SylvesterSettings | FFJORDSettings, Field(discriminator="kind")
]


class VAESettings(Settings):
    """Everything needed to build a VAE again."""

    coders: CoderSettings
    latent: PositiveInt = Field(description="dimensions of z")
    flow: FlowSettings
    pixels: Pixels = Field(default="binary", description="likelihood: Bernoulli, or 256-way categorical")

    def build(self, shape: Shape, *, seed: int) -> VAE:
        """Return an untrained VAE for images of `shape`; encoder and decoder start the same whatever the flow."""
        return seeded(seed, lambda: self._built(shape))

    def _built(self, shape: Shape) -> VAE:
        encoder = self.coders.encoder(shape)
        decoder = self.coders.decoder(self.latent, shape, OUTPUTS[self.pixels])
        model = VAE(encoder, NoFlow(), decoder, features=self.coders.features, latent=self.latent, pixels=self.pixels)
        model.flow = self.flow.build(self.latent, self.coders.features)
        return model
