"""Where a sampler's noise comes from: one generator for the whole batch, one stream per sample, or what else gives normals."""

from collections.abc import Callable, Sequence
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
        self._blocks, self._used = torch.empty(len(self), BLOCK), torch.full((len(self),), BLOCK)

    def __len__(self) -> int:
        return len(self._streams)

    def normal(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the next standard normals of every stream, of x's shape [streams, *shape], dtype and device.

        rows: the places of different streams, [rows]: only these are asked, and the others stay where they are.
        """
        if len(x) != len(self):
            raise SolverError(f"{len(self)} streams of noise for {len(x)} samples; give one seed per sample")
        if self._blocks.shape[2:] != x.shape[1:] or self._blocks.dtype != x.dtype:
            self._blocks = torch.empty(len(self), BLOCK, *x.shape[1:], dtype=x.dtype)
            self._used.fill_(BLOCK)
        rows = torch.arange(len(self)) if rows is None else rows.cpu()
        used = self._used[rows]
        for stream in rows[used == BLOCK].tolist():
            self._blocks[stream].normal_(generator=self._streams[stream])
        used %= BLOCK
        self._used[rows] = used + 1
        # rows of one table: one index is far quicker than two
        return self._blocks.flatten(0, 1).index_select(0, rows * BLOCK + used).to(x.device)

    def keep(self, chosen: Tensor) -> None:
        """Go on with some of the samples: a mask or indices."""
        indices = torch.arange(len(self))[chosen.cpu()]
        self._streams = [self._streams[index] for index in indices]
        self._blocks, self._used = self._blocks[indices], self._used[indices]


Source = Generator | NoiseSource | None


def normal(x: Tensor, source: Source, what: str) -> Tensor:
    """Return standard normals of x's shape, dtype and device. Raises `SolverError` if there is nothing to draw them from."""
    if isinstance(source, Generator):
        return torch.randn(x.shape, generator=source, device=x.device, dtype=x.dtype)
    if source is None:
        raise SolverError(f"{what} draws noise: pass a generator, or streams of noise")
    return source.normal(x)


def draws(x: Tensor, source: Source, what: str) -> Callable[[Tensor], Tensor]:
    """Return `draw(rows)`: the next standard normals of the samples at these places of the batch x, each from its own.

    A generator seeds one stream per sample; a source that has no streams draws for all samples each time.
    """
    if source is None:
        raise SolverError(f"{what} draws noise: pass a generator, or streams of noise")
    if isinstance(source, Generator):
        # torch's generators take 32 bits of a seed: seeds one by one would collide in large batches
        first = int(torch.randint(2**32, (), generator=source, device=source.device))
        source = SampleStreams([(first + k) % 2**32 for k in range(len(x))])
    streams = source
    if isinstance(streams, SampleStreams):
        return lambda rows: streams.normal(x, rows)
    return lambda rows: streams.normal(x)[rows]
