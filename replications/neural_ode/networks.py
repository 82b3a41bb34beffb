"""The three classifiers of Table 1: one stem and one head, between them six residual blocks or one ODE block.

They follow the authors' later example, since the paper gives no layers: with a stem of strided convolutions the ODE-Net has
208 266 parameters and the ResNet 576 778, with a stem of residual blocks 232 970 and 601 482 (the paper: 0.22 and 0.60 million).
"""

from functools import cache
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from common.learning.nets.build import seeded
from common.runs.settings import Settings
from replications.neural_ode.adjoint import Solve, solve_ode, solve_ode_adjoint
from replications.neural_ode.solvers import Counting, adaptive, unit_interval

RESIDUAL_BLOCKS = 6
DENSE_GRID = 12  # points up to which a convolution is computed as a dense matrix


class NetworkSettings(Settings):
    """A classifier's size; what stands between stem and head is the experiment's to choose."""

    stem: Literal["conv", "residual"] = Field(description="how the image is brought to a smaller grid")
    width: Annotated[int, Field(ge=2, multiple_of=2)] = Field(description="channels")
    downsamplings: PositiveInt = Field(default=2, description="how often the stem halves the grid")
    activation: Literal["relu", "softplus"] = Field(default="relu", description="inside the ODE's field")
    pool: bool = Field(default=True, description="average over the grid before the last layer")


