"""The reversible rivals on flat data: Real NVP (Dinh et al. 2017) and a flow in the manner of Glow (Kingma & Dhariwal 2018).

A coupling leaves one half of the columns as it is and moves the other by a network of the first,

    b' = exp(l(a)) b + t(a),    log|det| = sum of l(a),

the halves taking turns; they are the columns of even and of odd number. Glow puts a learned full matrix W = L (U + diag(s))
before each coupling, with L unit and U strictly triangular, so that log|det W| = sum of log|s| (Kingma & Dhariwal, eqs. 10 and
11; their fixed permutation of the rows would make one random rotation of another). Both map data to the base N(0, I).

What layers of a kind have in common is kept in one tensor, and l and t come from one network.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Generator, Tensor, nn
from torch.nn.functional import logsigmoid, relu

from common.dynamics.paths import STANDARD_NORMAL
from common.errors import SettingsError
from common.runs.settings import Settings


class CouplingSettings(Settings):
    """A coupling flow: `linear` makes it Glow's, otherwise it is Real NVP.

    `scale` is what a coupling multiplies by: the authors' sigmoid(s + 2), which cannot stretch, or Real NVP's exp(g tanh(s)) with
    learned g, which begins as the identity.
    """

    linear: bool
    layers: PositiveInt = 10
    hidden: tuple[PositiveInt, ...] = (64, 64)
    scale: Literal["sigmoid", "tanh"] = "tanh"

    def build(self, dim: int, *, generator: Generator) -> "CouplingFlow":
        """Return an untrained flow on `dim` columns. Raises `SettingsError` if there are not two."""
        return CouplingFlow(dim, self, generator=generator)


class CouplingFlow(nn.Module):
    """Couplings in turn, before each of them a matrix if the settings say so."""

    def __init__(self, dim: int, settings: CouplingSettings, *, generator: Generator) -> None:
        super().__init__()
        if dim < 2:
            raise SettingsError(f"a coupling moves one half of the columns by the other: it needs 2 columns, not {dim}")
        self.dim, self.layers, self.scale = dim, settings.layers, settings.scale
        sizes = (dim + 1) // 2, dim // 2
        counts = (settings.layers + 1) // 2, settings.layers // 2
        # layer 0 moves the second half, layer 1 the first, and so on
        self.networks = nn.ModuleList(
            _Networks(count, kept, moved, settings, generator)
            for count, kept, moved in zip(counts, sizes, reversed(sizes))
            if count
        )
        self.matrices = _Matrices(settings.layers, dim, generator) if settings.linear else None

    def to_base(self, x: Float[Tensor, "batch dim"]) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, " batch"]]:
        """Return the base points of x and log|det| of the map's Jacobian there."""
        halves = [x[:, ::2], x[:, 1::2]]
        matrices = self.matrices().unbind(0) if self.matrices else []
        log_scales = []
        for k, network in enumerate(self._in_turn()):
            if matrices:
                halves = list((torch.cat(halves, 1) @ matrices[k]).tensor_split([(self.dim + 1) // 2], 1))
            log_scale, shift = self._scale_and_shift(network, halves[k % 2])
            halves[1 - k % 2] = torch.addcmul(shift, halves[1 - k % 2], log_scale.exp())
            log_scales.append(log_scale)
        log_det = torch.cat(log_scales, 1).sum(1)
        return torch.cat(halves, 1), log_det + self.matrices.log_det() if self.matrices else log_det

    def from_base(self, z: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Return the points whose base points are z."""
        halves = list(z.tensor_split([(self.dim + 1) // 2], 1))
        inverses = torch.linalg.inv(self.matrices()).unbind(0) if self.matrices else []
        for k, network in reversed(list(enumerate(self._in_turn()))):
            log_scale, shift = self._scale_and_shift(network, halves[k % 2])
            halves[1 - k % 2] = (halves[1 - k % 2] - shift) * (-log_scale).exp()
            if inverses:
                halves = list((torch.cat(halves, 1) @ inverses[k]).tensor_split([(self.dim + 1) // 2], 1))
        x = torch.empty_like(z)
        x[:, ::2], x[:, 1::2] = halves
        return x

    def log_density(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, " batch"]:
        """Return the log-density at x in nats."""
        z, log_det = self.to_base(x)
        return STANDARD_NORMAL.prior_log_density(z) + log_det

    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator) -> Float[Tensor, "n dim"]:
        """Return n points drawn from the flow."""
        like = next(self.parameters())
        z = torch.randn(n, self.dim, generator=generator, device=generator.device, dtype=like.dtype)
        return self.from_base(z.to(like.device))

    def _in_turn(self) -> list["Layers"]:
        """Return every layer's network, first to last."""
        networks = [each.unbound() for each in self.networks]
        return [networks[k % 2][k // 2] for k in range(self.layers)]

    def _scale_and_shift(self, network: "Layers", kept: Tensor) -> tuple[Tensor, Tensor]:
        """Return l and t of a coupling, each of the size of the half that is moved."""
        (*inner, last), factor = network
        for weight, bias in inner:
            kept = relu(torch.addmm(bias, kept, weight))
        raw, shift = torch.addmm(last[1], kept, last[0]).chunk(2, 1)
        if self.scale == "sigmoid":
            return logsigmoid(raw + 2), shift
        # tanh(s) = 2 sigmoid(2 s) - 1, which is computed faster
        return torch.addcmul(-factor, 2 * factor, torch.sigmoid(2 * raw)), shift


# a coupling's network: weight and bias of each of its layers, and the factor g of its scale
Layers = tuple[Sequence[tuple[Tensor, Tensor]], Tensor]


class _Networks(nn.Module):
    """The networks of the couplings that move the same half, side by side; as they begin, l(a) = l(0) and t = 0."""

    def __init__(self, count: int, kept: int, moved: int, settings: CouplingSettings, generator: Generator) -> None:
        super().__init__()
        widths = [kept, *settings.hidden, 2 * moved]

        def uniform(inputs: int, *shape: int) -> nn.Parameter:
            return nn.Parameter((2 * torch.rand(count, *shape, generator=generator) - 1) / math.sqrt(inputs))

        self.weights = nn.ParameterList(uniform(i, i, o) for i, o in pairwise(widths))
        self.biases = nn.ParameterList(uniform(i, o) for i, o in pairwise(widths))
        self.factor = nn.Parameter(torch.ones(count, moved), requires_grad=settings.scale == "tanh")
        nn.init.zeros_(self.weights[-1])
        nn.init.zeros_(self.biases[-1])

    def unbound(self) -> list[Layers]:
        """Return the networks one by one."""
        weights = zip(*(weight.unbind(0) for weight in self.weights))
        biases = zip(*(bias.unbind(0) for bias in self.biases))
        return [(list(zip(w, b)), factor) for w, b, factor in zip(weights, biases, self.factor.unbind(0))]


class _Matrices(nn.Module):
    """The matrices of all layers, as they begin random rotations."""

    def __init__(self, layers: int, dim: int, generator: Generator) -> None:
        super().__init__()
        rotations = torch.linalg.qr(torch.randn(layers, dim, dim, generator=generator)).Q
        _, lower, upper = torch.linalg.lu(rotations)  # less its permutation, a rotation still
        diagonal = upper.diagonal(dim1=1, dim2=2)
        self.lower, self.upper = nn.Parameter(lower.tril(-1)), nn.Parameter(upper.triu(1))
        self.log_scale = nn.Parameter(diagonal.abs().log())
        self.register_buffer("sign", diagonal.sign())

    def forward(self) -> Float[Tensor, "layers dim dim"]:
        """Return L (U + diag(s)) of every layer; a row x becomes x W."""
        unit = torch.eye(self.lower.shape[1], dtype=self.lower.dtype, device=self.lower.device)
        diagonal = torch.diag_embed(self.sign * self.log_scale.exp())
        return (self.lower.tril(-1) + unit) @ (self.upper.triu(1) + diagonal)

    def log_det(self) -> Float[Tensor, ""]:
        """Return the sum of the layers' log|det|."""
        return self.log_scale.sum()
