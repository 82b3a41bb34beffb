"""When samplers ask: each method's usual times, from the noise end of any path to where its noise is small.

    evenly      in t, as Euler-Maruyama, predictors, DDIM and ancestral sampling are run
    log_snr     evenly in log(alpha / sigma), as DPM-Solver's own grid
    karras      evenly in (sigma / alpha)^(1/7), from 80 down at most, EDM's (Karras 2022, eq. 5)

A network of noise levels is asked at its own, as many of them as there are points, spread evenly over the ladder.
"""

import torch

from common.dynamics.answers import Answers
from common.dynamics.paths import GaussianPath
from common.dynamics.samplers.edm import karras_times, noise_ratio, time_of_ratio
from common.dynamics.samplers.loop import Times
from common.errors import UnsupportedModelError

# where the last denoising evaluation is asked: the published times of score-based models, and sigma = 1e-3 on the straight path
END = {"ve": 1e-5, "vp": 1e-3, "sub_vp": 1e-3, "ot": 1e-3}
LARGEST_RATIO = 80.0  # EDM's sigma_max


def end_of(path: GaussianPath) -> float:
    """Return the last time at which samplers ask."""
    return END.get(path.name, path.t_min)


def evenly(path: GaussianPath, points: int, start: float | None = None) -> Times:
    """Return evenly spaced times, from `start` or the largest time at which the path's SDE is finite."""
    return torch.linspace(path.t_max if start is None else start, end_of(path), points, dtype=torch.float64)


def log_snr(path: GaussianPath, points: int) -> Times:
    """Return times evenly spaced in the logarithm of the signal-to-noise ratio."""
    ends = torch.tensor([path.t_max, end_of(path)], dtype=torch.float64)
    first, last = noise_ratio(path, ends).log()
    ratios = torch.lerp(first, last, torch.linspace(0, 1, points, dtype=torch.float64)).exp()
    return torch.cat([ends[:1], time_of_ratio(path, ratios[1:-1]), ends[1:]])


def karras(path: GaussianPath, points: int) -> Times:
    """Return EDM's times; where the path's own noise grows beyond the method's largest, they start later."""
    latest = time_of_ratio(path, torch.tensor(LARGEST_RATIO, dtype=torch.float64))
    return karras_times(path, points - 1, t_min=end_of(path), t_max=min(path.t_max, float(latest)))


def known_or(model: Answers, grid: Times) -> Times:
    """Return the grid for a model of all times, and as many of its own levels' times for a network of noise levels.

    Raises `UnsupportedModelError` if it has fewer levels than the grid has points.
    """
    known = model.known_times
    if known is None:
        return grid
    if len(grid) > len(known):
        raise UnsupportedModelError(
            f"it asks at {len(grid)} times, once at each, but this network knows {len(known)} discrete noise levels only"
        )
    return known[torch.linspace(0, len(known) - 1, len(grid), dtype=torch.float64).round().long()]
