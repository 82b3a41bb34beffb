"""Real processes without the wait for `import torch`: they are forked from a server that has imported it once."""

import contextlib
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["torch", "sklearn.datasets", "common.cli", "common.fit", "common.models"])


def start(function: Callable[..., Any], *arguments: Any, output: Path) -> multiprocessing.Process:
    """Start `function(*arguments)`; what it prints goes to `output`, and an integer that it returns is its exit status."""
    process = _context.Process(target=_run, args=(function, arguments, str(output)))
    process.start()
    return process


def status(process: multiprocessing.Process, timeout: float = 120) -> int | None:
    """Wait for a process and return its exit status: negative if a signal ended it, None if it still runs."""
    process.join(timeout)
    return process.exitcode


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
