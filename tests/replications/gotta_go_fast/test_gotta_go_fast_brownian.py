"""Increments after rejections: what is redrawn, what is kept, and that a bridge's path is a Brownian motion's."""

import math

import pytest
import torch

from replications.gotta_go_fast.brownian import bridge, kept, redrawn

F64 = torch.float64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(*values):
    return torch.tensor(values, dtype=F64)


def run(remember, n, trials, seed=0):
    """Increments [n] of a sequence of (since, until, moved), the same for n samples; moved: by the step before."""
    draws, memory, found = generator(seed), (), []
    for since, until, moved in trials:
        fresh = torch.randn(n, 1, generator=draws, dtype=F64)
        full = [torch.full((n,), value, dtype=F64) for value in (since, until)]
        dw, memory = remember(memory, fresh, *full, torch.full((n,), moved))
        found.append(dw[:, 0])
    return torch.stack(found)


def test_redrawn_noise_is_new_and_scales_with_the_root_of_the_step():
    dw = run(redrawn, 20_000, [(0.0, 0.4, True), (0.0, 0.1, False)])
    torch.testing.assert_close(torch.cov(dw), torch.diag(rows(0.4, 0.1)), rtol=0, atol=0.02)


def test_the_kept_unit_normal_scales_with_the_root_of_the_step_and_goes_on_acceptance():
    long, short, again, fresh = run(kept, 50, [(0.0, 0.4, True), (0.0, 0.1, False), (0.0, 0.05, False), (0.05, 0.3, True)])
    torch.testing.assert_close(short, long / 2)
    torch.testing.assert_close(again, long * math.sqrt(0.05 / 0.4))
    assert abs(torch.corrcoef(torch.stack([fresh, long]))[0, 1]) < 0.4


def test_each_sample_keeps_its_own():
    memory, fresh = (rows([1.0], [2.0], [3.0]),), rows([7.0], [8.0], [9.0])
    dw, after = kept(memory, fresh, rows(0.0, 0.0, 0.0), rows(1.0, 4.0, 9.0), torch.tensor([False, True, False]))
    torch.testing.assert_close(dw, rows([1.0], [16.0], [9.0]))
    assert torch.equal(after[0], rows([1.0], [8.0], [3.0]))


# since, until, whether the step before was accepted: two rejections, acceptance, a step inside what is known, one across two
# known points that is rejected, one that ends at a known point, and one beyond all
TRIALS = [
    (0.0, 0.8, True),
    (0.0, 0.5, False),
    (0.0, 0.2, False),
    (0.2, 0.3, True),
    (0.3, 0.7, True),
    (0.3, 0.5, False),
    (0.5, 1.2, True),
]


def test_a_bridge_has_the_covariance_of_one_brownian_motion():
    """Cov of two increments is the length that they share, for each pair: within and across rejections."""
    n = 40_000
    found = torch.cov(run(bridge, n, TRIALS))
    expected = torch.tensor(
        [[max(min(b, d) - max(a, c), 0.0) for c, d, _ in TRIALS] for a, b, _ in TRIALS],
        dtype=F64,
    )
    error = (expected.diag()[:, None] * expected.diag() + expected.square()).sqrt() / n**0.5
    assert ((found - expected).abs() < 4.5 * error + 1e-12).all(), found - expected


def test_increments_add_up_to_the_path():
    dw = run(bridge, 10, [(0.0, 0.8, True), (0.0, 0.3, False), (0.3, 0.8, True)])
    torch.testing.assert_close(dw[1] + dw[2], dw[0])


def test_samples_of_a_bridge_do_not_meet():
    """One sample is rejected and the other is not; each is as it is alone."""
    draws = torch.randn(4, 2, 3, generator=generator(), dtype=F64)
    times = [([0.0, 0.0], [0.8, 0.4]), ([0.0, 0.4], [0.2, 0.9]), ([0.2, 0.4], [1.0, 0.5]), ([1.0, 0.5], [1.1, 0.9])]
    moved = [[True, True], [False, True], [True, False], [True, True]]

    def path(chosen):
        memory, found = (), []
        for fresh, (since, until), accepted in zip(draws, times, moved):
            parts = (rows(*since)[chosen], rows(*until)[chosen], torch.tensor(accepted)[chosen])
            dw, memory = bridge(memory, fresh[chosen], *parts)
            found.append(dw)
        return torch.stack(found, 1)

    assert torch.equal(path([0, 1]), torch.cat([path([0]), path([1])]))


def test_points_of_the_past_make_room():
    memory = ()
    for k in range(50):
        fresh = torch.ones(2, 1, dtype=F64)
        _, memory = bridge(memory, fresh, rows(k, k), rows(k + 1, k + 1), torch.tensor([True, True]))
    assert memory[0].shape == (2, 2) and memory[1].shape == (2, 2, 1)


@pytest.mark.parametrize("remember", [redrawn, kept, bridge])
def test_the_dtype_is_the_noises_own(remember):
    dw, _ = remember((), torch.ones(2, 3), rows(0.0, 0.0), rows(0.25, 4.0), torch.tensor([True, True]))
    assert dw.dtype == torch.float32
    torch.testing.assert_close(dw, torch.tensor([[0.5] * 3, [2.0] * 3]))
