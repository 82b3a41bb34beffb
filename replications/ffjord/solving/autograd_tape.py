"""Evaluations of any field during one solve: each keeps a graph of its own, which autograd pulls back."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.divergence import DivergenceField


class AutogradTape:
    """What one solve evaluates of a field of states [batch, *shape]; the solver's are [features, batch]."""

    def __init__(self, field: DivergenceField, shape: torch.Size, parameters: Sequence[Tensor]) -> None:
        self.field, self.shape, self.recorded = field, shape, False
        self.parameters = tuple(parameter for parameter in parameters if parameter.requires_grad)
        self.totals: list[Tensor | None] = [None] * len(self.parameters)

    def block(self, times: Float[Tensor, " times"], traced: slice) -> "AutogradBlock":
        """Return a block of evaluations to come at the times."""
        return AutogradBlock(self, times, traced)

    def gradients(self, blocks: Sequence["AutogradBlock"]) -> tuple[Tensor | None, ...]:
        """Return the gradients of `parameters`, which the blocks have added up."""
        return tuple(self.totals)


class AutogradBlock:
    """Evaluations at a few times."""

    def __init__(self, tape: AutogradTape, times: Tensor, traced: slice) -> None:
        self.tape, self.times, self.traced = tape, times, traced
        self.kept: list[tuple[Tensor, Tensor, Tensor]] = []

    def slope(self, stage: int, z: Float[Tensor, "rows batch"], out: Float[Tensor, "rows batch"]) -> None:
        """Write dz/dt at one of the block's times."""
        z = z.T.reshape(self.tape.shape)
        if self.tape.recorded:
            with torch.enable_grad():
                z = z.detach().requires_grad_()
                value, trace = self.tape.field(self.times[stage], z)
        else:
            with torch.no_grad():
                value, trace = self.tape.field(self.times[stage], z)
        self.kept.append((z, value, trace))
        out.copy_(value.detach().flatten(1).T)

    def traces(self) -> Float[Tensor, "traced batch"]:
        """Return the traces, which came with the values."""
        return torch.stack([trace.detach() for _, _, trace in self.kept[self.traced]])

    def pull_traces(self, share: Float[Tensor, "traced batch"]) -> None:
        """Take the gradient of the traces; an evaluation whose trace nothing needs has none."""
        needless = len(self.times) - len(share)
        self.share: list[Tensor | None] = [None] * needless + list(share)

    def pull(self, stage: int, g: Float[Tensor, "rows batch"]) -> Float[Tensor, "rows batch"]:
        """Return the gradient of the state at a stage, and add those of the parameters."""
        (z, value, trace), share = self.kept[stage], self.share[stage]
        pairs = [(value, g.T.reshape(value.shape)), *([] if share is None else [(trace, share)])]
        outputs, gradients = zip(*((output, gradient) for output, gradient in pairs if output.requires_grad))
        of_z, *found = torch.autograd.grad(outputs, (z, *self.tape.parameters), gradients, allow_unused=True)
        totals = self.tape.totals
        for i, gradient in enumerate(found):
            if gradient is not None:
                totals[i] = gradient.clone() if totals[i] is None else totals[i].add_(gradient)
        return torch.zeros_like(g) if of_z is None else of_z.flatten(1).T
