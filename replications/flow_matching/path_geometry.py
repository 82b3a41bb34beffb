"""How sample paths run from noise to data: straight or curved, early or late, past their end (Figures 2, 3, 6, 8)."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.paths import GaussianPath
from common.runs.folders import row
from replications.flow_matching.conditional_flow_matching import conditional_field

TOO_FAR = 0.01  # of a path's whole way: what counts as passing its end


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


def direction_cosine(path: GaussianPath, x0: Float[Tensor, "batch 2"], noise: Float[Tensor, "batch 2"]) -> float:
    """Return the smallest cosine between a conditional field's directions at two times of one conditional path, on average.

    1 for a field whose direction never changes (the paper's OT path); time is kept off both ends.
    """
    fields = []
    for t in np.linspace(0.05, 0.95, 19):
        t = torch.full((len(noise),), float(t), dtype=noise.dtype)
        fields.append(conditional_field(path, path.perturb(x0, t, noise), x0, t))
    directions = torch.nn.functional.normalize(torch.stack(fields), dim=-1)
    return float(torch.einsum("tbd,sbd->tsb", directions, directions).amin((0, 1)).mean())


def overshoot_share(path: GaussianPath, x0: Float[Tensor, "batch 2"], noise: Float[Tensor, "batch 2"]) -> float:
    """Return the share of conditional paths that pass their end point by more than TOO_FAR of the way, and must turn back.

    How far a path has come is measured along the straight line from its start, the noise, to its end near x_0.
    """
    times = torch.linspace(1, path.t_min, 201, dtype=noise.dtype)
    states = torch.stack([path.perturb(x0, t, noise) for t in times])
    way = states[-1] - states[0]
    come = ((states - states[0]) * way).sum(-1) / way.square().sum(-1)
    return float((come.amax(0) > 1 + TOO_FAR).double().mean())
