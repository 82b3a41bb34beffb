"""Where noise lies in many dimensions: its norm against a normal distribution, and the mass on a shell (Proposition 2).

Rows run along the dimension D:

    norm_ks      Kolmogorov-Smirnov distance of |x| - sqrt(D) sigma from N(0, sigma^2 / 2): exact, and of drawn x, whose floor is
                 what draws of that normal distribution stay below in 95 of 100 cases
    chi_ks       that of drawn |x| from their exact distribution, times the root of their number: above 2 once in 1500
    shell_mass   on the shell of the level before, at the ratio of technique 2: by its formula, exact, and of drawn x
"""

import math
from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveInt
from scipy.special import kolmogi, ndtr
from torch import Generator, Tensor

from common.runs.experiment import Context
from common.runs.folders import row
from common.runs.settings import Settings as Base
from replications.ncsnv2.noise_levels import LEAST_DIMENSIONS, SHELL, norm_below, ratio_of_levels, shell_mass

SPREAD = math.sqrt(0.5)  # standard deviation of |x|, in sigma
GRID, REACH = 4001, 8.0  # points, and standard deviations to either side, on which exact distances are taken
NUMBERS = 2**22  # at most, drawn at once


class NormSettings(Base):
    """Settings of the measurement."""

    dimensions: list[PositiveInt] = Field(description="dimensions of the noise; shells have those from 5 on")
    draws: PositiveInt = Field(description="of the noise in each dimension")


def norm_rows(settings: NormSettings, context: Context) -> list[dict[str, Any]]:
    """Return distances of the norm from its limit, and masses on shells."""
    rows, size = [], {"n": settings.draws}
    for dim in settings.dimensions:
        norms = drawn_norms(dim, settings.draws, generator=context.generator("noise", dim)).numpy()
        here = {"axis": "dimension", "at": dim}
        rows.append(row("norm_ks", exact_distance(dim), method="exact", **here))
        floor = float(kolmogi(0.05)) / math.sqrt(settings.draws)
        rows.append(row("norm_ks", ks(ndtr((norms - math.sqrt(dim)) / SPREAD)), method="drawn", floor=floor, **here, **size))
        rows.append(row("chi_ks", math.sqrt(settings.draws) * ks(norm_below(norms, dim)), method="drawn", **here, **size))
        if dim < LEAST_DIMENSIONS:
            continue
        ratio = ratio_of_levels(dim)
        inner, outer = shell(dim, ratio)
        drawn = float(((norms >= inner) & (norms <= outer)).mean())
        error = math.sqrt(drawn * (1 - drawn) / settings.draws)
        rows.append(row("shell_mass", shell_mass(dim, ratio), method="formula", **here))
        rows.append(row("shell_mass", norm_below(outer, dim) - norm_below(max(inner, 0.0), dim), method="exact", **here))
        rows.append(row("shell_mass", drawn, method="drawn", error=error, **here, **size))
    return rows


def shell(dim: int, ratio: float) -> tuple[float, float]:
    """Return the radii of the shell of the level before, in units of a level's sigma."""
    middle, half = math.sqrt(dim) * ratio, SHELL * SPREAD * ratio
    return middle - half, middle + half


def drawn_norms(dim: int, draws: int, *, generator: Generator) -> Tensor:
    """Return norms [draws] of standard normal noise in `dim` dimensions."""
    parts = torch.empty(draws).split(max(1, NUMBERS // dim))
    return torch.cat([torch.randn(len(part), dim, generator=generator).norm(dim=1) for part in parts]).double()


def exact_distance(dim: int) -> float:
    """Return the largest difference of the distribution functions of |x| and of N(sqrt(D), 1/2)."""
    z = np.linspace(-REACH, REACH, GRID)
    return float(np.abs(norm_below((math.sqrt(dim) + SPREAD * z).clip(0), dim) - ndtr(z)).max())


def ks(below: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov statistic of draws, given the distribution function at each of them."""
    below, steps = np.sort(below), np.arange(len(below) + 1) / len(below)
    return float(max((steps[1:] - below).max(), (below - steps[:-1]).max()))
