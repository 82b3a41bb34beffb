"""How many evaluations every image of a batch would need if it were solved alone: the depth of Figure 3d, and claim 9's rival.

Images solved one by one cost a Python loop each. Here all are stepped together and each keeps its own time, step and error, by
the rules of torchdiffeq's dopri5, whose counts these are: two evaluations to start, then six per step that is tried.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from common.errors import SolverError
from replications.neural_ode.dormand_prince import ERROR, LARGEST, NODES, ORDER, SAFETY, SMALLEST, STAGES

ATTEMPTS = 10_000  # steps of one solve


@torch.no_grad()
def evaluations_alone(field: nn.Module, z: Float[Tensor, "items *shape"], tolerance: float) -> Int[Tensor, " items"]:
    """Return dopri5's evaluations from time 0 to 1 of every item by itself, atol = rtol = `tolerance`.

    `field(t, z)` must treat its items apart and take a time for each, shaped [items, 1, ..., 1]. Raises `SolverError` when an
    item does not arrive.
    """
    time = z.new_zeros(len(z), *(1,) * (z.ndim - 1))
    slope = field(time, z)
    step = _first_step(field, z, slope, tolerance)
    counts = torch.full((len(z),), 2, device=z.device)
    going = torch.arange(len(z), device=z.device)
    for _ in range(ATTEMPTS):
        counts[going] += 6
        end, slopes = _tried(field, time, z, slope, step)
        ratio = _size(step * _weighted(ERROR, slopes) / (tolerance + tolerance * torch.maximum(z.abs(), end.abs())))
        accepted = ratio <= 1
        time = torch.where(accepted, time + step, time)
        z, slope = torch.where(accepted, end, z), torch.where(accepted, slopes[-1], slope)
        step = step * (SAFETY / ratio ** (1 / ORDER)).maximum(torch.where(ratio < 1, 1.0, SMALLEST)).clamp_max(LARGEST)
        left = (time < 1).flatten()
        if not left.any():
            return counts
        going, time, z, slope, step = going[left], time[left], z[left], slope[left], step[left]
    raise SolverError(f"dopri5 at tolerance {tolerance:g} tried {ATTEMPTS} steps before time 1; loosen it")


def _size(x: Tensor) -> Tensor:
    """Return every item's root mean square, shaped like a time."""
    return x.square().mean(tuple(range(1, x.ndim)), keepdim=True).sqrt()


def _weighted(weights: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
    return sum((weight * slope for weight, slope in zip(weights[1:], slopes[1:]) if weight), weights[0] * slopes[0])


def _tried(field: nn.Module, time: Tensor, z: Tensor, slope: Tensor, step: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the state after one step, and the slopes of all its stages, the last of which is that state's own."""
    slopes, end = [slope], z
    for node, weights in zip(NODES, STAGES):
        end = z + step * _weighted(weights, slopes)
        slopes.append(field(time + node * step, end))
    return end, slopes


def _first_step(field: nn.Module, z: Tensor, slope: Tensor, tolerance: float) -> Tensor:
    """Return the step to try first, by one evaluation more (Hairer, Norsett, Wanner: Solving ODEs I, Section II.4)."""
    scale = tolerance + z.abs() * tolerance
    state, speed = _size(z / scale), _size(slope / scale)
    trial = torch.where((state < 1e-5) | (speed < 1e-5), 1e-6, 0.01 * state / speed)
    bend = _size((field(trial, z + trial * slope) - slope) / scale) / trial
    most = torch.maximum(speed, bend)
    step = torch.where(most <= 1e-15, (1e-3 * trial).clamp_min(1e-6), (0.01 / most) ** (1 / ORDER))
    return torch.minimum(100 * trial, step)
