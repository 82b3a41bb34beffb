import subprocess
import sys

import pytest
import torch
from torch import nn

from common.learning.training.adam import Adam
from common.learning.training.settings import TrainSettings

CPU = torch.device("cpu")
CHANGES = {"betas": (0.8, 0.95), "epsilon": 1e-3}
RATES = (0.1, 0.3, 0.05, 0.2)


def settings(decay):
    return TrainSettings(steps=4, batch=1, learning_rate=0.1, weight_decay=decay, **CHANGES)


def network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).double()


def torchs(model, decay):
    kind = torch.optim.AdamW if decay else torch.optim.Adam
    return kind(model.parameters(), lr=1.0, betas=CHANGES["betas"], eps=CHANGES["epsilon"], weight_decay=decay, fused=True)


def gradients(model, step):
    """The last layer has none at first: its own count of steps begins later."""
    generator = torch.Generator().manual_seed(step)
    for place, parameter in enumerate(model.parameters()):
        values = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        parameter.grad = None if place > 1 and step == 0 else values


def moved_by_torch(model, optimiser, steps):
    for step in steps:
        gradients(model, step)
        optimiser.param_groups[0]["lr"] = RATES[step]
        optimiser.step()


def moved(model, optimiser, steps):
    for step in steps:
        gradients(model, step)
        optimiser.step(RATES[step])


def same(a, b):
    return all(torch.equal(one, other) for one, other in zip(a.parameters(), b.parameters()))


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_moves_as_torchs_does_bit_for_bit(decay):
    ours, theirs = network(), network()
    moved(ours, Adam(ours.parameters(), settings(decay), CPU), range(4))
    moved_by_torch(theirs, torchs(theirs, decay), range(4))
    assert same(ours, theirs) and not same(ours, network())


@pytest.mark.parametrize("done", [1, 2])
def test_goes_on_from_its_own_state_and_from_torchs(done):
    unbroken, theirs, ours = network(), network(), network()
    moved(unbroken, Adam(unbroken.parameters(), settings(0.0), CPU), range(4))
    first, second = torchs(theirs, 0.0), Adam(ours.parameters(), settings(0.0), CPU)
    moved_by_torch(theirs, first, range(done))
    moved(ours, second, range(done))
    for half_way, state in ((theirs, first.state_dict()), (ours, second.state_dict())):
        resumed = Adam(half_way.parameters(), settings(0.0), CPU)
        resumed.load_state_dict(state)
        moved(half_way, resumed, range(done, 4))
        assert same(half_way, unbroken)


def test_without_any_gradient_nothing_moves():
    model = network()
    Adam(model.parameters(), settings(0.1), CPU).step(1.0)
    assert same(model, network())


def test_a_training_does_not_load_torchs_compiler(tmp_path):
    """Its import would cost every process that trains more than a second."""
    program = f"""
import sys, torch, pathlib
from common.learning.training.loop import train
from common.learning.training.settings import TrainSettings
train(
    torch.nn.Linear(1, 1), lambda network, step, generator: network(torch.ones(1, 1)).sum(),
    settings=TrainSettings(steps=2, batch=1, learning_rate=0.1, clip_norm=1.0), seed=0, device=torch.device("cpu"),
    state_file=pathlib.Path({str(tmp_path / "state.pt")!r}), fingerprint="f" * 64,
)
assert "torch._dynamo" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
