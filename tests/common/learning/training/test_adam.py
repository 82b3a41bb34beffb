import subprocess
import sys
from copy import deepcopy

import pytest
import torch
from torch import nn

from common.learning.training.adam import Adam
from common.learning.training.settings import TrainSettings

SETTINGS = {"steps": 9, "batch": 1, "learning_rate": 0.1, "betas": (0.8, 0.95), "epsilon": 1e-3}


def network():
    torch.manual_seed(0)
    return nn.ModuleList([nn.Linear(5, 3), nn.Linear(5, 3)])


def gradients(net, step):
    """Set the gradients of a step; the second layer has none."""
    generator = torch.Generator().manual_seed(step)
    for parameter in net[0].parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_steps_are_those_of_torch(decay):
    ours, theirs = network(), network()
    settings = TrainSettings(**SETTINGS, weight_decay=decay)
    kind = torch.optim.AdamW if decay else torch.optim.Adam
    reference = kind(theirs.parameters(), betas=settings.betas, eps=settings.epsilon, weight_decay=decay, fused=True)
    mine = Adam(ours.parameters(), settings)
    for step in range(9):
        gradients(ours, step)
        gradients(theirs, step)
        reference.param_groups[0]["lr"] = 0.1 / (1 + step)
        reference.step()
        mine.step(0.1 / (1 + step))
        assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters()))
    assert not torch.equal(ours[0].weight, network()[0].weight)


def test_a_loaded_state_goes_on_with_moments_of_its_own():
    net, settings = network(), TrainSettings(**SETTINGS)
    adam = Adam(net.parameters(), settings)
    for step in range(4):
        gradients(net, step)
        adam.step(0.1)
    other, saved = deepcopy(net), deepcopy(adam.state_dict())
    resumed = Adam(other.parameters(), settings)
    resumed.load_state_dict(saved)
    for model, optimiser in ((net, adam), (other, resumed)):
        gradients(model, 4)
        optimiser.step(0.1)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters()))
    # the state that was loaded is not written into
    assert saved["count"] == 4 and adam.count == resumed.count == 5


def test_a_step_leaves_the_compiler_unimported():
    code = """
import sys
import torch
from common.learning.training.adam import Adam
from common.learning.training.settings import TrainSettings
weight = torch.nn.Parameter(torch.ones(2))
weight.grad = torch.ones(2)
Adam([weight], TrainSettings(steps=1, batch=1, learning_rate=0.1)).step(0.1)
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
