"""A residual multilayer perceptron with time conditioning, for flat or flattened small data.

Each block adds W2 silu(W1 h + b(t)) to its input: two matrix products and little else, because a network of this size is bound by
the overhead of its operations and not by arithmetic. The fastest frequency of the time embedding is low: adaptive solvers follow
every wiggle that the network has in time.
"""

from math import prod

from jaxtyping import Float
from torch import Tensor, nn

from common.nets.embedding import SinusoidalEmbedding


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
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Float[Tensor, "batch *shape"], t: Float[Tensor, " batch"]) -> Float[Tensor, "batch *shape"]:
        """Return the network's output, of x's shape."""
        h = self.enter(x.flatten(1))
        shifts = self.time(self.embed(t)).chunk(len(self.first), dim=1)
        for first, second, shift in zip(self.first, self.second, shifts):
            h = h + second(nn.functional.silu(first(nn.functional.silu(h)) + shift))
        return self.leave(nn.functional.silu(h)).reshape(x.shape)


def parameter_count(net: nn.Module) -> int:
    """Return how many numbers are trained."""
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)
