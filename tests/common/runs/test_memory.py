"""Freed memory stays with the process, and modules are left alone by the collector."""

import subprocess
import sys

import pytest

STEPS = """
import resource
import torch
from common.runs.memory import keep_freed_memory
{call}
def step():
    sum(torch.ones(500_000) for _ in range(8))
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(call):
    script = STEPS.format(call=call)
    return int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_later_steps_reuse_the_memory_of_the_first():
    """Mapped anew they are 160 of 2 MB in 80 000 pages, or in a few thousand where the kernel hands out huge ones."""
    assert page_faults("keep_freed_memory()") < 1000 < page_faults("")


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
