"""When a rival is at its best: of the states that a recurrent network's training passed through, the one that forecasts best.

The states are judged by their forecasts of series that no training saw, against the clean future, for each variant and number of
observations by itself. Neither the latent ODE's training nor the test series get such help.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from common.learning.training.run import snapshot_file
from replications.neural_ode.rnn_forecaster import Forecaster

# forecast(forecaster) -> [points, models, batch, 2]
Forecast = Callable[[Forecaster], Tensor]


class Choice(NamedTuple):
    """The best states together as one forecaster, and every state's error: [states, models]."""

    best: Forecaster
    errors: Tensor


def states(model: Forecaster, folder: Path, steps: Sequence[int]) -> list[Forecaster]:
    """Return the forecaster as it was after each of the steps, read from a run's snapshots."""
    found = []
    for step in steps:
        found.append(deepcopy(model))
        found[-1].load_state_dict(load_file(folder / snapshot_file(step, "rnn", raw=True)))
    return found


@torch.no_grad()
def best_state(passed: Sequence[Forecaster], forecast: Forecast, clean: Tensor) -> Choice:
    """Return every model's state with the smallest error against `clean`, [batch, points, 2]; the earliest of equal ones."""
    errors = torch.stack([root_mean_square(forecast(state), clean) for state in passed])
    winners = errors.argmin(0).tolist()
    best = deepcopy(passed[0])
    for parts in zip(best.parameters(), *(state.parameters() for state in passed)):
        for model, winner in enumerate(winners):
            parts[0].data[model] = parts[1 + winner][model]
    return Choice(best, errors)


def late_gain(errors: Tensor) -> Tensor:
    """Return by which factor every model's best error fell in the second half of its states; 1 = it had stopped improving."""
    half = (len(errors) + 1) // 2
    return errors[:half].amin(0) / errors.amin(0)


def root_mean_square(predicted: Tensor, clean: Tensor) -> Tensor:
    """Return every model's RMSE per coordinate; [points, models, batch, 2] against [batch, points, 2]."""
    return (predicted - clean.transpose(0, 1)[:, None]).square().mean((0, 2, 3)).sqrt()
