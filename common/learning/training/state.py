"""The whole state of a training in one file: a killed run goes on from it and ends bit for bit where an unbroken one ends.

Random numbers need no state: every step's generator is seeded from (run, process, step). So the state of two processes is one of
another training than that of four, whose noise differs: it is resumed by as many as wrote it, and refused by others.
"""

import io
import pickle
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import torch

from common.errors import CheckpointError
from common.runs import distributed
from common.runs.folders import write

DIGEST = 32  # bytes


def state_path(file: Path, fingerprint: str) -> Path:
    """Return the file of one training: other settings have another file, so neither resumes from nor overwrites the other."""
    return file.with_name(f"{file.stem}-{fingerprint[:8]}{file.suffix}")


def save_state(file: Path, state: dict[str, Any]) -> None:
    """Write the state and the number of processes whole or not at all, its digest first."""

    buffer = io.BytesIO()
    torch.save(state | {"processes": distributed.world()}, buffer)
    content = buffer.getbuffer()

    def fill(stream: IO[bytes]) -> None:
        stream.write(sha256(content).digest())
        stream.write(content)

    write(file, fill)


def load_state(file: Path, fingerprint: str, device: torch.device) -> dict[str, Any] | None:
    """Return the saved state, or None if there is none.

    Raises `CheckpointError` if the file is truncated, corrupt, of another training or of another number of processes.
    """
    if not file.exists():
        return None
    remedy = f"delete {file} to train from the start"
    try:
        content = memoryview(file.read_bytes())
        if sha256(content[DIGEST:]).digest() != content[:DIGEST]:
            raise ValueError("its digest is another")
        state = torch.load(io.BytesIO(content[DIGEST:]), map_location=device, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, OSError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{file}: this training state is truncated or corrupt ({reason}); {remedy}") from None
    if not isinstance(state, dict) or state.get("fingerprint") != fingerprint:
        raise CheckpointError(f"{file}: this training state belongs to other settings; {remedy}")
    if (wrote := state["processes"]) != (now := distributed.world()):
        raise CheckpointError(
            f"{file}: {_processes(wrote)} wrote this training state, and {now} cannot go on with it, because each draws noise of "
            f"its own; start {wrote} again (--gpus {wrote}), or {remedy}"
        )
    return state


def _processes(number: int) -> str:
    return f"{number} process{'es' if number > 1 else ''}"
