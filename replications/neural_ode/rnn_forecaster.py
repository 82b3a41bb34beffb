"""The rival of the latent ODE: a recurrent network that predicts the next observation (Chen 2018, Section 5.1).

It reads a series forwards and is trained by Gaussian likelihood on the next observation; beyond the last one it reads its own
predictions. One variant is also given the time to the point that it is to predict, the other one is not.

A network that has learned from every third point knows steps of that length. Rolled out point by point it sees gaps that it
hardly ever met, and the one without gaps turns three times too fast. So both are also rolled out at the pace of the
observations, one prediction for each 100 / n points, and read at the points between by linear interpolation.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from replications.neural_ode.recurrent import StackedRNN, aligned
from replications.neural_ode.spirals import STEP, WINDOW

VARIANTS = ("rnn_gaps", "rnn")  # with and without time gaps; also the order of the models


class Forecaster(nn.Module):
    """Both variants for every number of observations, side by side: first all with gaps, then all without."""

    def __init__(self, observations: Sequence[int], *, dim: int = 2, hidden: int = 25, generator: Generator) -> None:
        super().__init__()
        self.lengths = list(observations) * len(VARIANTS)
        self.rnn = StackedRNN(len(self.lengths), dim + 1, hidden, dim, generator=generator)
        sees = torch.tensor([variant == "rnn_gaps" for variant in VARIANTS for _ in observations])
        self.register_buffer("sees_gaps", sees.float()[:, None, None])

    def inputs(
        self, x: Float[Tensor, "batch window dim"], indices: Sequence[Int[Tensor, "batch n"]]
    ) -> Float[Tensor, "longest models batch inputs_and_one"]:
        """Return (x_i, t_{i+1} - t_i) in order of time; the last gap leads to the first point after the window."""
        series = aligned([forwards(x, chosen) for chosen in indices]).repeat(1, len(VARIANTS), 1, 1)
        return torch.cat([series[..., :-2], self.sees_gaps * series[..., -2:-1], series[..., -1:]], -1)

    def next_errors(self, inputs: Float[Tensor, "longest models batch inputs_and_one"]) -> Float[Tensor, " models"]:
        """Return every model's mean squared error of the next observation: its Gaussian likelihood up to constants."""
        predicted = self.rnn.read(self.rnn(inputs))
        errors = (predicted[:-1] - inputs[1:, ..., :-2]).square().mean((2, 3))
        counts = torch.tensor(self.lengths, device=errors.device) - 1
        valid = torch.arange(len(errors), device=errors.device)[:, None] >= len(errors) - counts
        return (errors * valid).sum(0) / counts

    @torch.no_grad()
    def rolled_out(
        self,
        x: Float[Tensor, "batch window dim"],
        indices: Sequence[Int[Tensor, "batch n"]],
        strides: Sequence[float],
        steps: int,
    ) -> Float[Tensor, "steps models batch dim"]:
        """Return a prediction and what follows it, each reading the one before, told that it lies `strides` points ahead."""
        state = self.rnn(self.inputs(x, indices))[-1]
        gaps = (STEP * torch.tensor(strides).to(x)[:, None, None] * self.sees_gaps).expand(-1, len(x), -1)
        found = [self.rnn.read(state)]
        for _ in range(steps - 1):
            told = torch.cat([found[-1], gaps, torch.ones_like(gaps)], -1)
            state = self.rnn(told[None], state)[-1]
            found.append(self.rnn.read(state))
        return torch.stack(found)

    def forecast(
        self, x: Float[Tensor, "batch window dim"], indices: Sequence[Int[Tensor, "batch n"]], points: int
    ) -> Float[Tensor, "points models batch dim"]:
        """Return predictions of the first `points` points after the window, rolled out point by point."""
        return self.rolled_out(x, indices, [1.0] * len(self.lengths), points)

    def paced_forecast(
        self, x: Float[Tensor, "batch window dim"], indices: Sequence[Int[Tensor, "batch n"]], points: int
    ) -> Float[Tensor, "points models batch dim"]:
        """Return predictions of the first `points` points after the window, rolled out at the pace of the observations."""
        strides = [WINDOW / n for n in self.lengths]
        knots = self.rolled_out(x, indices, strides, points + 2)
        ahead = torch.arange(points, device=x.device)[:, None].to(x)
        found = []
        for model, (stride, sees_gaps) in enumerate(zip(strides, self.sees_gaps.flatten().tolist())):
            if sees_gaps:  # the first prediction is of the first point after the window
                found.append(interpolated(knots[:, model], (ahead / stride).expand(-1, len(x))))
            else:  # the first prediction is one stride after the last observation
                last = indices[model % len(indices)][:, -1]
                path = torch.cat([x[torch.arange(len(x), device=x.device), last][None], knots[:, model]])
                found.append(interpolated(path, (WINDOW + ahead - last) / stride))
        return torch.stack(found, 1)


def interpolated(
    knots: Float[Tensor, "knots batch dim"], positions: Float[Tensor, "points batch"]
) -> Float[Tensor, "points batch dim"]:
    """Return paths, known at the positions 0, 1, 2 ..., at other positions by linear interpolation; constant beyond the end."""
    positions = positions.clamp(0, len(knots) - 1)
    left = positions.floor().long().clamp(max=len(knots) - 2)
    share = (positions - left)[..., None]
    before, after = (knots.gather(0, index[..., None].expand(-1, -1, knots.shape[-1])) for index in (left, left + 1))
    return torch.lerp(before, after, share)


def forwards(x: Float[Tensor, "batch window dim"], indices: Int[Tensor, "batch n"]) -> Float[Tensor, "batch n inputs"]:
    """Return the observations (x_i, t_{i+1} - t_i) in order of time."""
    seen = x.gather(1, indices[..., None].expand(-1, -1, x.shape[-1]))
    gaps = STEP * indices.diff(dim=1, append=torch.full_like(indices[:, :1], WINDOW)).to(x)
    return torch.cat([seen, gaps[..., None]], -1)
