"""Exponential moving average of the weights: average <- d average + (1 - d) weights, once per step.

The decay d warms up as min(decay, (1 + n) / (10 + n)) at the n-th update, so that the average forgets the untrained weights.
torch's `AveragedModel` does the same, but walks the module tree and copies its counter to the device every step: half of the
loop's overhead on a small network, and a wait for the device on a GPU.
"""

from copy import deepcopy
from typing import Any

import torch
from torch import nn


class MovingAverage:
    """The averaged copy of a model; `module` is the copy."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = deepcopy(model).requires_grad_(False)
        self.decay, self.count = decay, 0
        self._pairs = list(self.module.parameters()), list(model.parameters())
        self._buffers = list(zip(self.module.buffers(), model.buffers()))

    @torch.no_grad()
    def update(self) -> None:
        """Take in the model's present weights; the first ones are copied. Buffers are not averaged but followed."""
        decay = min(self.decay, (1 + self.count) / (10 + self.count)) if self.count else 0.0
        torch._foreach_lerp_(*self._pairs, 1 - decay)
        for average, current in self._buffers:
            average.copy_(current)
        self.count += 1

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on."""
        return {"module": self.module.state_dict(), "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.module.load_state_dict(state["module"])
        self.count = state["count"]
