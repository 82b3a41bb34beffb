"""Where a number comes from: code, versions, machine, cost.

torch is imported where it is needed only, here and in `common.runs.folders`: the report needs both modules, and no torch.
"""

import functools
import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from common.runs.settings import ROOT

PACKAGES = ("torch", "torchdiffeq", "torchsde", "numpy", "scipy")


@functools.cache
def commit() -> str:
    """Return the short commit of the tree, with `+` when files differ from it or are not in it, or "unknown" outside git."""

    # variables such as GIT_DIR would name somebody else's repository
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    try:
        if Path(git("rev-parse", "--show-toplevel").strip()).resolve() != ROOT:
            return "unknown"  # a copy inside another repository
        return git("rev-parse", "--short=12", "HEAD").strip() + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide the numbers."""
    return {name: metadata.version(name) for name in PACKAGES}


@functools.cache
def processor() -> str:
    """Return the processor's name."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine(device: Any) -> dict[str, Any]:
    """Return what a reader needs to compare timings on a torch device: processor, cores, memory, accelerator, threads."""
    import torch

    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "cpu": processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
    }


class Cost:
    """Wall seconds, CPU seconds and peak memory of one run, and what the process spent before its first run."""

    _startup_claimed = False

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        # the first run of a process carries its imports
        self.startup = 0.0 if Cost._startup_claimed else self.cpu
        Cost._startup_claimed = True

    def record(self, device: Any) -> dict[str, float]:
        """Return the cost so far on a torch device; seconds of CPU include the start-up when this run carries it."""
        record = {
            "seconds": round(time.perf_counter() - self.wall, 3),
            "cpu_seconds": round(time.process_time() - self.cpu + self.startup, 3),
            "startup_seconds": round(self.startup, 3),
            "peak_memory_mb": round(_peak_rss_mb(), 1),
        }
        if device.type == "cuda":
            import torch

            record["peak_gpu_memory_mb"] = round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
        return record


def _peak_rss_mb() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
