"""Batches without replacement, computed from the step alone, so that a resumed training sees the data an unbroken one sees.

The order of epoch e is a permutation that depends on (seed, e). Batches run on across the border of two epochs, so every batch is
full. With several ranks each takes its slice of the global batch.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from common.errors import SettingsError
from common.runs.seeds import generator


class EpochSampler:
    """Indices of the items of any step's batch."""

    def __init__(self, n: int, batch: int, seed: int, rank: int = 0, world: int = 1) -> None:
        if batch % world:
            raise SettingsError(f"batch {batch} does not divide over {world} processes; choose a multiple")
        self.n, self.batch, self.seed = n, batch, seed
        self.slice = slice(rank * batch // world, (rank + 1) * batch // world)
        self._orders: dict[int, Tensor] = {}

    def order(self, epoch: int) -> Int[Tensor, " n"]:
        """Return the permutation of one epoch."""
        if epoch not in self._orders:
            # two epochs are enough: a batch spans at most a border, and steps go forward
            self._orders = {e: order for e, order in self._orders.items() if e == epoch - 1}
            self._orders[epoch] = torch.randperm(self.n, generator=generator("epoch", self.seed, epoch))
        return self._orders[epoch]

    def __call__(self, step: int) -> Int[Tensor, " batch"]:
        """Return this rank's indices of the batch of `step` (counted from 0)."""
        start, end = step * self.batch + self.slice.start, step * self.batch + self.slice.stop
        first, last = start // self.n, (end - 1) // self.n
        if first == last:  # nearly always: one slice
            return self.order(first)[start - first * self.n : end - first * self.n]
        orders = ((epoch * self.n, self.order(epoch)) for epoch in range(first, last + 1))
        return torch.cat([order[max(0, start - begin) : end - begin] for begin, order in orders])
