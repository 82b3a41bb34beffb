"""Do one run: hold its folder, measure, write; on failure leave the reason and whatever was finished before."""

import argparse
import contextlib
import fcntl
import os
import shlex
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from common.errors import RetraceError
from common.runs import distributed, folders, kept, provenance
from common.runs.call import PlannedRun
from common.runs.experiment import Context, variant


def execute(run: PlannedRun, options: argparse.Namespace, command: str) -> bool:
    """Do one run; on failure leave its reason in the run folder and on stderr. Return whether it succeeded."""
    if os.environ.get(kept.KEEP) and kept.stands(run, options.base_seed):
        kept.renew(run.out)
        print(f"kept {run.out}: it is whole, and its code, settings and inputs are the same", flush=True)
        return True
    info, cost, mine = _info(run, options, command), provenance.Cost(), False
    try:
        folders.check_writable(run.out)
        with held(run.out, wait=options.wait):
            mine = True
            torch.set_num_threads(options.threads)
            device = choose_device(options.device)
            context = Context(**run.place, base_seed=options.base_seed, out=run.out, device=device)
            if not run.mark:
                print(f"these settings are not the level's own: this run is kept apart, in {run.out}", flush=True)
            outcome = run.module.run(run.settings, context)
            if distributed.rank() == 0:  # under torchrun all processes have the same outcome
                info |= provenance.machine(device) | {"commit": provenance.commit(), "versions": provenance.versions()}
                info["made_from"] = kept.made_from(context.taken)
                folders.write_run(run.out, outcome, info | cost.record(device))
                print(f"wrote {run.out}", flush=True)
        return True
    except Exception as error:
        expected = isinstance(error, RetraceError)
        message = str(error) if expected else f"{type(error).__name__}: {error}"
        print(f"error: {message}" if expected else traceback.format_exc(), file=sys.stderr, flush=True)
        if mine:
            _record_failure(run.out, info, message)
        return False


def _info(run: PlannedRun, options: argparse.Namespace, command: str) -> dict[str, Any]:
    return {
        **{key: run.place[key] for key in ("paper", "experiment", "level", "seed")},
        "variant": variant(run.module, run.settings),
        "dataset": getattr(run.settings, "data", ""),
        "settings": run.settings.model_dump(mode="json"),
        "named_by": run.named_by,
        "level_settings": run.mark,
        "base_seed": options.base_seed,
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@contextlib.contextmanager
def held(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a run folder against other processes; wait for the one that has it, or raise `RetraceError` naming it.

    The system lets go of the lock when its process ends, however it ends; where a file system knows no locks, nothing is held.
    """
    if distributed.rank():
        yield
        return
    with (folder / ".held").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            busy = f"{folder}: {file.read().strip() or 'another process'} is at work here"
            if not wait:
                raise RetraceError(f"{busy}; wait for it to end, or call with --wait") from None
            print(f"{busy}; waiting for it to end", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            yield
            return
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        try:
            yield
        finally:
            (folder / ".held").unlink(missing_ok=True)


def shown_command(package: str, arguments: Sequence[str]) -> str:
    """Return the command that makes this run again, with torchrun where it was called (`--gpus` calls it)."""
    by_hand = distributed.world() > 1 and not any(word.startswith("--gpus") for word in arguments)
    start = ["torchrun", f"--nproc_per_node={distributed.world()}"] if by_hand else ["python"]
    return shlex.join([*start, "-m", package, *arguments])


def remove_training_states(outs: Sequence[Path]) -> None:
    """Remove the states of finished trainings."""
    if distributed.rank() == 0:  # who wrote them; the others may be done before it has written its results
        for state in (state for folder in outs for state in folder.glob("training-state-*")):
            state.unlink()


def _record_failure(out: Path, info: dict[str, Any], message: str) -> None:
    try:
        folders.write_failure(out, info, message, traceback.format_exc())
    except RetraceError as error:
        print(f"error: {error}", file=sys.stderr)


def choose_device(name: str) -> torch.device:
    """Return the device: `auto` takes a GPU if there is one; under torchrun every process has its own."""
    if name == "auto":
        return distributed.own_device(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise RetraceError(f"--device {name}: not a device; use auto, cpu, cuda or cuda:1")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RetraceError(f"--device {name}: no CUDA device is available here; use --device cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise RetraceError(f"--device {name}: there are {torch.cuda.device_count()} CUDA devices here, counted from 0")
    return distributed.own_device(device)
