"""The MMD by characteristic functions: closed forms beside samples and quadrature, its floor, what it sees."""

import pytest
import torch

from common.dynamics.oracles import GaussianMixture
from common.dynamics.paths import vp
from common.learning.data.densities import DENSITIES
from replications.survey.characteristic import BOARDS, of_checkerboard, of_mixture, target

F64 = torch.float64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def mixture(*means, std=0.3):
    means = torch.tensor(means, dtype=F64)
    ones = torch.ones(len(means), dtype=F64)
    return GaussianMixture(vp(), weights=ones, means=means, stds=std * ones)


def test_one_gaussian_by_hand():
    w = torch.tensor([[1.0, 2.0], [0.0, -1.0]], dtype=F64)
    expected = torch.exp(1j * (w @ torch.tensor([0.5, -1.0], dtype=F64)) - 0.5 * 0.09 * torch.tensor([5.0, 1.0], dtype=F64))
    torch.testing.assert_close(of_mixture(mixture([0.5, -1.0]))(w), expected)


@pytest.mark.parametrize("data", BOARDS)
def test_boards_are_those_of_the_data(data):
    x = DENSITIES[data](20_000, generator=generator()).double()
    goal = target(BOARDS[data], 2, 0.7, 100, generator=generator(1))
    assert goal.mmd(x) < 1.6 * goal.floor(len(x)) < 0.02
    assert goal.mmd(x + torch.tensor([2.0, 0.0])) > 0.1 and goal.mmd(1.1 * x) > 0.02


def test_the_checkerboard_at_a_frequency_by_hand():
    """Along one axis alone cells fill [-4, 4] evenly: sin(4 w) / (4 w)."""
    w = torch.tensor([[0.3, 0.0], [0.0, 0.7]], dtype=F64)
    torch.testing.assert_close(of_checkerboard(w).real, torch.sin(4 * w.sum(1)) / (4 * w.sum(1)))
    assert float(of_checkerboard(w).imag.abs().max()) < 1e-12


def test_the_floor_is_the_mean_square_of_data_against_the_truth():
    model = mixture([0.5, 0.0], [-0.5, 0.2])
    goal = target(of_mixture(model), 2, 0.5, 200, generator=generator())
    squares = [goal.mmd(model.sample(100, generator=generator(seed))) ** 2 for seed in range(200)]
    assert sum(squares) / 200 == pytest.approx(goal.floor(100) ** 2, rel=0.1)
    assert goal.floor(400) == pytest.approx(goal.floor(100) / 2)


def test_it_is_the_mmd_of_a_gaussian_kernel():
    """Of two Gaussians N(0, v) and N(m, v) with kernel width l: closed form (Gretton 2012)."""
    one, other, std, width = mixture([0.0, 0.0]), mixture([0.6, 0.0]), 0.3, 0.5
    goal = target(of_mixture(one), 2, width, 4000, generator=generator())
    x = other.sample(1000, generator=generator(1))
    spread = width**2 + 2 * std**2
    exact = (2 * width**2 / spread * (1 - torch.exp(torch.tensor(-0.36 / (2 * spread))))) ** 0.5
    assert goal.mmd(x) == pytest.approx(float(exact), rel=0.06)
