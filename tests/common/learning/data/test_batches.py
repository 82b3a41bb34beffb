import pytest
import torch

from common.errors import SettingsError
from common.learning.data.batches import EpochSampler


@pytest.mark.parametrize(("n", "batch"), [(12, 4), (10, 4), (7, 3), (3, 8)])
def test_every_epoch_covers_every_index_once(n, batch):
    sampler = EpochSampler(n, batch, seed=0)
    steps = [sampler(step) for step in range(6 * n)]
    assert all(len(indices) == batch for indices in steps)
    epochs = torch.cat(steps)[: 6 * n].reshape(6, n)
    assert torch.equal(epochs.sort(1).values, torch.arange(n).expand(6, n))
    assert len({tuple(epoch.tolist()) for epoch in epochs}) > 1


def test_a_step_depends_on_nothing_that_came_before():
    sampler = EpochSampler(10, 4, seed=3)
    unbroken = [sampler(step) for step in range(20)]
    for step in reversed(range(20)):
        assert torch.equal(EpochSampler(10, 4, seed=3)(step), unbroken[step])
        assert torch.equal(sampler(step), unbroken[step])


def test_order_depends_on_the_seed_alone():
    torch.manual_seed(0)
    first = EpochSampler(50, 50, seed=0)(0)
    torch.manual_seed(1)
    assert torch.equal(EpochSampler(50, 50, seed=0)(0), first)
    assert not torch.equal(EpochSampler(50, 50, seed=1)(0), first)


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_partition_the_batch(world):
    whole = EpochSampler(10, 6, seed=0)
    ranks = [EpochSampler(10, 6, seed=0, rank=rank, world=world) for rank in range(world)]
    for step in range(10):
        assert torch.equal(torch.cat([rank(step) for rank in ranks]), whole(step))


def test_only_a_few_permutations_are_kept():
    sampler = EpochSampler(10, 4, seed=0)
    for step in range(100):
        sampler(step)
    assert len(sampler._orders) <= 2


def test_a_batch_that_does_not_divide_is_an_error():
    with pytest.raises(SettingsError, match="batch 5 does not divide over 2"):
        EpochSampler(10, 5, seed=0, world=2)
