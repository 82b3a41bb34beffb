"""Encoders and decoders of the VAE: small MLPs, or the gated convolutions of the paper's 28-pixel images.

An encoder maps images [batch, channels, y, x] in [0, 1] to a feature vector; a decoder maps a latent to `outputs` numbers per
channel and pixel, [batch, outputs, channels, y, x].
"""

from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import glu

from common.errors import SettingsError
from common.runs.settings import Settings

Shape = tuple[int, int, int]  # channels, height, width


class MLPCoders(Settings):
    """Encoder and decoder with the same hidden layers, the decoder's in reversed order."""

    kind: Literal["mlp"] = "mlp"
    hidden: tuple[PositiveInt, ...] = Field(min_length=1, description="units of the encoder's layers; the last is its feature")

    @property
    def features(self) -> int:
        """Size of the encoder's feature."""
        return self.hidden[-1]

    def encoder(self, shape: Shape) -> nn.Module:
        """Return an untrained encoder."""
        return nn.Sequential(nn.Flatten(), *_layers(prod(shape), *self.hidden))

    def decoder(self, latent: int, shape: Shape, outputs: int) -> nn.Module:
        """Return an untrained decoder."""
        last = nn.Linear(self.hidden[0], outputs * prod(shape))
        return nn.Sequential(*_layers(latent, *reversed(self.hidden)), last, nn.Unflatten(1, (outputs, *shape)))


class GatedConvolutions(Settings):
    """Six gated convolutions each way, two of which halve or double the grid; by default the paper's and the Sylvester VAE's."""

    kind: Literal["gated_convolutions"] = "gated_convolutions"
    filters: PositiveInt = Field(default=32, description="channels at full resolution; twice as many below")
    kernel: Annotated[int, Field(ge=1)] = Field(default=5, description="width of a kernel, odd")
    features: PositiveInt = Field(default=256, description="size of the encoder's feature")

    def encoder(self, shape: Shape) -> nn.Module:
        """Return an untrained encoder; a kernel as large as the last grid makes the feature."""
        few, many, grid = self.filters, 2 * self.filters, self._grid(shape)
        plan = [(shape[0], few, 1), (few, few, 2), (few, many, 1), (many, many, 2), (many, many, 1)]
        gates = [Gated(nn.Conv2d(i, 2 * o, self.kernel, stride, self.kernel // 2)) for i, o, stride in plan]
        return nn.Sequential(*gates, Gated(nn.Conv2d(many, 2 * self.features, grid)), nn.Flatten())

    def decoder(self, latent: int, shape: Shape, outputs: int) -> nn.Module:
        """Return an untrained decoder; where a pixel has many outputs, one more convolution widens to them."""
        few, many, grid = self.filters, 2 * self.filters, self._grid(shape)
        plan = [(many, many, 1), (many, few, 2), (few, few, 1), (few, few, 2), (few, few, 1)]
        gates = [Gated(nn.ConvTranspose2d(i, 2 * o, self.kernel, stride, self.kernel // 2, stride - 1)) for i, o, stride in plan]
        wide = [nn.Conv2d(few, outputs, self.kernel, padding=self.kernel // 2)] if outputs > 1 else []
        last = nn.Conv2d(outputs if wide else few, outputs * shape[0], 1)
        start = [nn.Unflatten(1, (latent, 1, 1)), Gated(nn.ConvTranspose2d(latent, 2 * many, grid))]
        return nn.Sequential(*start, *gates, *wide, last, nn.Unflatten(1, (outputs, shape[0])))

    def _grid(self, shape: Shape) -> tuple[int, int]:
        if self.kernel % 2 == 0 or shape[1] % 4 or shape[2] % 4:
            raise SettingsError(
                f"coders: gated convolutions halve the grid twice with an odd kernel, and cannot do it with kernel {self.kernel} "
                f"on {list(shape[1:])} pixels; use kind: mlp"
            )
        return shape[1] // 4, shape[2] // 4


class Gated(nn.Module):
    """The first half of a layer's channels times the sigmoid of the second half."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, h: Float[Tensor, "batch inputs y x"]) -> Float[Tensor, "batch outputs y2 x2"]:
        """Return the gated map."""
        return glu(self.layer(h), dim=1)


def _layers(*widths: int) -> list[nn.Module]:
    return [part for inputs, outputs in pairwise(widths) for part in (nn.Linear(inputs, outputs), nn.SiLU())]


CoderSettings = Annotated[MLPCoders | GatedConvolutions, Field(discriminator="kind")]
