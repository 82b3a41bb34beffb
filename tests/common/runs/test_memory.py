"""Freed memory stays with the process."""

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
    assert page_faults("keep_freed_memory()") < 0.1 * page_faults("") + 100
