"""A convolutional field with Hutchinson's estimate of its trace for one solve, and what that solve evaluates.

A solver asks for evaluations block by block, one block the stages of a step. Values come stage by stage, since each needs the one
before. The tangents of a block start from the same probe and need nothing of each other, so they go through the layers together:
on grids of a few points a convolution of six batches takes little longer than one of one.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from replications.ffjord.images.conv_fields import ConvolutionalField, Maps

Gradients = list[Tensor | None]


class ProbedField(nn.Module):
    """A field and e^T J e, by the one probe e of a solve (eq. 8, 9): a `DivergenceField` with a tape of its own."""

    def __init__(self, field: ConvolutionalField, probe: Maps, shape: tuple[int, ...]) -> None:
        """`shape` is that of one image; the probe's differs where traces are taken at a bottleneck."""
        super().__init__()
        self.field, self.probe, self.shape = field, probe, shape

    def forward(self, t: Float[Tensor, ""], z: Maps) -> tuple[Maps, Float[Tensor, " batch"]]:
        """Return dz/dt and the estimate."""
        value, inner = self.field.evaluated(t, z)
        return value, self.estimates(self.probe, inner)

    def estimates(self, probes: Maps, inner: Sequence[Tensor]) -> Float[Tensor, " batch"]:
        """Return the estimates of many items with their own probes and preactivations."""
        return (probes * self.field.around(probes, inner)).flatten(1).sum(1)

    def tape(self) -> "ProbedTape":
        """Return a tape for one solve."""
        return ProbedTape(self)


class ProbedTape:
    """What one solve evaluates; states are [features, batch]. Whether it is `recorded`, the solve says."""

    def __init__(self, both: ProbedField) -> None:
        self.both, self.recorded = both, False
        self.parameters = tuple(parameter for parameter in both.parameters() if parameter.requires_grad)
        self.totals: Gradients = [None] * len(self.parameters)

    def block(self, times: Float[Tensor, " times"], traced: slice) -> "ProbedBlock":
        """Return a block of evaluations to come at the times, of which those in `traced` need their traces."""
        return ProbedBlock(self, times, traced)

    def gradients(self, blocks: Sequence["ProbedBlock"]) -> tuple[Tensor | None, ...]:
        """Return the gradients of `parameters`, which the blocks have added up."""
        return tuple(self.totals)

    def pulled(self, outputs: Sequence[Tensor], gradients: Sequence[Tensor], inputs: Sequence[Tensor]) -> Gradients:
        """Return the gradients of the inputs, and add up those of the parameters."""
        found = torch.autograd.grad(outputs, [*inputs, *self.parameters], gradients, allow_unused=True)
        for i, gradient in enumerate(found[len(inputs) :]):
            if gradient is not None:
                self.totals[i] = gradient if self.totals[i] is None else self.totals[i] + gradient
        return list(found[: len(inputs)])


class ProbedBlock:
    """Evaluations at a few times: values one after another, then the traces together, and back in the other order."""

    def __init__(self, tape: ProbedTape, times: Tensor, traced: slice) -> None:
        self.tape, self.times, self.traced = tape, times, traced
        self.kept: list[tuple[Tensor, Tensor, list[Tensor]]] = []  # of every stage: state, value, preactivations

    def slope(self, stage: int, z: Float[Tensor, "rows batch"], out: Float[Tensor, "rows batch"]) -> None:
        """Write dz/dt at one of the block's times."""
        both, recorded = self.tape.both, self.tape.recorded
        with torch.set_grad_enabled(recorded):
            maps = z.T.reshape(z.shape[1], *both.shape).detach().requires_grad_(recorded)
            self.kept.append((maps, *both.field.evaluated(self.times[stage], maps)))
        out.copy_(self.kept[-1][1].detach().flatten(1).T)

    def traces(self) -> Float[Tensor, "traced batch"]:
        """Return the traces of the evaluations in `traced`, once all values are there."""
        both, recorded, stages = self.tape.both, self.tape.recorded, self.kept[self.traced]
        layers = zip(*(inner for _, _, inner in stages))
        self.inner = [torch.cat(stages).detach().requires_grad_(recorded) for stages in layers]
        with torch.set_grad_enabled(recorded):
            estimates = both.estimates(both.probe.repeat(len(stages), 1, 1, 1), self.inner)
            self.estimates = estimates.view(len(stages), -1)
        return self.estimates.detach()

    def pull_traces(self, share: Float[Tensor, "traced batch"]) -> None:
        """Bring the gradient of the traces to the preactivations; called before any `pull`."""
        by_layer = self.tape.pulled([self.estimates], [share], self.inner)
        by_stage = zip(*(gradient.chunk(len(share)) for gradient in by_layer))
        self.share = [[] for _ in range(len(self.times) - len(share))] + [list(stage) for stage in by_stage]
        del self.estimates, self.inner

    def pull(self, stage: int, g: Float[Tensor, "rows batch"]) -> Float[Tensor, "rows batch"]:
        """Return the gradient that reaches a stage's state, through its slope (gradient g) and its trace."""
        (maps, value, inner), share = self.kept[stage], self.share[stage]
        outputs = [value, *inner[: len(share)]]
        (of_state,) = self.tape.pulled(outputs, [g.T.reshape(value.shape), *share], [maps])
        return of_state.flatten(1).T
