"""Noise and signal of gradients against a model whose gradients are known: a prediction that is one number, whatever is asked."""

import math

import pytest
import torch
from torch import nn

from common.dynamics.paths import level_times, optimal_transport, ve, vp
from common.learning.objectives import Objective
from replications.survey.gradient_noise import BinNoise, TimeBin, bin_noise, time_bins, total_noise

DIM, GUESS = 4, 1.5


class Constant(nn.Module):
    """Predicts one number for every pixel, so a sample's gradient is 2 w(t) (number - mean of its noise)."""

    def __init__(self):
        super().__init__()
        self.number = nn.Parameter(torch.tensor(GUESS, dtype=torch.float64))

    def forward(self, x, t):
        return self.number.expand(x.shape)


def draw(number, generator):
    return torch.randn(20, DIM, generator=generator, dtype=torch.float64)


def measured(objective, edges, batches=400):
    generator = torch.Generator().manual_seed(0)
    return [
        bin_noise(Constant(), objective, each, draw, batches=batches, generator=generator) for each in time_bins(objective, edges)
    ]


def test_noise_and_signal_of_each_bin():
    """With w = 3 below 1/2 and 1 above: noise 4 w^2 / dim, signal 4 w^2 number^2, loss w (number^2 + 1)."""
    objective = Objective(optimal_transport(), "noise", lambda t: torch.where(t < 0.5, 3.0, 1.0).to(t))
    for weight, found in zip((3, 1), measured(objective, [0, 0.5, 1])):
        assert found.noise == pytest.approx(4 * weight**2 / DIM, rel=0.15)
        assert found.signal == pytest.approx(4 * weight**2 * GUESS**2, rel=0.04)
        assert found.loss == pytest.approx(weight * (GUESS**2 + 1), rel=0.02)


def test_all_times_together():
    """Means 6 and 2 numbers around 4: between the bins lie 4 number^2, within them (36 + 4) / 2 / dim."""
    objective = Objective(optimal_transport(), "noise", lambda t: torch.where(t < 0.5, 3.0, 1.0).to(t))
    total = total_noise(measured(objective, [0, 0.5, 1]))
    assert total.noise == pytest.approx(20 / DIM + 4 * GUESS**2, rel=0.05)
    assert total.signal == pytest.approx(16 * GUESS**2, rel=0.02)
    assert total.shares == pytest.approx([0.9, 0.1], abs=0.02)
    # one bin of all times has the same
    alone = total_noise(measured(objective, [0, 1]))
    assert (alone.noise, alone.signal) == (pytest.approx(total.noise, rel=0.15), pytest.approx(total.signal, rel=0.02))


def test_what_noise_adds_to_a_mean_is_taken_off():
    """Two estimates of a mean of zero, by hand: their signal is negative where the noise left says more than they found."""
    where = [TimeBin(0.25, 0.25, torch.clone), TimeBin(0.75, 0.75, torch.clone)]
    bins = [
        BinNoise(where[0], 1.0, 8.0, -1.0, torch.tensor([1.0, 1.0])),
        BinNoise(where[1], 1.0, 4.0, 0.0, torch.tensor([-1.0, 0.0])),
    ]
    total = total_noise(bins)
    left = 0.25**2 * 3 + 0.75**2 * 1
    signal = 0.5**2 + 0.25**2 - left
    assert total.signal == pytest.approx(signal)
    assert total.noise == pytest.approx(0.25 * 8 + 0.75 * 4 + 0.25 * -1 - signal)
    assert total.shares == pytest.approx([0.4, 0.6])


def test_an_unbiased_signal():
    """A model that is right has no signal: with few batches its estimate is zero on average, and not the noise of a mean."""
    objective, found = Objective(optimal_transport(), "noise", "one"), []
    for seed in range(200):
        model, generator = Constant(), torch.Generator().manual_seed(seed)
        model.number.data.zero_()
        [where] = time_bins(objective, [0, 1])
        found.append(bin_noise(model, objective, where, draw, batches=2, generator=generator).signal)
    noise_of_mean = 4 / DIM / 40
    assert abs(sum(found) / len(found)) < 4 * noise_of_mean * math.sqrt(2 / len(found)) < noise_of_mean


def test_bins_of_all_times():
    objective = Objective(vp(), "noise", "one")
    first, last = time_bins(objective, [0, 0.2, 1])
    uniform = torch.linspace(0, 1, 101, dtype=torch.float64)
    assert float(first.times(uniform).min()) == pytest.approx(1e-5) and float(first.times(uniform).max()) == pytest.approx(0.2)
    assert float(last.times(uniform).min()) == pytest.approx(0.2) and float(last.times(uniform).max()) == pytest.approx(1)
    assert first.share + last.share == pytest.approx(1) and first.share < 0.2
    assert (first.middle, last.middle) == (0.1, 0.6)


def test_bins_of_noise_levels():
    """Of five levels at 1, 3/4, 1/2, 1/4 and 0, each falls into one bin; a bin without any is left out."""
    path = ve(0.01, 10.0)
    objective = Objective(path, "noise", "one", level_times(path, 5))
    bins = time_bins(objective, [0, 0.1, 0.2, 0.5, 1])
    uniform = torch.rand(200, generator=torch.Generator().manual_seed(0))
    found = [sorted(set(each.times(uniform).tolist())) for each in bins]
    assert found == [[0.0], [0.25], [0.5, 0.75, 1.0]]
    assert [each.share for each in bins] == pytest.approx([0.2, 0.2, 0.6])
    assert [each.middle for each in bins] == pytest.approx([0.05, 0.35, 0.75])
