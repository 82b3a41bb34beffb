"""How much autograd keeps for the backward pass, forwards and on the way back: what the adjoint method saves (Section 4.2)."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class _Kept:
    """A tensor that autograd keeps; it signs off when autograd lets it go."""

    def __init__(self, tensor: Tensor, ledger: "_Ledger") -> None:
        self.tensor, self.ledger = tensor, ledger
        storage = tensor.untyped_storage()
        self.place, self.nbytes = storage.data_ptr(), storage.nbytes()
        ledger.sign_on(self)

    def __del__(self) -> None:
        self.ledger.sign_off(self)


class _Ledger:
    """The bytes that are kept now, and the most that ever were; tensors that share memory count once."""

    def __init__(self, ignored: set[int]) -> None:
        self.ignored, self.holders, self.now, self.peak = ignored, Counter[int](), 0, 0

    def sign_on(self, kept: _Kept) -> None:
        self.holders[kept.place] += 1
        if self.holders[kept.place] == 1 and kept.place not in self.ignored:
            self.now += kept.nbytes
            self.peak = max(self.peak, self.now)

    def sign_off(self, kept: _Kept) -> None:
        self.holders[kept.place] -= 1
        if self.holders[kept.place] == 0 and kept.place not in self.ignored:
            self.now -= kept.nbytes


def peak_kept_bytes(loss: Callable[[], Tensor], owned: nn.Module) -> int:
    """Return the most bytes that autograd keeps at any one time of `loss()` and its backward pass, without `owned`'s parameters.

    The backward pass counts because the adjoint method evaluates, and keeps, there. Gradients are left on no parameter.
    """
    parameters = list(owned.parameters())
    ledger = _Ledger({parameter.untyped_storage().data_ptr() for parameter in parameters})

    def keep(tensor: Tensor) -> _Kept:
        return _Kept(tensor, ledger)

    def give(kept: Any) -> Tensor:
        return kept.tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, give):
        torch.autograd.grad(loss(), parameters, allow_unused=True)
    return ledger.peak
