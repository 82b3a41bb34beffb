"""Exponential moving average of the weights: average <- d average + (1 - d) weights.

The decay d warms up as min(decay, (1 + n) / (10 + n)) at the n-th step, so that the average forgets the untrained weights. The
weights are taken in at every fourth step, with the product of the four decays: they hardly move in between, and reading both
copies from memory costs a small network a twentieth of its step.

torch's `AveragedModel` does the same, but walks the module tree and copies its counter to the device every step: half of the
loop's overhead on a small network, and a wait for the device on a GPU.
"""

from copy import deepcopy
from typing import Any

import torch
from torch import nn

EVERY = 4  # steps


class MovingAverage:
    """The averaged copy of a model; `module` is the copy."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = deepcopy(model).requires_grad_(False)
        self.decay, self.count, self._kept = decay, 0, 1.0
        self._pairs = list(self.module.parameters()), list(model.parameters())
        self._buffers = list(zip(self.module.buffers(), model.buffers()))

    @torch.no_grad()
    def update(self, *, last: bool = False) -> None:
        """Count a step, and at every fourth one and the `last` take in the model's present weights.

        The first ones are copied. Buffers are not averaged but followed.
        """
        self._kept *= min(self.decay, (1 + self.count) / (10 + self.count)) if self.count else 0.0
        self.count += 1
        if self.count % EVERY and not last:
            return
        torch._foreach_lerp_(*self._pairs, 1 - self._kept)
        for average, current in self._buffers:
            average.copy_(current)
        self._kept = 1.0

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on."""
        return {"module": self.module.state_dict(), "count": self.count, "kept": self._kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.module.load_state_dict(state["module"])
        self.count, self._kept = state["count"], state["kept"]
