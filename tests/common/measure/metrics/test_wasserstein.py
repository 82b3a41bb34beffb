import numpy as np
import pytest

from common.measure.metrics.wasserstein import sliced_wasserstein, wasserstein


def cloud(n: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize("p", [1, 2, 3.0])
def test_a_shift_costs_its_length(p):
    x, shift = cloud(60, 2, 0), np.array([3.0, -4.0])
    order = np.random.default_rng(1).permutation(60)
    assert wasserstein(x, x[order] + shift, p) == pytest.approx(5, rel=1e-9)
    assert wasserstein(x, x[order], p) == pytest.approx(0, abs=1e-6)


def test_unequal_numbers_of_points_by_hand():
    # mass 1 at 0 goes half to 1, half to 3
    x, y = np.array([[0.0]]), np.array([[1.0], [3.0]])
    assert wasserstein(x, y, 1) == pytest.approx(2) and wasserstein(x, y) == pytest.approx(np.sqrt(5))


def test_on_a_line_sorting_is_optimal():
    x, y = cloud(100, 1, 0), 2 * cloud(100, 1, 1) + 1
    for p in (1, 2):
        expected = (np.abs(np.sort(x, 0) - np.sort(y, 0)) ** p).mean() ** (1 / p)
        assert wasserstein(x, y, p) == pytest.approx(expected, rel=1e-9)
        assert sliced_wasserstein(x, y, projections=3, seed=0, p=p) == pytest.approx(expected, rel=1e-9)


def test_sliced_distance_of_a_shift():
    # mean over directions of (s.theta)^2 = |s|^2 / d
    x, shift = cloud(50, 5, 0), np.array([1.0, -2.0, 0.0, 2.0, 4.0])
    found = sliced_wasserstein(x, x + shift, projections=4000, seed=0)
    assert found**2 == pytest.approx(25 / 5, rel=0.1)
    assert found == sliced_wasserstein(x, x + shift, projections=4000, seed=0)
    assert found != sliced_wasserstein(x, x + shift, projections=4000, seed=1)


def test_distance_between_samples_of_gaussians_approaches_the_closed_form():
    # W_2^2 of N(0, I) and N(m, 4 I) in two dimensions: |m|^2 + 2
    found = wasserstein(cloud(800, 2, 0), 2 * cloud(800, 2, 1) + 3)
    assert found == pytest.approx(np.sqrt(18 + 2), rel=0.05)