def norm(width: int) -> nn.GroupNorm:
    """Return group normalisation with two channels a group (the example's 32 groups at 64 channels)."""
    return nn.GroupNorm(width // 2, width)


class Convolution(nn.Conv2d):
    """A 3x3 convolution that keeps the grid; where the grid is a few points it is computed as the dense matrix that it then is.

    On a CPU that takes two thirds of the time of a convolution with so little to slide over.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, h: Float[Tensor, "batch inputs y x"]) -> Float[Tensor, "batch outputs y x"]:
        """Return the convolution of h with zeros around it."""
        points = h.shape[2] * h.shape[3]
        if points > DENSE_GRID or h.device.type != "cpu":
            return super().forward(h)
        by_pair = (self.weight.flatten(2) @ reach(*h.shape[2:]).to(h)).unflatten(2, (points, points))
        matrix = by_pair.transpose(1, 2).reshape(points * self.out_channels, -1)
        bias = None if self.bias is None else self.bias.repeat_interleave(points)
        return nn.functional.linear(h.flatten(1), matrix, bias).view(len(h), -1, *h.shape[2:])


@cache
def reach(height: int, width: int) -> Float[Tensor, "9 pairs"]:
    """Return 1 where a 3x3 kernel's weight leads from one point of a grid (second of a pair) to another (first), else 0."""
    points = torch.cartesian_prod(torch.arange(height), torch.arange(width))
    down, right = (points[None] - points[:, None] + 1).flatten(0, 1).unbind(1)
    weight = torch.where((down - 1).abs().maximum((right - 1).abs()) <= 1, 3 * down + right, -1)
    return (torch.arange(9)[:, None] == weight).float()


class ResidualBlock(nn.Module):
    """Pre-activation block h + conv(relu(norm(conv(relu(norm(h)))))), halving the grid where `stride` is 2."""

    def __init__(self, width: int, stride: int = 1) -> None:
        super().__init__()
        self.norms = nn.ModuleList([norm(width), norm(width)])
        shrinks = stride > 1
        self.first = nn.Conv2d(width, width, 3, stride, 1, bias=False) if shrinks else Convolution(width, width, bias=False)
        self.second = Convolution(width, width, bias=False)
        self.shortcut = nn.Conv2d(width, width, 1, stride, bias=False) if shrinks else None

    def forward(self, h: Float[Tensor, "batch width y x"]) -> Float[Tensor, "batch width y2 x2"]:
        """Return the next hidden state (eq. 1)."""
        ready = torch.relu(self.norms[0](h))
        skip = h if self.shortcut is None else self.shortcut(ready)
        return skip + self.second(torch.relu(self.norms[1](self.first(ready))))


class ConvolutionalField(nn.Module):
    """f(t, z): norm-activation-conv twice and a last norm, the time entering each convolution as a constant channel."""

    def __init__(self, width: int, activation: Literal["relu", "softplus"]) -> None:
        super().__init__()
        self.activation = getattr(nn.functional, activation)
        self.norms = nn.ModuleList([norm(width) for _ in range(3)])
        self.convolutions = nn.ModuleList([Convolution(width + 1, width) for _ in range(2)])

    def forward(self, t: Float[Tensor, "*items"], z: Float[Tensor, "batch width y x"]) -> Float[Tensor, "batch width y x"]:
        """Return dz/dt (eq. 2) at one time for all, or at a time for each item, [batch, 1, 1, 1]."""
        for normalise, convolution in zip(self.norms, self.convolutions):
            z = self.activation(normalise(z))
            z = convolution(torch.cat([t.expand(len(z), 1, *z.shape[2:]), z], dim=1))
        return self.norms[2](z)


class ODEBlock(nn.Module):
    """The state at time 1 of dz/dt = f(t, z) with z(0) = input (eq. 3); `evaluations` are those of the last forward pass.

    `adjoint` chooses between the adjoint (ODE-Net) and gradients through the solver's operations (RK-Net). `solve` may be
    replaced at any time: solver and tolerance are no part of what was learnt.
    """

    def __init__(self, field: nn.Module, solve: Solve, *, adjoint: bool) -> None:
        super().__init__()
        self.field, self.solve, self.adjoint = Counting(field), solve, adjoint
        self.evaluations = 0

    def forward(self, z: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
        """Return the state at the end of the block; the field's counter starts again at 0 and goes on counting backwards."""
        self.field.calls = 0
        method = solve_ode_adjoint if self.adjoint else solve_ode
        end = method(self.field, z, unit_interval(z), self.solve)[-1]
        self.evaluations = self.field.calls
        return end

    @property
    def backward_evaluations(self) -> int:
        """Evaluations since the forward pass ended: those of the backward pass, once it has run."""
        return self.field.calls - self.evaluations


class Classifier(nn.Module):
    """stem -> body -> head; returns logits."""

    def __init__(self, stem: nn.Module, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.stem, self.body, self.head = stem, body, head

    def forward(self, images: Float[Tensor, "batch channels y x"]) -> Float[Tensor, "batch classes"]:
        """Return the classes' logits."""
        return self.head(self.body(self.stem(images)))


class ClassifierSettings(Settings):
    """Everything needed to build a classifier again."""

    kind: Literal["resnet", "rk_net", "ode_net"] = Field(description="what stands between stem and head")
    network: NetworkSettings
    shape: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(description="channels, height, width of an image")
    classes: PositiveInt = 10
    tolerance: PositiveFloat = Field(default=1e-3, description="atol = rtol of dopri5 in the ODE block")

    def build(self, seed: int) -> Classifier:
        """Return an untrained classifier; the kinds share the weights of their stem, which depend on `seed` alone."""
        return seeded(seed, self._built)

    def _built(self) -> Classifier:
        width = self.network.width
        stem = _stem(self.network, self.shape[0])
        if self.kind == "resnet":
            body = nn.Sequential(*(ResidualBlock(width) for _ in range(RESIDUAL_BLOCKS)))
        else:
            field = ConvolutionalField(width, self.network.activation)
            body = ODEBlock(field, adaptive("dopri5", self.tolerance), adjoint=self.kind == "ode_net")
        return Classifier(stem, body, self._head(stem))

    def _head(self, stem: nn.Module) -> nn.Sequential:
        width = self.network.width
        grid = 1 if self.network.pool else stem(torch.zeros(1, *self.shape)).shape[-1]
        layers = [norm(width), nn.ReLU(), nn.AdaptiveAvgPool2d(grid), nn.Flatten(), nn.Linear(width * grid**2, self.classes)]
        return nn.Sequential(*layers)


def _stem(settings: NetworkSettings, channels: int) -> nn.Sequential:
    width, times = settings.width, settings.downsamplings
    if settings.stem == "residual":
        return nn.Sequential(nn.Conv2d(channels, width, 3), *(ResidualBlock(width, stride=2) for _ in range(times)))
    shrink = [[norm(width), nn.ReLU(), nn.Conv2d(width, width, 4, 2, 1)] for _ in range(times)]
    return nn.Sequential(nn.Conv2d(channels, width, 3), *(layer for layers in shrink for layer in layers))
