"""Freed memory stays with the process, modules are left alone by the collector, and the end is short."""

import os
import subprocess
import sys

import pytest

STEP = """
import resource
import torch
from common.runs.memory import keep_freed_memory
{call}
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
def step():
    return sum(len(block) for block in [torch.ones(500_000) for _ in range(16)])
torch.ones(100).sum()
before = resident()
step()
print((resident() - before) / 2**20)
"""


def kept_megabytes(call):
    script = STEP.format(call=call)
    return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_the_memory_of_a_step_stays_for_the_next():
    """Thirty megabytes at once, freed together: what is still resident, in pages of whatever size the kernel hands out."""
    assert kept_megabytes("keep_freed_memory()") > 20 > 10 > kept_megabytes("")


IMPORTS = """
import gc
from common.runs.memory import uncollected_imports
try:
    with uncollected_imports():
        off = not gc.isenabled()
        import json.decoder
        {then}
except ValueError:
    pass
first = gc.get_freeze_count()
import sys
sys.modules["torch"] = None
with uncollected_imports():
    on = gc.isenabled()
print(off, gc.isenabled(), first > 1000, on, gc.get_freeze_count() <= first)
"""


@pytest.mark.parametrize("then", ["pass", "raise ValueError"])
def test_what_is_imported_is_frozen_once_and_the_collector_works_again(then):
    script = IMPORTS.format(then=then)
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True"] * 5


END = """
import atexit
from common.runs.memory import leave
class Told:
    def __del__(self):
        print("taken apart")
told = Told()
atexit.register(print, "registered")
print("said", end=" ")
leave(3)
"""


def test_the_end_says_what_was_said_and_takes_nothing_apart():
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-c", END], capture_output=True, text=True, env=buffered)
    assert (done.returncode, done.stdout.split()) == (3, ["said", "registered"])
