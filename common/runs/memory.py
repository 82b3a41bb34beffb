"""Freed memory is kept for the next step: on Linux the C library gives large blocks back to the kernel and asks for them anew.

A training step on a CPU allocates the same megabytes as the one before. Returned and asked for again, every page is mapped and
zeroed again, which took up to a third of a step's time.
"""

import ctypes
import sys

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
