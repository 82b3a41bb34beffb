"""Recurrent networks of several models side by side, for series of different lengths: encoder and rivals of the latent ODE.

    h_k = tanh(W x_k + U h_{k-1} + b)

torch's own layers hold one model each; the latent ODE's experiment trains a network for each number of observations, and one
loop over the longest series serves all of them.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn


class StackedRNN(nn.Module):
    """`models` recurrent networks with a linear read-out; a model with fewer inputs starts later, so all end together."""

    def __init__(self, models: int, inputs: int, hidden: int, outputs: int, *, generator: Generator) -> None:
        super().__init__()
        bound = hidden**-0.5

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter(bound * (2 * torch.rand(models, *shape, generator=generator) - 1))

        self.inward, self.bias = uniform(inputs, hidden), uniform(1, hidden)
        # orthogonal: over 100 steps any other matrix makes gradients vanish or explode
        square = torch.randn(models, hidden, hidden, generator=generator)
        self.recurrent = nn.Parameter(torch.linalg.qr(square).Q.contiguous())
        self.outward, self.out_bias = uniform(hidden, outputs), uniform(1, outputs)

    def forward(
        self, x: Float[Tensor, "length models batch inputs"], lengths: Sequence[int], state: Tensor | None = None
    ) -> Float[Tensor, "length models batch hidden"]:
        """Return the hidden states; of model m the last lengths[m] inputs count, and those before must be 0."""
        # zeros drive a model that has not started yet, and tanh(0 + U 0) = 0: it waits in the state 0 without further ado
        waits = len(x) - torch.tensor(list(lengths), device=x.device)
        started = torch.arange(len(x), device=x.device)[:, None] >= waits
        driven = torch.matmul(x, self.inward) + started.to(x)[..., None, None] * self.bias
        state = torch.zeros_like(driven[0]) if state is None else state
        return _Unrolled.apply(driven, state, self.recurrent)

    def read(self, hidden: Float[Tensor, "*length models batch hidden"]) -> Float[Tensor, "*length models batch outputs"]:
        """Return the read-out of hidden states."""
        return hidden @ self.outward + self.out_bias


class _Unrolled(torch.autograd.Function):
    """The recurrence, with its gradient in closed form: autograd would record and allocate at every step."""

    @staticmethod
    def forward(ctx: Any, driven: Tensor, state: Tensor, recurrent: Tensor) -> Tensor:
        states = torch.empty_like(driven)
        before = state
        for drive, after in zip(driven.unbind(0), states.unbind(0)):
            torch.baddbmm(drive, before, recurrent, out=after).tanh_()
            before = after
        ctx.save_for_backward(state, states, recurrent)
        return states

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        state, states, recurrent = ctx.saved_tensors
        inner = torch.empty_like(states)
        a, g, h = inner.unbind(0), gradient.unbind(0), states.unbind(0)
        transposed, carried = recurrent.transpose(-1, -2), torch.zeros_like(state)
        for k in range(len(a) - 1, -1, -1):
            torch.ops.aten.tanh_backward.grad_input(carried.add_(g[k]), h[k], grad_input=a[k])
            torch.bmm(a[k], transposed, out=carried)
        # one large product per model in place of a small one per step
        before = torch.cat([state[None], states[:-1]]).transpose(0, 1).flatten(1, 2)
        return inner, carried, before.transpose(-1, -2) @ inner.transpose(0, 1).flatten(1, 2)


def aligned(parts: Sequence[Float[Tensor, "batch length inputs"]]) -> Float[Tensor, "longest models batch inputs"]:
    """Return series of different lengths as one tensor that ends where they end, zeros in front."""
    longest = max(part.shape[1] for part in parts)
    padded = [nn.functional.pad(part, (0, 0, longest - part.shape[1], 0)) for part in parts]
    return torch.stack(padded).permute(2, 0, 1, 3)
