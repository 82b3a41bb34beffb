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
        self, x: Float[Tensor, "length models batch inputs_and_one"], state: Tensor | None = None
    ) -> Float[Tensor, "length models batch hidden"]:
        """Return the hidden states h, as (1 + h) / 2; the last of the inputs is 1 where a series has begun (`aligned`).

        Zeros drive a model that has not begun, and tanh(0 + U 0) = 0: it waits in the state 0 without further ado.
        """
        inward = 2 * torch.cat([self.inward, self.bias], 1).transpose(1, 2)
        recurrent = 4 * self.recurrent.transpose(1, 2)
        before = 0.5 * inward.new_ones(*inward.shape[:2], x.shape[2]) if state is None else state.transpose(1, 2)
        return _Unrolled.apply(x.transpose(2, 3), before, inward, recurrent).transpose(2, 3)

    def read(self, states: Float[Tensor, "*length models batch hidden"]) -> Float[Tensor, "*length models batch outputs"]:
        """Return the read-out of hidden states that are given as (1 + h) / 2."""
        outward = self.outward.transpose(1, 2)
        offset = self.out_bias.transpose(1, 2) - outward.sum(2, keepdim=True)
        return (2 * outward @ states.transpose(-1, -2) + offset).transpose(-1, -2)


class _Unrolled(torch.autograd.Function):
    """The recurrence s_k = sigmoid(W x_k + R (s_{k-1} - 1/2)), with its gradient in closed form: autograd records every step.

    As tanh(a) = 2 sigmoid(2 a) - 1, the states s = (1 + h) / 2 of h_k = tanh(V x_k + U h_{k-1}) follow it with W = 2 V and
    R = 4 U, and a sigmoid costs a CPU a quarter of what a tanh does. The batch stands in the last dimension, where small
    products are fastest.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, state: Tensor, inward: Tensor, recurrent: Tensor) -> Tensor:
        states = state.new_empty(len(x) + 1, *state.shape)
        states[0].copy_(state)
        # what drives a state stands in its place until it is computed
        torch.matmul(inward, x, out=states[1:])
        states[1:].sub_(recurrent.sum(2, keepdim=True) / 2)
        before, *others = states.unbind(0)
        for after in others:
            before = after.baddbmm_(recurrent, before).sigmoid_()
        ctx.save_for_backward(x, states, inward, recurrent)
        return states[1:]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, states, inward, recurrent = ctx.saved_tensors
        inner = torch.empty_like(states[1:])
        a, g, s = inner.unbind(0), gradient.unbind(0), states[1:].unbind(0)
        transposed, carried = recurrent.transpose(1, 2).contiguous(), torch.zeros_like(states[0])
        for k in range(len(a) - 1, -1, -1):
            torch.ops.aten.sigmoid_backward.grad_input(carried.add_(g[k]), s[k], grad_input=a[k])
            torch.bmm(transposed, a[k], out=carried)
        to_x = inward.transpose(1, 2) @ inner if ctx.needs_input_grad[0] else None
        to_recurrent = (inner @ states[:-1].transpose(2, 3)).sum(0) - inner.sum((0, 3))[..., None] / 2
        return to_x, carried, (inner @ x.transpose(2, 3)).sum(0), to_recurrent


def aligned(parts: Sequence[Float[Tensor, "batch length inputs"]]) -> Float[Tensor, "longest models batch inputs_and_one"]:
    """Return series of different lengths as one tensor that ends where they end, zeros in front and a one beside every input."""
    longest = max(part.shape[1] for part in parts)
    marked = [nn.functional.pad(part, (0, 1), value=1.0) for part in parts]
    padded = [nn.functional.pad(part, (0, 0, longest - part.shape[1], 0)) for part in marked]
    return torch.stack(padded).permute(2, 0, 1, 3)
