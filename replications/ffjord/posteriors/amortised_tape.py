"""Evaluations of an amortised field during one solve, and their backward pass.

Values come stage by stage, a block's traces together. On the way back a stage costs one product and one multiplication per layer,

    g_h = (W + U V^T)^T g_a,    g_a = sigma'(a) g_h + sigma''(a) d trace / d sigma'

and what belongs to the layers' own tensors waits for the end of the solve, when all evaluations are rows of one product: with
weights of their own for every image, adding up gradients at each evaluation costs more than the evaluation.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class AmortisedTape:
    """What one solve evaluates of an `AmortisedField`; the solver's states are [dim, batch]."""

    def __init__(self, field: Any) -> None:
        self.field, self.recorded = field, False
        self.parameters = tuple(part for part in field.constants if part.requires_grad)
        self.totals: list[Tensor | None] = [None] * len(self.parameters)

    def block(self, times: Float[Tensor, " times"], traced: slice) -> "AmortisedBlock":
        """Return a block of evaluations to come at the times, of which those in `traced` need their traces."""
        return AmortisedBlock(self, times, traced)

    def add(self, found: Sequence[Tensor | None]) -> None:
        """Add gradients of the parameters; None stands for none."""
        self.totals = [new if old is None else old if new is None else old + new for old, new in zip(self.totals, found)]

    def gradients(self, blocks: Sequence["AmortisedBlock"]) -> tuple[Tensor | None, ...]:
        """Return the gradients of `parameters` after every block was pulled."""
        # a solve's last evaluation leads nowhere and was not pulled
        pulled = [row for block in blocks for row in zip(block.times, block.inputs, block.of_outputs) if row[2]]
        if self.parameters and pulled:
            times, inputs, of_outputs = zip(*pulled)
            times = torch.stack(times)[:, None]
            inputs, of_outputs = ([torch.cat(parts, 1) for parts in zip(*rows)] for rows in (inputs, of_outputs))
            with torch.enable_grad():
                outputs = [layer.at(times, h) for layer, h in zip(self.field.layers, inputs)]
            self.add(_pulled(outputs, self.parameters, of_outputs))
        return tuple(self.totals)


class AmortisedBlock:
    """Evaluations at a few times: the states are set one after another, then come the traces, then what is pulled back.

    `inputs` and `of_outputs` hold, per evaluation, what every layer was given and the gradients of what it made.
    """

    def __init__(self, tape: AmortisedTape, times: Tensor, traced: slice) -> None:
        self.tape, self.times, self.traced = tape, times, traced
        self.layers, self.activation = tape.field.layers, tape.field.activation
        with torch.no_grad():
            # [batch or 1, times, outputs], per time
            self.shifts = [torch.addcmul(layer.shift, layer.time, times[:, None]).split(1, 1) for layer in self.layers]
        self.inputs: list[list[Tensor]] = []
        self.preactivations: list[list[Tensor]] = []
        self.of_outputs: list[list[Tensor]] = [[] for _ in times]

    def slope(self, stage: int, z: Float[Tensor, "dim batch"], out: Float[Tensor, "dim batch"]) -> None:
        """Write dz/dt at one of the block's times."""
        with torch.no_grad():
            inputs, preactivations = [z.T.contiguous()[:, None]], []
            for layer, shift in zip(self.layers[:-1], self.shifts):
                preactivations.append(layer.linear(inputs[-1], shift[stage]))
                inputs.append(self.activation.value(preactivations[-1]))
            out.copy_(self.layers[-1].linear(inputs[-1], self.shifts[-1][stage])[:, 0].T)
        self.inputs.append(inputs)
        self.preactivations.append(preactivations)

    def traces(self) -> Float[Tensor, "traced batch"]:
        """Return the traces of the evaluations in `traced`, once all are made."""
        self.h = [torch.cat(parts, 1) for parts in list(zip(*self.inputs))[1:]]
        with torch.no_grad():
            self.slopes = [self.activation.slope(torch.cat(parts, 1), h) for parts, h in zip(zip(*self.preactivations), self.h)]
        del self.preactivations
        with torch.set_grad_enabled(self.tape.recorded):
            self.leaves = [slope[:, self.traced].requires_grad_(self.tape.recorded) for slope in self.slopes]
            self.trace = self.tape.field.trace(self.leaves)
        return self.trace.detach().T

    def pull_traces(self, share: Float[Tensor, "traced batch"]) -> None:
        """Bring the gradient of the traces to the preactivations; called before any `pull`."""
        found = _pulled([self.trace], (*self.leaves, *self.tape.parameters), [share.T])
        self.tape.add(found[len(self.leaves) :])
        self.of_preactivations = []
        for h, slope, of_slope in zip(self.h, self.slopes, found):
            part = torch.zeros_like(slope)
            part[:, self.traced] = of_slope * self.activation.curvature(h, slope)[:, self.traced]
            self.of_preactivations.append(part.split(1, 1))
        self.by_stage = [slope.split(1, 1) for slope in self.slopes]
        del self.trace, self.leaves

    def pull(self, stage: int, g: Float[Tensor, "dim batch"]) -> Float[Tensor, "dim batch"]:
        """Return the gradient that reaches a stage's state, through its slope (gradient g) and its trace."""
        of_outputs = [g.T.contiguous()[:, None]]
        for i in range(len(self.slopes) - 1, -1, -1):
            of_h = self.layers[i + 1].transposed(of_outputs[0])
            of_outputs.insert(0, torch.addcmul(self.of_preactivations[i][stage], self.by_stage[i][stage], of_h))
        self.of_outputs[stage] = of_outputs
        return self.layers[0].transposed(of_outputs[0])[:, 0].T


def _pulled(outputs: Sequence[Tensor], inputs: Sequence[Tensor], gradients: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
    """Return the gradients of the inputs, None where no output depends on one."""
    pairs = [(output, gradient) for output, gradient in zip(outputs, gradients) if output.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    outputs, gradients = zip(*pairs)
    return torch.autograd.grad(outputs, inputs, gradients, allow_unused=True)
