"""Score SDE's networks against their authors' code: the kept numbers are that code's, and the time of forward and backward pass.

The authors' repository (github.com/yang-song/score_sde_pytorch) is no dependency: RETRACE_SCORE_SDE_OFFICIAL names a checkout.
Both networks run on two threads, in turns, fastest each. On a CPU the authors' filter is their own fallback for it.
"""

import json
import os
import time

import pytest
import torch
from score_sde_official import CASES, FILE, fill, inputs, official_network, summary

from common.learning.nets.mlp import parameter_count
from replications.score_sde.networks.ncsnpp import NCSNppSettings
from replications.score_sde.networks.official_names import places

CHECKOUT = os.environ.get("RETRACE_SCORE_SDE_OFFICIAL")
pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(
        not CHECKOUT, reason="RETRACE_SCORE_SDE_OFFICIAL names no checkout of github.com/yang-song/score_sde_pytorch"
    ),
]
ROUNDS = 8
CIFAR = {"channels": 64, "multipliers": (1, 2, 2, 2), "blocks": 2, "attention": (16,)}
NETWORKS = {
    "DDPM": ({**CIFAR, "block": "ddpm", "rescale": False, "fir": False, "embedding": "sinusoidal"}, 32),
    "DDPM++": ({**CIFAR, "fir": False, "embedding": "sinusoidal"}, 32),
    "NCSN++": ({**CIFAR, "input": "residual", "embedding": "fourier", "centred": False}, 32),
    "NCSN++, large": (
        {**CIFAR, "input": "input_skip", "output": "output_skip", "embedding": "fourier", "centred": False, "blocks": 1},
        64,
    ),
}


def given(case, t):
    return t.exp() if case["embedding"] == "fourier" else t.long()


@pytest.mark.parametrize("name", CASES)
def test_the_kept_numbers_are_the_authors(name):
    case = CASES[name]
    official, (x, t) = official_network(CHECKOUT, case, ddpm=name == "ddpm").eval(), inputs(case["embedding"])
    fill(official.parameters())
    with torch.no_grad():
        found = torch.tensor(summary(official(x.float(), given(case, t.float()))))
    expected = torch.tensor(json.loads(FILE.read_text())["outputs"][name])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-5 * expected[-1].sqrt().item())


def seconds(network, x, t):
    network.zero_grad(set_to_none=True)
    begin = time.perf_counter()
    network(x, t).square().sum().backward()
    return time.perf_counter() - begin


@pytest.mark.parametrize("name", NETWORKS)
def test_step_is_no_slower_than_the_authors(name, capsys):
    case, size = NETWORKS[name]
    official = official_network(CHECKOUT, case, (3, size, size))
    ours = NCSNppSettings(**case).build((3, size, size))
    fill(official.parameters())
    fill(places(ours).values())
    assert parameter_count(ours) == sum(parameter.numel() for parameter in official.parameters() if parameter.requires_grad)
    x, t = (
        torch.rand(4, 3, size, size),
        torch.tensor([-1.0, 0.0, 1.0, 2.0] if case["embedding"] == "fourier" else [1, 50, 400, 900]),
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        pairs = [(seconds(official, x, given(case, t)), seconds(ours, x, t.float())) for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    theirs, mine = (min(times) for times in zip(*pairs))
    with capsys.disabled():
        print(f"\n{name}, {size} pixels: official {theirs:.3f} s, ours {mine:.3f} s, ratio {mine / theirs:.2f}")
    assert mine < 1.05 * theirs
