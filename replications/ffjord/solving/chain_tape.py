"""Evaluations of a chain during one solve, with their backward pass written out.

The solver asks for evaluations block by block, one block the stages of a step. Values come stage by stage, since each needs the
one before; the traces of a block come together, in a few large products. On the way back the traces' share of the gradient is
brought to the preactivations first, block by block, and what is left per stage is one product and one multiplication per layer:

    values    g_h = W^T g_a,    g_a += phi'(a) * g_h
    traces    g_A = phi'(a) * g_T,    g_T = W^T g_A,    g_a += phi''(a) * sum over tangents of g_T * A,    A = W T

Gradients of the matrices are left to the end of a block, of the layers' own parameters to the end of the solve. Autograd would
record some thirty operations per evaluation and add up as many gradients again.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from replications.ffjord.chain import (
    Affine,
    Nonlinearity,
    Seed,
    activate,
    around,
    chain,
    first_derivative,
    second_derivative,
)

LARGEST = 2**23  # numbers in one block of tangents where nothing is kept for a backward pass


class ChainTape:
    """What one solve evaluates of a chain of layers; states are [dim, batch]."""

    def __init__(self, layers: nn.ModuleList, nonlinearity: Nonlinearity, seed: Seed) -> None:
        self.layers, self.nonlinearity, self.seed, self.recorded = layers, nonlinearity, seed, False
        self.parameters = tuple(parameter for parameter in layers.parameters() if parameter.requires_grad)
        with torch.no_grad():
            self.chain = chain(layers, nonlinearity)

    def block(self, times: Float[Tensor, " times"], traced: slice) -> "ChainBlock":
        """Return a block of evaluations to come at the times, of which those in `traced` need their traces."""
        return ChainBlock(self.chain.at(times), times, self.nonlinearity, self.seed, traced, recorded=self.recorded)

    def gradients(self, blocks: Sequence["ChainBlock"]) -> tuple[Tensor, ...]:
        """Return the gradients of `parameters` after every block was pulled."""
        if not self.parameters:
            return ()
        by_block = [self.chain.pull_back(block.times, block.gradients()) for block in blocks]
        gradients = [torch.stack(parts).sum(0) for parts in zip(*by_block)]
        with torch.enable_grad():
            tensors = chain(self.layers, self.nonlinearity).tensors()
            tensors, gradients = zip(*((tensor, g) for tensor, g in zip(tensors, gradients) if tensor.requires_grad))
            return torch.autograd.grad(tensors, self.parameters, gradients)


class ChainBlock:
    """Evaluations at a few times: the states are set one after another, then come the traces, then what is pulled back."""

    def __init__(
        self, layers: list[Affine], times: Tensor, nonlinearity: Nonlinearity, seed: Seed, traced: slice, *, recorded: bool
    ) -> None:
        self.layers, self.times, self.nonlinearity, self.seed, self.traced = layers, times, nonlinearity, seed, traced
        self.recorded = recorded
        count, batch = len(times), seed.vectors.shape[-1]
        like = layers[0].weight
        # preactivations of the hidden layers, and every layer's input
        self.a = [like.new_empty(count, layer.weight.shape[1], batch) for layer in layers[:-1]]
        self.h = [like.new_empty(count, layer.weight.shape[2], batch) for layer in layers]
        self._a, self._h = [part.unbind(0) for part in self.a], [part.unbind(0) for part in self.h]
        self._maps = [(layer.bias.unbind(0), layer.weight.unbind(0)) for layer in layers]

    def slope(self, stage: int, z: Float[Tensor, "dim batch"], out: Float[Tensor, "dim batch"]) -> None:
        """Write dz/dt at one of the block's times."""
        self._h[0][stage].copy_(z)
        for a, h, x, (bias, weight) in zip(self._a, self._h[1:], self._h, self._maps):
            torch.addmm(bias[stage], weight[stage], x[stage], out=a[stage])
            activate(self.nonlinearity, a[stage], out=h[stage])
        bias, weight = self._maps[-1]
        torch.addmm(bias[stage], weight[stage], self._h[-1][stage], out=out)

    def traces(self) -> Float[Tensor, "traced batch"]:
        """Return the traces of the evaluations in `traced`, once all are made."""
        self.d = [first_derivative(self.nonlinearity, a, h) for a, h in zip(self.a, self.h[1:])]
        self._d = [part.unbind(0) for part in self.d]
        tangents, _, batch = self.seed.vectors.shape
        count = len(self.times[self.traced])
        if not tangents:
            return self.h[0].new_zeros(count, batch)
        if self.recorded:
            return self._trace(self.seed.vectors)
        widest = max(len(layer.bias[0]) for layer in self.layers)
        at_once = max(1, LARGEST // (count * widest * batch))
        return torch.stack([self._trace(part) for part in self.seed.vectors.split(at_once)]).sum(0)

    def _trace(self, vectors: Float[Tensor, "tangents features batch"]) -> Float[Tensor, "traced batch"]:
        k = len(vectors)
        seed = vectors.transpose(0, 1).flatten(1)
        count = len(self.times[self.traced])
        tangents = seed.expand(count, -1, -1)
        self.kept = []  # of every layer: its number, the tangents that it is given, and the same after its matrix
        for i in around(len(self.layers), self.seed.after):
            before, tangents = tangents, self.layers[i].weight[self.traced] @ tangents
            self.kept.append((i, before, tangents)) if self.recorded else None
            if i < len(self.d):
                tangents = (tangents.unflatten(2, (k, -1)) * self.d[i][self.traced, :, None]).flatten(2)
        return torch.linalg.vecdot(tangents, seed, dim=1).unflatten(1, (k, -1)).sum(1)

    def pull_traces(self, share: Float[Tensor, "traced batch"]) -> None:
        """Bring the gradient of the traces to the preactivations and the matrices; called before any `pull`."""
        self.g = [torch.zeros_like(a) for a in self.a] + [torch.zeros_like(self.h[0])]
        self._g = [part.unbind(0) for part in self.g]
        self.outer: list[tuple[int, Tensor, Tensor]] = []  # whose products are the traces' share of the matrices' gradients
        tangents = len(self.seed.vectors)
        if not tangents:
            return
        g = (self.seed.vectors.transpose(0, 1) * share[:, None, None]).flatten(2)
        for number, (i, before, after) in reversed(list(enumerate(self.kept))):
            if i < len(self.d):
                d = self.d[i][self.traced]
                bent = torch.linalg.vecdot(*(part.unflatten(2, (tangents, -1)) for part in (g, after)), dim=2)
                second = second_derivative(self.nonlinearity, self.a[i][self.traced], self.h[i + 1][self.traced], d)
                torch.mul(bent, second, out=self.g[i][self.traced])
                g = (g.unflatten(2, (tangents, -1)) * d[:, :, None]).flatten(2)
            self.outer.append((i, g, before))
            if number:
                g = self.layers[i].weight[self.traced].mT @ g
        del self.kept

    def pull(self, stage: int, g: Float[Tensor, "dim batch"]) -> Float[Tensor, "dim batch"]:
        """Return the gradient that reaches a stage's state, through its slope (gradient g) and its trace."""
        self._g[-1][stage].copy_(g)
        for i in range(len(self.d) - 1, -1, -1):
            g = self._maps[i + 1][1][stage].T @ self._g[i + 1][stage]
            self._g[i][stage].addcmul_(self._d[i][stage], g)
        return self._maps[0][1][stage].T @ self._g[0][stage]

    def gradients(self) -> list[Affine]:
        """Return the gradients of every layer's matrices and vectors at the block's times."""
        matrices = [g @ h.mT for g, h in zip(self.g, self.h)]
        for i, g, before in self.outer:
            matrices[i][self.traced].baddbmm_(g, before.mT)
        return [Affine(matrix, g.sum(2, keepdim=True)) for matrix, g in zip(matrices, self.g)]
