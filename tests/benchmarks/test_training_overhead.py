"""The whole training loop against the bare step, both on one thread, in turns, fastest of each."""

import time

import pytest
import torch

from common.learning.data.batches import EpochSampler
from common.learning.nets.build import MLPSettings, build_backbone
from common.learning.training.loop import train
from common.learning.training.settings import TrainSettings

pytestmark = pytest.mark.benchmark
STEPS, ROUNDS, BATCH = 600, 7, 128
SETTINGS = MLPSettings(width=192, blocks=3)  # the laptop level's network for the digits
IMAGES = torch.randn(1437, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def loss(network, x0, generator):
    """Flow matching's, as any training of it has to compute it: drawing included."""
    t, noise = torch.rand(BATCH, generator=generator), torch.randn(x0.shape, generator=generator)
    return (network(torch.lerp(x0, noise, t[:, None, None, None]), t) - (noise - x0)).square().mean()


def bare_step():
    """Return seconds per step of what nobody can leave out: a batch, loss, backward, Adam."""
    network, generator = build_backbone(SETTINGS, (1, 8, 8), seed=0), torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    order = torch.randperm(len(IMAGES), generator=generator)
    begin = time.perf_counter()
    for step in range(STEPS):
        optimiser.zero_grad(set_to_none=True)
        loss(network, IMAGES[order[step % 10 * BATCH :][:BATCH]], generator).backward()
        optimiser.step()
    return (time.perf_counter() - begin) / STEPS


def whole_loop(folder):
    """Return seconds per step of a training as the experiments do it."""
    network, sampler = build_backbone(SETTINGS, (1, 8, 8), seed=0), EpochSampler(len(IMAGES), BATCH, 0)
    settings = TrainSettings(steps=STEPS, batch=BATCH, learning_rate=1e-3, warmup_steps=100, clip_norm=1.0)
    options = {"settings": settings, "seed": 0, "device": torch.device("cpu"), "fingerprint": "f" * 64}
    begin = time.perf_counter()
    train(
        network,
        lambda network, step, generator: loss(network, IMAGES[sampler(step)], generator),
        state_file=folder / "state.pt",
        **options,
    )
    return (time.perf_counter() - begin) / STEPS


def test_loop_costs_little_more_than_the_bare_step(tmp_path, capsys):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        pairs = [(bare_step(), whole_loop(tmp_path / str(number))) for number in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    bare, loop = (min(times) for times in zip(*pairs))
    with capsys.disabled():
        print(f"\nbare step {1e3 * bare:.2f} ms, loop {1e3 * loop:.2f} ms per step, ratio {loop / bare:.2f}")
    assert loop / bare < 1.15
