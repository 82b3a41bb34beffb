"""Where a sampler's noise comes from: one generator for the whole batch, one stream per sample, or what else gives normals."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from common.errors import SolverError

BLOCK = 32  # draws that a stream makes at once: fewer and larger calls


@runtime_checkable
class NoiseSource(Protocol):
    """What gives the noise of each step: standard normals of the state's shape, dtype and device."""

    def normal(self, x: Tensor) -> Tensor:
        """Return the next standard normals for the state x [batch, *shape]."""


class SampleStreams:
    """One stream of standard normals per sample, so that a sample is the same alone and in any batch.

    `seeds` has one seed per sample. What a stream gives depends on its seed, on the shape and dtype of a sample and on how often
    it was asked, never on its neighbours.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._streams = [Generator().manual_seed(seed) for seed in seeds]
        self._block, self._used = torch.empty(0), BLOCK

    def __len__(self) -> int:
        return len(self._streams)

    def normal(self, x: Tensor) -> Tensor:
        """Return the next standard normals of every stream, of x's shape [streams, *shape], dtype and device."""
        if len(x) != len(self):
            raise SolverError(f"{len(self)} streams of noise for {len(x)} samples; give one seed per sample")
        if self._used == BLOCK:
            drawn = [torch.randn(BLOCK, *x.shape[1:], generator=stream, dtype=x.dtype) for stream in self._streams]
            self._block, self._used = torch.stack(drawn, 1).to(x.device), 0
        self._used += 1
        return self._block[self._used - 1]

    def keep(self, chosen: Tensor) -> None:
        """Go on with some of the samples: a mask or indices."""
        indices = torch.arange(len(self))[chosen.cpu()]
        self._streams = [self._streams[index] for index in indices]
        self._block = self._block[:, indices.to(self._block.device)] if self._block.numel() else self._block


Source = Generator | NoiseSource | None


def normal(x: Tensor, source: Source, what: str) -> Tensor:
    """Return standard normals of x's shape, dtype and device. Raises `SolverError` if there is nothing to draw them from."""
    if isinstance(source, Generator):
        return torch.randn(x.shape, generator=source, device=x.device, dtype=x.dtype)
    if source is None:
        raise SolverError(f"{what} draws noise: pass a generator, or streams of noise")
    return source.normal(x)
