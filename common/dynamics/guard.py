"""What keeps torchdiffeq honest without its assert statements, which `python -O` removes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from common.errors import SolverError

LOOK = 64  # evaluations between two looks, so that a GPU need not wait at each


class Guarded:
    """A field that counts its evaluations and notices when time stands still: the step size has underflowed.

    No method evaluates its field so often at one time, unless its steps have become too small to move it.
    """

    def __init__(self, field: Callable[[Tensor, Any], Any], what: str) -> None:
        self.field, self.what, self.calls, self._times = field, what, 0, []

    def __call__(self, t: Tensor, state: Any) -> Any:
        """Evaluate the field. Raises `SolverError` when time stands still."""
        self.calls += 1
        self._times.append(t)
        if len(self._times) == LOOK:
            times, self._times = torch.stack(self._times), []
            near = (times - t).abs() <= 8 * torch.finfo(t.dtype).eps * t.abs()  # the last places of the number move at most
            if bool((near | times.isnan()).all()):
                raise SolverError(f"{self.what}: underflow of the step size at t = {float(t):.6g}")
        return self.field(t, state)
