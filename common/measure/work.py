"""The work of a computation, counted as torch does it: operations, floating-point operations, bytes.

Three numbers say what a step asks of any device: how many operations a processor has to start, what matrix products and
convolutions there are, and what is read and written. `common.measure.devices` makes seconds of them.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


@dataclass(frozen=True)
class Work:
    """operations: calls that compute; flops: of matrix products and convolutions, a multiply-add is two; moved: bytes."""

    operations: int | float = 0
    flops: int | float = 0
    moved: int | float = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.operations + other.operations, self.flops + other.flops, self.moved + other.moved)

    def __sub__(self, other: "Work") -> "Work":
        return self + other.times(-1)

    def times(self, calls: int | float, items: int | float | None = None) -> "Work":
        """Return the work of `calls` as many calls, whose arithmetic and bytes are those of `items` as many items."""
        items = calls if items is None else items
        return Work(self.operations * calls, self.flops * items, self.moved * items)


@dataclass(frozen=True)
class Size:
    """How large an experiment is beside its trainings: evaluations one after the other, and samples in all. Only ratios count."""

    calls: int | float
    samples: int | float

    def __add__(self, other: "Size") -> "Size":
        return Size(self.calls + other.calls, self.samples + other.samples)


def evaluations(steps: int | float, samples: int | float, batch: int | float | None = None) -> Size:
    """Return the size of `steps` evaluations of as many samples, `batch` at a time, by default all at once."""
    return Size(steps * math.ceil(samples / (batch or samples)), steps * samples)


class Tally(TorchDispatchMode):
    """Adds up the work that is done while it is entered, backward passes included.

    Views and meta tensors compute nothing and are left out. An operation moves its inputs and its outputs, each once. (torch's
    own FlopCounterMode hooks the leaves, which a gradient inside a loss forbids.)
    """

    def __init__(self) -> None:
        super().__init__()
        self._operations = self._flops = self._moved = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view and (moved := _bytes(args) + _bytes(out)):
            self._operations += 1
            self._moved += moved
            if cost := _cost(func._overloadpacket):
                self._flops += cost(*args, **(kwargs or {}), out_val=out)
        return out

    @property
    def total(self) -> Work:
        """The work so far."""
        return Work(self._operations, self._flops, self._moved)


@cache
def _cost(packet: Any) -> Callable[..., int] | None:
    """Return torch's formula for an operation's flops, if it has one; what writes into its first argument has the other's."""
    name = packet.__name__
    plain = getattr(torch.ops.aten, name[:-1], None) if name.endswith("_") and not name.endswith("__") else None
    return flop_registry.get(packet) or flop_registry.get(plain)


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return 0 if value.is_meta else value.numel() * value.element_size()
    return sum(map(_bytes, value)) if isinstance(value, list | tuple) else 0


def counted(work: Callable[[], Any]) -> Work:
    """Return the work of a call."""
    with Tally() as tally:
        work()
    return tally.total


class Kept:
    """Adds up the bytes that autograd keeps for a backward pass while it is entered, but for weights, which are there anyway."""

    def __init__(self, weights: Iterator[Tensor]) -> None:
        self.total = 0
        self._seen = {weight.data_ptr() for weight in weights}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._add, lambda tensor: tensor)

    def _add(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self.total += storage.nbytes()
        return tensor

    def __enter__(self) -> "Kept":
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._hooks.__exit__(*error)
