"""What a call does before it computes: take GPUs of this machine, and start again as several processes, one for each.

The processes train on shares of every batch (`distributed.py`). Nothing here imports torch: the first one only hands over.
"""

import fcntl
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path


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


def take_gpus(number: int, devices: Path = Path("/dev")) -> None:
    """Choose GPUs that no other job of this person has, so that jobs side by side do not all sit on the first one.

    Where somebody has chosen already (`CUDA_VISIBLE_DEVICES`, which Slurm sets), where there is no choice, or where too few are
    free, nothing is changed. The system gives them back when this process ends, be it torchrun by then.
    """
    there = len(list(devices.glob("nvidia[0-9]*")))
    if "CUDA_VISIBLE_DEVICES" in os.environ or not 1 <= number <= there or there == 1:
        return
    taken: dict[int, int] = {}
    for gpu in range(there):
        if len(taken) < number and (lock := _lock(gpu)) is not None:
            taken[gpu] = lock
    if len(taken) == number:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, taken))
        return
    for lock in taken.values():
        os.close(lock)


def _lock(gpu: int) -> int | None:
    """Return the open file whose lock says that this process has a GPU, or None if another one has it."""
    file = os.open(Path(tempfile.gettempdir(), f"retrace-{os.getuid()}-gpu{gpu}"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    os.set_inheritable(file, True)  # what this process becomes holds it too
    return file
