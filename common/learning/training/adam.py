"""Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019) around torch's fused step.

torch.optim.Adam does the same, bit for bit, but its first step imports torch's compiler, more than a second of every process that
trains, and it counts the steps of every parameter by itself, more than half of a small network's step.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from common.learning.training.settings import TrainSettings


class Adam:
    """The moments of every parameter's gradient, and the step that they lead to; a weight decay is decoupled from them.

    The parameters are of one type and on one device.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], settings: TrainSettings) -> None:
        self.parameters, self.settings = list(parameters), settings
        self.means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.count = torch.zeros((), device=self.parameters[0].device)

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every parameter that has a gradient."""
        self.count += 1
        moved = [part for part in zip(self.parameters, self.means, self.squares) if part[0].grad is not None]
        parameters, means, squares = map(list, zip(*moved))
        torch._fused_adamw_(
            parameters,
            [parameter.grad for parameter in parameters],
            means,
            squares,
            [],
            [self.count] * len(moved),
            lr=learning_rate,
            beta1=self.settings.betas[0],
            beta2=self.settings.betas[1],
            weight_decay=self.settings.weight_decay,
            eps=self.settings.epsilon,
            amsgrad=False,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on."""
        return {"means": self.means, "squares": self.squares, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.count.copy_(state["count"])
        for own, saved in ((self.means, state["means"]), (self.squares, state["squares"])):
            torch._foreach_copy_(own, saved)
