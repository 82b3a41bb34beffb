"""NCSN's network against its authors' code: the same answers from the same weights, and the time of forward and backward pass.

The authors' repository (github.com/ermongroup/ncsn) has another licence and is no dependency: RETRACE_NCSN_OFFICIAL names a
checkout.
Both networks run on two threads, in turns, fastest each.
"""

import os
import time
from importlib import import_module
from types import SimpleNamespace

import pytest
import torch

from common.learning.nets.mlp import parameter_count
from replications.ncsn.refinenet import RefineNetSettings

CHECKOUT = os.environ.get("RETRACE_NCSN_OFFICIAL")
pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not CHECKOUT, reason="RETRACE_NCSN_OFFICIAL names no checkout of github.com/ermongroup/ncsn"),
]
ROUNDS = 8


@pytest.fixture
def both(monkeypatch):
    """Return `both(shape, filters, levels)`: the authors' network and ours with its weights."""
    monkeypatch.syspath_prepend(CHECKOUT)

    def build(shape, filters, levels):
        name = "cond_refinenet_dilated.CondRefineNetDilated" if levels else "refinenet_dilated_baseline.RefineNetDilated"
        module, network = name.split(".")
        data = SimpleNamespace(logit_transform=False, channels=shape[0], image_size=shape[1])
        model = SimpleNamespace(ngf=filters, num_classes=levels)
        torch.manual_seed(0)
        official = getattr(import_module(f"models.{module}"), network)(SimpleNamespace(data=data, model=model))
        ours = RefineNetSettings(filters=filters, levels=levels).build(shape)
        with torch.no_grad():
            copied = sum(copy_weights(*pair) for pair in counterparts(official, ours))
        assert copied == parameter_count(official) == parameter_count(ours)
        return official, ours

    return build


def copy_weights(theirs, mine):
    """Copy a convolution's or a norm's weights, and return how many there were."""
    if hasattr(mine, "table"):
        table = theirs.embed.weight if hasattr(theirs, "embed") else torch.cat([theirs.gamma, theirs.alpha, theirs.beta])[None]
        mine.table.weight.copy_(table)
    else:
        mine.load_state_dict(theirs.state_dict())
    return parameter_count(theirs)


def counterparts(official, ours):
    """Each norm and convolution of theirs with ours."""
    yield from [(official.begin_conv, ours.enter), (official.normalizer, ours.leave.norm), (official.end_conv, ours.leave.conv)]
    for k, stage in enumerate(ours.stages):
        for theirs, mine in zip(getattr(official, f"res{k + 1}"), stage):
            first, second = mine.layers
            yield from [(theirs.normalize1, first.norm), (theirs.conv1, first.conv), (theirs.normalize2, second.norm)]
            # where they pool, the convolution is inside
            yield getattr(theirs.conv2, "conv", theirs.conv2), second.conv
            if hasattr(theirs, "shortcut"):
                yield getattr(theirs.shortcut, "conv", theirs.shortcut), mine.shortcut
    for k, mine in enumerate(ours.refine):
        theirs = getattr(official, f"refine{k + 1}")
        for units, chain in zip([*theirs.adapt_convs, theirs.output_convs], [*mine.adapt, mine.finish]):
            for i, unit in enumerate(chain):
                for j, layer in enumerate(unit.layers):
                    yield getattr(units, f"{i + 1}_{j + 1}_norm"), layer.norm
                    yield getattr(units, f"{i + 1}_{j + 1}_conv"), layer.conv
        for rooms in [(theirs.crp, mine.pool), *([(theirs.msf, mine.fuse)] if mine.fuse else [])]:
            yield from zip([*rooms[0].norms, *rooms[0].convs], [*rooms[1].norms, *rooms[1].convs])


@pytest.mark.parametrize("levels", [10, None])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_answers_are_the_authors(shape, levels, both):
    torch.set_default_dtype(torch.float64)
    try:
        official, ours = both(shape, 8, levels)
        x, level = torch.rand(3, *shape), torch.tensor([0, 9, 4])
        expected = official(x, level) if levels else official(x)
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(ours(x, level.double()), expected, rtol=1e-10, atol=1e-10)


def seconds(network, x, level):
    network.zero_grad(set_to_none=True)
    begin = time.perf_counter()
    network(x, level).square().sum().backward()
    return time.perf_counter() - begin


@pytest.mark.parametrize(("shape", "filters", "batch"), [((1, 28, 28), 64, 16), ((3, 32, 32), 128, 4)])
def test_step_is_faster_than_the_authors(shape, filters, batch, both, capsys):
    official, ours = both(shape, filters, 10)
    x, level = torch.rand(batch, *shape), torch.randint(10, (batch,))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        pairs = [(seconds(official, x, level), seconds(ours, x, level.float())) for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    theirs, mine = (min(times) for times in zip(*pairs))
    with capsys.disabled():
        print(f"\n{shape}, {filters} filters: official {theirs:.3f} s, ours {mine:.3f} s, ratio {mine / theirs:.2f}")
    assert mine < theirs
