"""The samplers against FFJORD's recipes, repeated in NumPy and scikit-learn, and the closed forms against integrals."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import make_circles, make_moons, make_swiss_roll

from common.learning.data.densities import DENSITIES, ENTROPY, LOG_DENSITIES

N = 200_000


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def eight_gaussians(rng):
    corner = 4 / math.sqrt(2)
    centres = [(4, 0), (-4, 0), (0, 4), (0, -4), (corner, corner), (corner, -corner), (-corner, corner), (-corner, -corner)]
    return (np.array(centres)[rng.integers(8, size=N)] + 0.5 * rng.standard_normal((N, 2))) / 1.414


def checkerboard(rng):
    # rejection from the whole board: dark are the cells whose column and row are both even or both odd
    x = rng.uniform(-4, 4, (3 * N, 2))
    return x[(np.floor(x / 2).sum(1) % 2) == 0][:N]


def two_spirals(rng):
    turn = 3 * np.pi * np.sqrt(rng.random(N // 2))
    arm = np.stack([-turn * np.cos(turn), turn * np.sin(turn)], 1) + rng.random((N // 2, 2)) / 2
    return np.concatenate([arm, -arm]) / 3 + 0.1 * rng.standard_normal((N, 2))


def pinwheel(rng):
    # complex numbers: the arms are turned clockwise, so the conjugate of a rotation
    petal = 1 + 0.3 * rng.standard_normal(N) + 0.1j * rng.standard_normal(N)
    z = 2 * petal * np.exp(-1j * (2 * np.pi / 5 * rng.integers(5, size=N) + 0.25 * np.exp(petal.real)))
    return np.stack([z.real, z.imag], 1)


def rings(rng):
    z = rng.choice([0.25, 0.5, 0.75, 1.0], N) * np.exp(2j * np.pi * rng.random(N))
    return 3 * np.stack([z.real, z.imag], 1) + 0.08 * rng.standard_normal((N, 2))


REFERENCES = {
    "eight_gaussians": eight_gaussians,
    "checkerboard": checkerboard,
    "moons": lambda rng: 2 * make_moons(N, noise=0.1, random_state=1)[0] + [-1, -0.2],
    "circles": lambda rng: 3 * make_circles(N, factor=0.5, noise=0.08, random_state=1)[0],
    "two_spirals": two_spirals,
    "pinwheel": pinwheel,
    "swiss_roll": lambda rng: make_swiss_roll(N, noise=1.0, random_state=1)[0][:, [0, 2]] / 5,
    "rings": rings,
}


def excess(a: np.ndarray, b: np.ndarray) -> float:
    """Standard score of the two-sample chi-square statistic over 60 x 60 cells, for as many points in a as in b."""
    edges = np.linspace(-6, 6, 61)
    first, second = (np.histogram2d(*x.clip(-5.99, 5.99).T, bins=edges)[0] for x in (a, b))
    cells = first + second > 10
    statistic = ((first - second)[cells] ** 2 / (first + second)[cells]).sum()
    return (statistic - cells.sum()) / math.sqrt(2 * cells.sum())


@pytest.mark.parametrize("name", DENSITIES)
def test_same_distribution_as_the_recipe(name):
    points = DENSITIES[name](N, generator=generator())
    assert points.shape == (N, 2) and points.dtype == torch.float32
    assert excess(points.numpy(), REFERENCES[name](np.random.default_rng(0))) < 4


def test_the_comparison_sees_a_noise_too_large_by_a_tenth():
    noisy = DENSITIES["rings"](N, generator=generator()).numpy()
    noisy += math.sqrt(0.088**2 - 0.08**2) * np.random.default_rng(1).standard_normal((N, 2))
    assert excess(noisy, rings(np.random.default_rng(0))) > 10


@pytest.mark.parametrize("name", DENSITIES)
def test_points_follow_from_the_generator_alone(name):
    before = torch.get_rng_state()
    first, again, other = (DENSITIES[name](100, generator=generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def grid(half: float, step: float) -> torch.Tensor:
    """Midpoints of the cells of a square grid."""
    axis = torch.arange(-half + step / 2, half, step, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis)


@pytest.mark.parametrize("name", LOG_DENSITIES)
def test_density_integrates_to_one_and_gives_the_entropy(name):
    # the midpoint rule is exact for the board and, to rounding, for Gaussians sampled 17 times per standard deviation
    log_p = LOG_DENSITIES[name](grid(8, 0.02))
    assert log_p.dtype == torch.float64
    p = log_p.exp() * 0.02**2
    assert p.sum().item() == pytest.approx(1, abs=1e-12)
    assert -torch.xlogy(p, log_p.exp()).sum().item() == pytest.approx(ENTROPY[name], abs=1e-12)


@pytest.mark.parametrize("name", LOG_DENSITIES)
def test_nll_of_the_samples_is_the_entropy(name):
    nll = -LOG_DENSITIES[name](DENSITIES[name](N, generator=generator()).double())
    assert nll.mean().item() == pytest.approx(ENTROPY[name], abs=5 * nll.std().item() / math.sqrt(N) + 1e-12)


def test_edges_of_the_board():
    x = torch.tensor([[-4.0, -4.0], [3.9, 3.9], [4.0, 4.0], [-4.1, -3.9], [1.0, -1.0], [1.0, 1.0], [1.0, 5.0]])
    inside = torch.tensor([True, True, False, False, False, True, False])
    assert torch.equal(LOG_DENSITIES["checkerboard"](x).isfinite(), inside)
