import numpy as np
import pytest

from common.errors import RetraceError
from common.measure.metrics.points import as_pair, as_points


def test_images_and_vectors_become_float64_rows():
    points = as_points(np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2), "images")
    assert points.shape == (2, 12) and points.dtype == np.float64 and points[1, 0] == 12
    assert as_points(np.ones(5), "line").shape == (5, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_points_that_diverged_are_counted(bad):
    x = np.zeros((4, 3))
    x[1, 0] = x[1, 2] = x[3, 1] = bad
    with pytest.raises(RetraceError, match="second set: 2 of 4 points are not finite"):
        as_pair(np.zeros((1, 3)), x)


def test_too_few_points_and_different_shapes():
    with pytest.raises(RetraceError, match="first set: 1 points; at least 2"):
        as_pair(np.zeros((1, 3)), np.zeros((2, 3)), least=2)
    with pytest.raises(RetraceError, match="cloud: 0 points"):
        as_points(np.array(1.0), "cloud")
    with pytest.raises(RetraceError, match="3 and 2 numbers"):
        as_pair(np.zeros((4, 3)), np.zeros((4, 2)))
