import numpy as np
import pytest
import torch

from common.errors import RetraceError
from common.measure.metrics.frechet import bootstrap_error, frechet_between_gaussians, frechet_distance, moments

RNG = np.random.default_rng


def cloud(n: int, d: int, seed: int) -> np.ndarray:
    rng = RNG(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


def test_gaussians_on_a_line():
    # (m1 - m2)^2 + (s1 - s2)^2
    found = frechet_between_gaussians(np.array([1.0]), np.array([[4.0]]), np.array([-2.0]), np.array([[0.25]]))
    assert found == pytest.approx(9 + 1.5**2, rel=1e-14)


def test_gaussians_with_common_axes():
    # commuting covariances: |shift|^2 + sum (sqrt a_i - sqrt b_i)^2, whatever the axes
    axes = np.linalg.qr(RNG(0).normal(size=(5, 5)))[0]
    a, b, shift = np.array([1.0, 4, 9, 0.1, 2]), np.array([2.0, 1, 9, 3, 0]), RNG(1).normal(size=5)
    found = frechet_between_gaussians(shift, axes * a @ axes.T, np.zeros(5), axes * b @ axes.T)
    # the zero in b leaves an eigenvalue of rounding size, whose root is about 1e-8
    assert found == pytest.approx(shift @ shift + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum(), abs=1e-6)


def test_gaussians_in_the_plane_with_different_axes():
    # 2x2: tr (AB)^{1/2} = sqrt(tr AB + 2 sqrt(det AB)), a formula without any matrix root
    a, b = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, -0.8], [-0.8, 3.0]])
    overlap = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    found = frechet_between_gaussians(np.zeros(2), a, np.zeros(2), b)
    assert found == pytest.approx(np.trace(a) + np.trace(b) - 2 * overlap, rel=1e-12)


def test_distance_is_that_of_the_fitted_gaussians():
    x = np.array([[0.0], [2.0]])  # mean 1, unbiased variance 2
    y = np.array([[4.0], [8.0], [6.0]])  # mean 6, unbiased variance 4
    assert frechet_distance(x, y) == pytest.approx(25 + (2 - np.sqrt(2)) ** 2, rel=1e-12)


def test_laws_of_a_distance():
    x, y = cloud(200, 6, 0), cloud(300, 6, 1)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-9)
    shift = RNG(2).normal(size=6)
    assert frechet_distance(x, x + shift) == pytest.approx(shift @ shift, rel=1e-9)
    spread = np.trace(moments(x)[1])
    centred = x - x.mean(axis=0)
    assert frechet_distance(centred, 3 * centred) == pytest.approx(4 * spread, rel=1e-9)
    turn = np.linalg.qr(RNG(3).normal(size=(6, 6)))[0]
    assert frechet_distance(x @ turn, y @ turn) == pytest.approx(frechet_distance(x, y), rel=1e-9)


def test_rank_deficient_against_the_nuclear_norm():
    # tr (A^{1/2} B A^{1/2})^{1/2} is the sum of singular values of X Y^T for centred X, Y over sqrt((n-1)(m-1))
    x, y = cloud(10, 20, 6), cloud(15, 20, 7)
    a, b = (z - z.mean(axis=0) for z in (x, y))
    overlap = np.linalg.svd(a @ b.T, compute_uv=False).sum() / np.sqrt(9 * 14)
    shift = x.mean(axis=0) - y.mean(axis=0)
    expected = shift @ shift + (a**2).sum() / 9 + (b**2).sum() / 14 - 2 * overlap
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)


def test_float32_features_are_computed_in_float64():
    x, y = cloud(200, 6, 8).astype(np.float32), cloud(200, 6, 9).astype(np.float32)
    assert frechet_distance(x, y) == frechet_distance(x.astype(np.float64), y.astype(np.float64))


def test_one_point_has_no_covariance():
    with pytest.raises(RetraceError, match="1 points; at least 2"):
        frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))


def test_bootstrap_error_is_the_spread_over_fresh_sets():
    """On a line, means 3 apart and equal deviations: d^2 = shift^2, whose standard error is 2 * 3 * sqrt(1/n + 1/m)."""
    a, b = RNG(0).normal(size=(400, 1)), 3 + RNG(1).normal(size=(100, 1))
    found = bootstrap_error(a, b, generator=torch.Generator().manual_seed(0), repeats=400)
    assert found == pytest.approx(6 * (1 / 400 + 1 / 100) ** 0.5, rel=0.15)
    with pytest.raises(RetraceError, match="repeats"):
        bootstrap_error(a, b, generator=torch.Generator(), repeats=1)
