"""Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019): torch's own update rule and kernels without its optimiser class.

`torch.optim.Adam` imports torch's compiler when it is made, more than a second of every process that trains, and its step spends
as long on groups and hooks as the kernel of a small network takes. The functions that it calls are torch's functional interface.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw

from common.learning.training.settings import TrainSettings

NAMES = ("exp_avg", "exp_avg_sq", "step")  # torch's, in a saved state


class Adam:
    """Moves parameters by their gradients; with `settings.weight_decay` it is AdamW."""

    def __init__(self, parameters: Iterable[nn.Parameter], settings: TrainSettings, device: torch.device) -> None:
        fused = device.type in ("cpu", "cuda")
        counts = {"device": device if fused else "cpu"}
        self._rows = [(each, torch.zeros_like(each), torch.zeros_like(each), torch.zeros((), **counts)) for each in parameters]
        self._rule = adamw if settings.weight_decay else adam
        self._options: dict[str, Any] = {
            "fused": fused or None,
            "amsgrad": False,
            "maximize": False,
            "beta1": settings.betas[0],
            "beta2": settings.betas[1],
            "weight_decay": settings.weight_decay,
            "eps": settings.epsilon,
        }

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every parameter that has a gradient; for the others no time passes."""
        moved = [(parameter, parameter.grad, *state) for parameter, *state in self._rows if parameter.grad is not None]
        if moved:
            parameters, gradients, means, squares, counts = map(list, zip(*moved))
            self._rule(parameters, gradients, means, squares, [], counts, lr=learning_rate, **self._options)

    def state_dict(self) -> dict[str, dict[int, dict[str, Tensor]]]:
        """Return what `load_state_dict` needs to go on, as torch's Adam arranges it."""
        return {"state": {place: dict(zip(NAMES, state)) for place, (_, *state) in enumerate(self._rows)}}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state, this one's or torch's, which has nothing of a parameter that never moved."""
        for place, saved in state["state"].items():
            for name, mine in zip(NAMES, self._rows[place][1:]):
                mine.copy_(saved[name])
