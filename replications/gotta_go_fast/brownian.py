"""Brownian increments of steps that may be rejected: what becomes of their noise (Jolicoeur-Martineau 2021, Algorithms 1 and 2).

    redrawn    a rejected step's noise is forgotten, as in the released code. Large noise is rejected more often, so what is
               accepted is not normal: in few dimensions it is too small at any tolerance, in many all noise is of one size
    kept       its unit normal z is used again for the shorter step, sqrt(h) z with the new h: Algorithm 2
    bridge     its path is kept: a shorter step ends at a point of it, drawn from the Brownian bridge, and later steps pass the
               points beyond. The increments are those of one Brownian motion, whatever was rejected

Each is a function of what it remembers and of fresh normals, of which it takes one draw per step on trial:

    remember(memory, fresh, since, until, moved) -> dw, memory

since, until: time travelled where the step starts and ends, [rows] in float64; moved: whether the last step was accepted. Memory
is a tuple of tensors with a row per sample, empty at first.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from common.dynamics.paths import broadcast

Noise = Literal["redrawn", "kept", "bridge"]
Memory = tuple[Tensor, ...]
Rows = Float[Tensor, " rows"]
State = Float[Tensor, "rows *shape"]
Remember = Callable[[Memory, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Memory]]


def redrawn(memory: Memory, fresh: State, since: Rows, until: Rows, moved: Bool[Tensor, " rows"]) -> tuple[State, Memory]:
    """Return new noise for every step."""
    return _scaled(until - since, fresh), memory


def kept(memory: Memory, fresh: State, since: Rows, until: Rows, moved: Bool[Tensor, " rows"]) -> tuple[State, Memory]:
    """Return new noise after accepted steps only, and the old unit normal after rejected ones."""
    unit = torch.where(broadcast(moved, fresh), fresh, memory[0]) if memory else fresh
    return _scaled(until - since, unit), (unit,)


def bridge(memory: Memory, fresh: State, since: Rows, until: Rows, moved: Bool[Tensor, " rows"]) -> tuple[State, Memory]:
    """Return the increment of each sample's own Brownian motion; memory has the points of it that are known, times and values.

    Between two known points it is drawn from the bridge, after the last one freely. Points of the past make room for new ones.
    """
    times, values = memory or (since[:, None], torch.zeros_like(fresh)[:, None])
    before, left = _known(times.where(times <= until[:, None], -math.inf).max(1), values)
    after, right = _known(times.where(times > until[:, None], math.inf).min(1), values)
    share = (until - before) / (after - before)  # 0 where nothing is known after it
    point = left + broadcast(share.to(fresh), fresh) * (right - left) + _scaled((until - before) * (1 - share), fresh)
    _, start = _known(times.where(times <= since[:, None], -math.inf).max(1), values)
    return point - start, _with_point(times, values, since, until, point)


REMEMBER: dict[str, Remember] = {"redrawn": redrawn, "kept": kept, "bridge": bridge}


def _scaled(variance: Rows, unit: State) -> State:
    return broadcast(variance.sqrt().to(unit), unit) * unit


def _known(found: tuple[Tensor, Tensor], values: Tensor) -> tuple[Rows, State]:
    times, places = found
    return times, values[torch.arange(len(values), device=values.device), places]


def _with_point(times: Tensor, values: Tensor, since: Rows, until: Rows, point: State) -> Memory:
    """Write a point where each sample has its oldest one; if that is not past everywhere, there is a new place for all."""
    oldest, places = times.min(1)
    if not bool((oldest < since).all()):
        places = torch.full_like(places, times.shape[1])
        times = torch.cat([times, times.new_full((len(times), 1), -math.inf)], 1)
        values = torch.cat([values, torch.zeros_like(values[:, :1])], 1)
    rows = torch.arange(len(times), device=times.device)
    return times.index_put((rows, places), until), values.index_put((rows, places), point)
