"""Floating-point operations of a computation, counted by torch's own formulas."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class _Counting(TorchDispatchMode):
    """Adds up what operations cost. (torch's own FlopCounterMode hooks the leaves, which a gradient inside a loss forbids.)"""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if cost := flop_registry.get(func._overloadpacket):
            self.total += cost(*args, **(kwargs or {}), out_val=out)
        return out


def operations(work: Callable[[], Any]) -> int:
    """Return the floating-point operations of matrix products and convolutions, backward passes included."""
    with _Counting() as counter:
        work()
    return counter.total
