"""The loss curve: means over windows of steps, summed on the device so that no step waits for it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

POINTS = 200  # of a curve, roughly


class LossCurve:
    """Collects every step's loss."""

    def __init__(self, steps: int, device: torch.device) -> None:
        self.last, self.window = steps, max(1, steps // POINTS)
        self.done, self.total, self.means = 0, torch.zeros((), device=device), []

    def add(self, loss: Tensor) -> float | None:
        """Add one step's loss; where a window of steps ends, return its mean (and wait for the device)."""
        self.total += loss
        self.done += 1
        if self.done % self.window and self.done != self.last:
            return None
        self.means.append(float(self.total) / ((self.done - 1) % self.window + 1))
        self.total.zero_()
        return self.means[-1]

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the windows' last steps and mean losses."""
        ends = np.minimum(self.window * np.arange(1, len(self.means) + 1), self.last)
        return ends, np.array(self.means, dtype=np.float32)

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on, in the midst of a window too."""
        return {"done": self.done, "total": self.total, "means": self.means}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.done, self.means = state["done"], list(state["means"])
        self.total.copy_(state["total"])
