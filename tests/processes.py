"""Real processes without the wait for `import torch`: they are forked from a server that has imported it once."""

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["torch", "torch._dynamo", "sklearn.datasets", "common.runs.cli", "common.experiments.train", "common.learning.models"]
)


def start(function: Callable[..., Any], *arguments: Any, output: Path) -> multiprocessing.Process:
    """Start `function(*arguments)`; what it prints goes to `output`, and an integer that it returns is its exit status."""
    process = _context.Process(target=_run, args=(function, arguments, str(output)))
    process.start()
    return process


def status(process: multiprocessing.Process, timeout: float = 120) -> int | None:
    """Wait for a process and return its exit status: negative if a signal ended it, None if it still runs."""
    process.join(timeout)
    return process.exitcode


def next_state(folder: Path, process: multiprocessing.Process) -> bool:
    """Wait until a training in `folder` has written a new state; return whether it has before it ended."""
    before = _states(folder)
    while process.is_alive():
        now = _states(folder)
        if now and now != before:
            return True
        time.sleep(0.005)
    return False


def kill_in_training(process: multiprocessing.Process, folder: Path, delay: float) -> None:
    """Kill -9 a training `delay` seconds after it has written a new state; it must not have ended by then."""
    seen = next_state(folder, process)
    time.sleep(delay)
    process.kill()
    assert status(process) == -signal.SIGKILL, "the run must still be going when it is killed"
    assert seen and not (folder / "metrics.csv").exists()


def untimed_rows(folder: Path) -> list[list[str]]:
    """Return the lines of a run's metrics without the timing column."""
    lines = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
    timing = lines[0].index("seconds")
    return [line[:timing] + line[timing + 1 :] for line in lines]


def _states(folder: Path) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in folder.glob("training-state-*.pt")} if folder.exists() else {}


def torchrun(function: Callable[..., Any], *arguments: Any, output: Path) -> list[str]:
    """Run `function(*arguments)` in two processes with torchrun's environment and return what each of them printed."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    files = [output / f"output{rank}.txt" for rank in (0, 1)]
    started = [start(_ranked, rank, port, function, arguments, output=file) for rank, file in enumerate(files)]
    printed = [(status(process), file.read_text()) for process, file in zip(started, files)]
    assert [code for code, _ in printed] == [0, 0], printed
    return [text for _, text in printed]


def _ranked(rank: int, port: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    return function(*arguments)


def _run(function: Callable[..., Any], arguments: tuple[Any, ...], output: str) -> None:
    with open(output, "w") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    try:
        result = function(*arguments)
    except BaseException:
        traceback.print_exc()
        result = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError):
            stream.flush()
    os._exit(result if isinstance(result, int) else 0)
