"""What a process does with memory: freed blocks are kept for the next step, and modules are nothing to collect, the end included.

A training step on a CPU allocates the same megabytes as the one before. On Linux the C library gives large blocks back to the
kernel and asks for them anew; every page is then mapped and zeroed again, which took up to a third of a step's time.
"""

import atexit
import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from typing import NoReturn

# names and values of malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
LARGEST_BLOCK = 2**25  # bytes; glibc takes no larger threshold
KEPT = 2**30
GROWTH = 2**26


def keep_freed_memory() -> None:
    """Ask glibc to serve blocks of up to 32 MiB from a heap that it does not shrink; elsewhere nothing is done."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option, value in ((M_MMAP_THRESHOLD, LARGEST_BLOCK), (M_TRIM_THRESHOLD, KEPT), (M_TOP_PAD, GROWTH)):
            mallopt(option, value)


@contextlib.contextmanager
def uncollected_imports() -> Iterator[None]:
    """Switch Python's collector off for what is imported here, and have it never look there again.

    It finds nothing in modules, and looking through those of torch time and again took a sixth of their import. Where torch is
    loaded already, nothing is done: what is frozen is kept for good.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def leave(status: int) -> NoReturn:
    """End the process with an exit status; what was registered for the end is done, and output written.

    `sys.exit` also takes every module apart, which is half a second once torch is loaded; the system frees the memory anyway.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
