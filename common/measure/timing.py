"""How long something takes, on a machine that is not quiet."""

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch


def shortest_seconds(work: Mapping[Hashable, Callable[[], Any]], repeats: int) -> dict[Any, float]:
    """Return the shortest wall time of each piece of work: what disturbs a measurement only ever adds to it."""
    return {name: min(found) for name, found in interleaved_seconds(work, repeats).items()}


def interleaved_seconds(work: Mapping[Hashable, Callable[[], Any]], repeats: int) -> dict[Any, list[float]]:
    """Return the wall times of each piece of work, one for each of `repeats` turns.

    The pieces take turns, so that a disturbance that lasts does not fall on one of them, and the times of one turn may be
    compared with each other; a first turn warms up.
    """
    times: dict[Any, list[float]] = {name: [] for name in work}
    for _ in range(repeats + 1):
        for name, each in work.items():
            _wait()
            begin = time.perf_counter()
            each()
            _wait()
            times[name].append(time.perf_counter() - begin)
    return {name: found[1:] for name, found in times.items()}


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
