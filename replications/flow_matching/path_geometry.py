"""How sample paths run from noise to data: straight or curved, early or late (Figures 3, 6, 8)."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from common.runs.folders import row


def straightness(
    states: Float[Tensor, "times batch 2"], velocities: Float[Tensor, "times batch 2"], times: Float[Tensor, " times"]
) -> float:
    """Return int_0^1 E |u_t - (x_1 - x_0)|^2 dt along solved paths: 0 for straight lines at constant speed."""
    span = times[0] - times[-1]
    displacement = (states[0] - states[-1]) / span
    deviation = (velocities - displacement).square().sum(-1).mean(-1)
    return float(torch.trapezoid(deviation.flip(0), times.flip(0)))


def noise_left(states: Float[Tensor, "times batch *shape"]) -> Float[Tensor, " times"]:
    """Return E |x_t - x_data| / E |x_noise - x_data| along paths: from 1 to 0, as our t if noise goes linearly."""
    distance = (states - states[-1]).flatten(2).norm(dim=-1).mean(-1)
    return distance / distance[0]


def noise_left_rows(states: Tensor, times: Tensor, labels: dict[str, Any]) -> list[dict[str, Any]]:
    """Return how far noise removal is from linear in time, and how much noise is left half-way."""
    remaining, linear = noise_left(states), (times / times[0]).to(states)
    return [
        row("noise_left_deviation", (remaining - linear).abs().max(), **labels),
        row("noise_left_halfway", remaining[len(times) // 2], **labels),
    ]
