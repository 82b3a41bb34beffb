"""A residual multilayer perceptron with time conditioning, for flat or flattened small data.

Each block adds W2 silu(W1 h + b(t)) to its input: two matrix products and little else, because a network of this size is bound by
the overhead of its operations and not by arithmetic. The fastest frequency of the time embedding is low: adaptive solvers follow
every wiggle that the network has in time.

A share of x, which depends on time, goes straight to the output. Where noise dominates, what any objective asks for is close to a
multiple of x, and the width of the blocks should not be spent on copying x: without this path, networks that predict noise or
score are far worse than those that predict velocities, which says nothing about the objectives.
"""

from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.learning.nets.embedding import SinusoidalEmbedding

PUSHED = {"cpu": 2**10}  # directions that are pushed through the network at once: of more, what is kept fits no cache
PUSHED_ELSEWHERE = 2**18


class ResidualMLP(nn.Module):
    """`net(x, t)` for x of any `shape`: `blocks` residual blocks of `width` units."""

    def __init__(self, shape: tuple[int, ...], width: int, blocks: int, embedding: int = 64) -> None:
        super().__init__()
        dim = prod(shape)
        self.embed = nn.Sequential(SinusoidalEmbedding(embedding, fastest=20.0), nn.Linear(embedding, embedding), nn.SiLU())
        self.enter = nn.Linear(dim, width)
        # the time terms of all blocks in one product
        self.time = nn.Linear(embedding, width * blocks)
        self.first = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(blocks))
        self.second = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.leave = nn.Linear(width, dim)
        # how much of x goes straight to the output, by time
        self.skip = nn.Linear(embedding, 1)
        for layer in (self.leave, self.skip):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "batch *shape"], t: Float[Tensor, " times"]) -> Float[Tensor, "batch *shape"]:
        """Return the network's output, of x's shape; t is each sample's time, or [1], the time of all."""
        flat, times = x.flatten(1), self.embed(t)
        h = self.enter(flat)
        shifts = self.time(times).chunk(len(self.first), dim=1)
        for first, second, shift in zip(self.first, self.second, shifts):
            h = h + second(nn.functional.silu(first(nn.functional.silu(h)) + shift))
        return torch.addcmul(self.leave(nn.functional.silu(h)), self.skip(times), flat).reshape(x.shape)

    @torch.no_grad()
    def divergence(self, x: Float[Tensor, "batch *shape"], t: Float[Tensor, " times"]) -> Float[Tensor, " batch"]:
        """Return the sum of the output's derivatives, each by the same coordinate of x; nothing can be differentiated in it.

        Every direction is pushed through the blocks. What the first layer makes of them is its weights, of the last one only the
        trace is needed, and the activations' slopes are shared by all directions: two thirds of the time of as many
        vector-Jacobian products.
        """
        flat, times = x.flatten(1), self.embed(t)
        h = self.enter(flat)
        slopes = []
        for first, second, shift in zip(self.first, self.second, self.time(times).chunk(len(self.first), dim=1)):
            inner = first(nn.functional.silu(h)) + shift
            slopes += [silu_slope(h), silu_slope(inner)]
            h = h + second(nn.functional.silu(inner))
        dim = flat.shape[1]
        size = max(1, PUSHED.get(x.device.type, PUSHED_ELSEWHERE) // dim)
        traces = [self._trace(*parts) for parts in zip(*(slope.split(size) for slope in [*slopes, silu_slope(h)]))]
        return torch.cat(traces) + dim * self.skip(times)[:, 0]

    def _trace(self, *slopes: Float[Tensor, "batch width"]) -> Float[Tensor, " batch"]:
        """Return the trace of the Jacobian without the direct path, given the activations' slopes in order."""
        *inside, last = (slope[:, None] for slope in slopes)
        pushed = self.enter.weight.T.repeat(len(last), 1, 1)  # [batch, directions, width]
        rows = pushed.view(-1, pushed.shape[2])
        for first, second, outer, inner in zip(self.first, self.second, inside[::2], inside[1::2]):
            step = (pushed * outer).flatten(0, 1) @ first.weight.T
            step.view(pushed.shape).mul_(inner)
            rows.addmm_(step, second.weight.T)
        return ((pushed * self.leave.weight).sum(1) * last[:, 0]).sum(1)


def silu_slope(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return the derivative of silu(x) = x sigmoid(x)."""
    gate = x.sigmoid()
    return gate * (1 + x * (1 - gate))


def parameter_count(net: nn.Module) -> int:
    """Return how many numbers a training moves; a loaded or averaged network, which is frozen, has as many."""
    return sum(parameter.numel() for parameter in net.parameters())
