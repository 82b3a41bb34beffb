"""The cells of a user's own sampler: as many times as its budget of evaluations allows, and the suite's last denoising step."""

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Answers
from common.dynamics.samplers.loop import Times
from common.dynamics.samplers.result import denoised_last, require_finite
from common.errors import RefusedError, SolverError
from replications.survey.cells import Cell
from replications.survey.extra import OwnSampler
from replications.survey.extra_checks import POINTS, Watched, evaluations
from replications.survey.time_grids import known_or


def own_cells(
    name: str,
    sampler: OwnSampler,
    model: Answers,
    noise: Float[Tensor, "n *shape"],
    budgets: Sequence[int],
    *,
    batch: int,
    draws: Callable[[], Generator],
) -> Iterator[Cell]:
    """Yield a cell for each budget, or one alone for a sampler that chooses its steps by itself; samples on the CPU.

    `name` is what rows and messages call it. Samples start from standard normal `noise` in the prior's size, and the
    model counts the evaluations.
    """
    starts, labels = model.path.prior_std * noise, {"method": name}
    try:
        plans = budgeted(sampler, model, budgets)
    except (RefusedError, SolverError) as error:
        yield from (Cell({**labels, "axis": "nfe", "at": nfe}, None, str(error)) for nfe in budgets)
        return
    for where, points in plans:
        begin, where = perf_counter(), {**labels, **where}
        try:
            images, asked = sampled(name, sampler, model, times_of(sampler, model, points), starts, batch, draws())
        except (RefusedError, SolverError) as error:
            yield Cell(where, None, str(error))
            continue
        cost = {"nfe": asked, "seconds": perf_counter() - begin, "n": len(images)}
        yield Cell({**where, **cost}, images.cpu())


def budgeted(sampler: OwnSampler, model: Answers, budgets: Sequence[int]) -> list[tuple[dict[str, Any], int]]:
    """Return the labels of every cell and how many times the sampler is given there, for a budget with the denoising evaluation.

    It is asked with two numbers of times on an exact model of the path, and each further time costs as much. A sampler that
    chooses its steps by itself has one cell, of no budget, and is given the first and the last time.
    """
    few, many = (evaluations(sampler.sample, sampler.grid, model.path, points) for points in POINTS)
    each = (many - few) / (POINTS[1] - POINTS[0])
    if each <= 0:
        return [({}, 2)]
    return [({"axis": "nfe", "at": nfe}, POINTS[0] + int((nfe - 1 - few) // each)) for nfe in budgets]


def times_of(sampler: OwnSampler, model: Answers, points: int) -> Times:
    """Return so many times. Raises `SolverError` if they are not enough for a step."""
    if points < 2:
        raise SolverError("one of its steps and the denoising evaluation take more evaluations than these")
    return known_or(model, sampler.grid(model.path, points))


def sampled(
    name: str, sampler: OwnSampler, model: Answers, times: Times, starts: Tensor, batch: int, generator: Generator
) -> tuple[Tensor, float]:
    """Return samples and the evaluations of each, on average. Raises `SolverError` if any is not finite."""
    watched = Watched(model)
    parts = [denoised_last(sampler.sample)(watched, part, times, generator=generator).x for part in starts.split(batch)]
    images = torch.cat(parts)
    require_finite(name, images)
    return images, watched.samples / len(images)
