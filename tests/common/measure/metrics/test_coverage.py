import numpy as np
import pytest

from common.errors import RetraceError
from common.measure.metrics.coverage import coverage, radii

LINE = np.arange(10.0)[:, None]  # with k = 1, every ball has radius 1


def normal(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 2))


def test_a_far_away_cloud_has_none_of_it():
    assert coverage(LINE, LINE + 100, neighbours=1) == (0, 0, 0, 0)


def test_samples_inside_one_corner_are_precise_but_cover_little():
    # three samples at 0.2, 0.3, 0.4: all inside the balls of 0 and of 1, and their own balls reach no further than 0.5
    found = coverage(LINE, np.array([[0.2], [0.3], [0.4]]), neighbours=1)
    assert found.precision == 1 and found.density == 2 and found.coverage == 0.2 and found.recall == 0


def test_one_wide_cloud_recalls_everything_without_precision():
    found = coverage(LINE, np.array([[-20.0], [0.5], [30.0]]), neighbours=1)
    assert found.precision == pytest.approx(1 / 3) and found.recall == 1
    assert found.density == pytest.approx(2 / 3) and found.coverage == 0.2


def test_equal_distributions():
    found = coverage(normal(800, 0), normal(800, 1), neighbours=5)
    assert found.density == pytest.approx(1, abs=0.1) and found.coverage == pytest.approx(1 - 2.0**-5, abs=0.03)


def test_too_few_points_for_the_neighbours():
    with pytest.raises(RetraceError, match="second set: 6 points; at least 7"):
        coverage(normal(20, 0), normal(6, 1), neighbours=5)


def test_radii_that_are_known_are_taken():
    real, samples = normal(30, 0), normal(20, 1)
    assert coverage(real, samples, real_radii=radii(real, 5)) == coverage(real, samples)
    assert coverage(real, samples, real_radii=np.full(30, 1e9)).precision == 1 > coverage(real, samples).precision
