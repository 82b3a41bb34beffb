"""NCSNv2's networks against their authors' code: the kept numbers are that code's, and the time of forward and backward pass.

The authors' repository (github.com/ermongroup/ncsnv2) is no dependency: RETRACE_NCSNV2_OFFICIAL names a checkout.
Both networks run on two threads, in turns, fastest each.
"""

import json
import os
import time

import pytest
import torch
from ncsnv2_official import CLASSES, FILE, LEVELS, official_answers, official_network

from common.learning.nets.mlp import parameter_count
from replications.ncsnv2.refinenets import RefineNetV2Settings

CHECKOUT = os.environ.get("RETRACE_NCSNV2_OFFICIAL")
pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not CHECKOUT, reason="RETRACE_NCSNV2_OFFICIAL names no checkout of github.com/ermongroup/ncsnv2"),
]
ROUNDS = 8


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(CHECKOUT)


@pytest.mark.parametrize("depth", CLASSES)
def test_the_kept_numbers_are_the_authors(depth):
    found, kept = official_answers(depth), json.loads(FILE.read_text())[depth]
    for name, values in kept.items():
        torch.testing.assert_close(found[name], values, rtol=1e-9, atol=1e-9)


def seconds(network, x, level):
    network.zero_grad(set_to_none=True)
    begin = time.perf_counter()
    network(x, level).square().sum().backward()
    return time.perf_counter() - begin


@pytest.mark.parametrize(("depth", "size"), [("standard", 32), ("deeper", 64)])
def test_step_is_no_slower_than_the_authors(depth, size, capsys):
    shape = (3, size, size)
    official, ours = official_network(depth, shape, 64), RefineNetV2Settings(depth=depth, filters=64).build(shape)
    assert parameter_count(ours) == parameter_count(official)
    x, level = torch.rand(4, *shape), torch.randint(LEVELS, (4,))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        pairs = [(seconds(official, x, level), seconds(ours, x, level.float())) for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    theirs, mine = (min(times) for times in zip(*pairs))
    with capsys.disabled():
        print(f"\n{depth}, {size} pixels: official {theirs:.3f} s, ours {mine:.3f} s, ratio {mine / theirs:.2f}")
    assert mine < 1.1 * theirs
