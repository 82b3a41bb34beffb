"""The loop's Adam against torch's class: a step of the laptop level's network of digits, and a process that takes one step."""

import resource
import subprocess
import sys
import time

import pytest
import torch

from common.learning.nets.build import MLPSettings, build_backbone
from common.learning.training.adam import Adam
from common.learning.training.settings import TrainSettings

pytestmark = pytest.mark.benchmark
ROUNDS, STEPS = 9, 300
SETTINGS = TrainSettings(steps=1, batch=1, learning_rate=1e-3)
START = "import torch; layer = torch.nn.Linear(2, 2); layer(torch.ones(1, 2)).sum().backward(); "
OURS = (
    "from common.learning.training.adam import Adam; from common.learning.training.settings import TrainSettings as Settings; "
    "Adam(layer.parameters(), Settings(steps=1, batch=1, learning_rate=1)).step(1.0)"
)
TORCHS = "torch.optim.Adam(layer.parameters(), fused=True).step()"


def process_seconds(program):
    """Return the CPU seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", START + program], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def step_seconds(step):
    begin = time.process_time()
    for _ in range(STEPS):
        step()
    return (time.process_time() - begin) / STEPS


def fastest(ours, theirs, rounds):
    """Return the least seconds of each, taken in turns."""
    return map(min, zip(*[(ours(), theirs()) for _ in range(rounds)]))


def test_a_step_takes_three_quarters_of_torchs(capsys):
    network = build_backbone(MLPSettings(width=128, blocks=3), (1, 8, 8), seed=0)
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, 1e-3)
    ours, theirs = Adam(network.parameters(), SETTINGS), torch.optim.Adam(network.parameters(), fused=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        a, b = fastest(lambda: step_seconds(lambda: ours.step(1e-3)), lambda: step_seconds(theirs.step), ROUNDS)
    finally:
        torch.set_num_threads(threads)
    with capsys.disabled():
        print(f"\nour step {1e6 * a:.0f} us, torch's {1e6 * b:.0f} us, ratio {a / b:.2f}")
    assert a / b < 0.9


def test_a_process_that_trains_starts_in_two_thirds_of_the_time(capsys):
    a, b = fastest(lambda: process_seconds(OURS), lambda: process_seconds(TORCHS), 3)
    with capsys.disabled():
        print(f"\nwith ours {a:.2f} s, with torch's {b:.2f} s, ratio {a / b:.2f}")
    assert a / b < 0.8
