import numpy as np
import pytest
import torch

from common.errors import RetraceError
from common.measure.metrics import kernel
from common.measure.metrics.kernel import kernel_distance, kernel_distance_of_subsets, median_bandwidths, mmd


def normal(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def test_cubic_kernel_by_hand():
    # d = 1: within x k(0,1) = 1; within y k(2,3) = 7^3; across k(0,.) = 1, k(1,2) = 3^3, k(1,3) = 4^3
    x, y = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    assert kernel_distance(x, y) == pytest.approx(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4, rel=1e-14)


def test_cubic_kernel_divides_by_the_dimension():
    # d = 2, x.y/d: within x (1,1).(1,1)/2 = 1, so 8; within y 0, so 1; across 0, so 1
    x, y = np.ones((2, 2)), np.zeros((2, 2))
    assert kernel_distance(x, y) == pytest.approx(8 + 1 - 2, rel=1e-14)


def test_agrees_with_clean_fid_on_the_full_set():
    from cleanfid.fid import kernel_distance as theirs

    x, y = normal(300, 16, 0), normal(300, 16, 1, shift=0.2)
    assert kernel_distance(x, y) == pytest.approx(theirs(x, y, num_subsets=1), rel=1e-10)


def test_blocks_do_not_change_the_value(monkeypatch):
    x, y = normal(30, 4, 0), normal(17, 4, 1, shift=0.5)
    whole = kernel_distance(x, y), mmd(x, y)
    monkeypatch.setattr(kernel, "BLOCK", 7)
    assert (kernel_distance(x, y), mmd(x, y)) == pytest.approx(whole, rel=1e-12)


def test_subsets_follow_the_generator_and_average_to_the_full_set():
    x, y = normal(400, 8, 0), normal(300, 8, 1, shift=0.5)
    draw = [kernel_distance_of_subsets(x, y, generator=torch.Generator().manual_seed(s), size=100) for s in (0, 0, 1)]
    assert draw[0] == draw[1] != draw[2]
    mean, spread = draw[0]
    assert abs(mean - kernel_distance(x, y)) < 4 * spread / 10 and spread > 0
    source = torch.Generator().manual_seed(0)
    one, two = (kernel_distance_of_subsets(x, y, generator=source, subsets=1, size=50)[0] for _ in range(2))
    both = kernel_distance_of_subsets(x, y, generator=source.manual_seed(0), subsets=2, size=50)
    assert both == pytest.approx(((one + two) / 2, abs(one - two) / 2))
    whole = kernel_distance_of_subsets(x[:300], y, generator=torch.Generator(), subsets=2)
    assert whole == pytest.approx((kernel_distance(x[:300], y), 0), abs=1e-9)


def test_gaussian_kernel_by_hand():
    x, y = np.array([[0.0], [1.0]]), np.array([[2.0], [2.0]])
    k = {r: np.mean([np.exp(-r * r / (2 * s * s)) for s in (0.5, 2.0)]) for r in (0, 1, 2)}
    assert mmd(x, y, bandwidths=(0.5, 2.0)) == pytest.approx(k[1] + k[0] - 2 * (2 * k[2] + 2 * k[1]) / 4, rel=1e-14)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_gaussian_kernel_is_unbiased(shift):
    # N(0,1) against N(m,1): 2 s/sqrt(s^2+2) (1 - exp(-m^2 / (2 (s^2+2))))
    s = 0.7
    truth = 2 * s / np.sqrt(s * s + 2) * (1 - np.exp(-shift * shift / (2 * (s * s + 2))))
    values = [mmd(normal(8, 1, 2 * i), normal(12, 1, 2 * i + 1, shift), bandwidths=(s,)) for i in range(1000)]
    assert abs(np.mean(values) - truth) < 4 * np.std(values) / np.sqrt(1000)
    assert np.std(values) / np.sqrt(1000) < 0.01


def test_bandwidths_scale_with_the_points():
    x = np.array([[0.0], [1.0], [3.0]])  # distances 1, 2, 3
    assert median_bandwidths(x) == (0.5, 1, 2, 4, 8)
    a, b = normal(50, 3, 0), normal(50, 3, 1, shift=1)
    assert mmd(10 * a, 10 * b) == pytest.approx(mmd(a, b), rel=1e-12)
    assert mmd(a, b) > 10 * abs(mmd(a, normal(50, 3, 2)))


def test_equal_points_need_bandwidths():
    with pytest.raises(RetraceError, match="must be positive"):
        mmd(np.zeros((3, 2)), np.zeros((3, 2)))
