"""Start a call again as several processes, one per GPU, each of which trains on its share of every batch (`distributed.py`).

Nothing here imports torch: the first process only hands over.
"""

import os
import sys
from collections.abc import Sequence


def processes() -> int:
    """Return how many processes torchrun has started, 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def started_by_torchrun() -> bool:
    """Return whether this is one of torchrun's processes."""
    return "WORLD_SIZE" in os.environ


def become_torchrun(number: int, package: str, arguments: Sequence[str]) -> None:
    """Become torchrun with `number` processes of `python -m package arguments` on this machine; does not come back."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={number}"]
    # a signal to this process, such as a scheduler's, is torchrun's, which ends the others
    os.execv(sys.executable, [*torchrun, "-m", package, *arguments])
