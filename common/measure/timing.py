"""How long something takes, on a machine that is not quiet."""

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch


def shortest_seconds(work: Mapping[Hashable, Callable[[], Any]], repeats: int) -> dict[Any, float]:
    """Return the shortest wall time of each piece of work: what disturbs a measurement only ever adds to it.

    The pieces take turns, so that a disturbance that lasts does not fall on one of them; a first turn warms up.
    """
    times: dict[Any, list[float]] = {name: [] for name in work}
    for _ in range(repeats + 1):
        for name, each in work.items():
            _wait()
            begin = time.perf_counter()
            each()
            _wait()
            times[name].append(time.perf_counter() - begin)
    return {name: min(found[1:]) for name, found in times.items()}


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
