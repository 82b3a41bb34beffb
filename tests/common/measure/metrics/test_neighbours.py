import numpy as np
import pytest

from common.measure.metrics.neighbours import distance_to_data, nearest_distances


@pytest.mark.parametrize("d", [2, 64], ids=["tree", "brute force"])
def test_agrees_with_all_pairs(d):
    rng = np.random.default_rng(0)
    x, data = rng.normal(size=(40, d)), rng.normal(size=(70, d))
    expected = np.linalg.norm(x[:, None] - data[None], axis=2).min(axis=1)
    np.testing.assert_allclose(nearest_distances(x, data), expected, rtol=1e-12)


def test_copies_are_at_distance_zero():
    data = 1e3 + np.random.default_rng(0).normal(size=(50, 64))
    assert nearest_distances(data[::-1], data).max() == 0
    np.testing.assert_allclose(nearest_distances(data + 1e-6, data), 8e-6, rtol=1e-4)


def test_the_median_is_taken_over_samples():
    data = np.zeros((1, 1, 2, 2))
    x = np.stack([np.full((1, 2, 2), value) for value in (0.5, 1.0, 50.0)])
    assert distance_to_data(x, data) == 2.0  # |(1, 1, 1, 1)|
