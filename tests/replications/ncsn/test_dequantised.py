"""The score of a dequantised pixel, against its limits and against samples."""

import math

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.stats import norm

from replications.ncsn.dequantised import fisher_information, largest_score_norm


def test_wide_noise_makes_a_pixel_normal():
    """A uniform of width w has variance w^2 / 12: the information is that of a normal with both variances, up to w^4."""
    sigma, cell = 1.0, 0.1
    assert fisher_information(sigma, cell) == pytest.approx(1 / (sigma**2 + cell**2 / 12), rel=1e-6)


def test_narrow_noise_counts_at_both_edges_only():
    """At either edge p = Phi(x / sigma) / w, whose information is a number over sigma w."""
    edge = np.linspace(-9, 9, 400_001)
    number = trapezoid(norm.pdf(edge) ** 2 / norm.cdf(edge), edge)
    assert fisher_information(1e-3, 1.0) == pytest.approx(2 * number / 1e-3, rel=1e-3)


def test_against_the_scores_of_samples():
    rng, sigma, cell = np.random.default_rng(0), 0.3, 1.0
    x = cell * rng.random(400_000) + sigma * rng.standard_normal(400_000)
    density = (norm.cdf(x / sigma) - norm.cdf((x - cell) / sigma)) / cell
    score = (norm.pdf(x / sigma) - norm.pdf((x - cell) / sigma)) / (sigma * cell) / density
    assert fisher_information(sigma, cell) == pytest.approx((score**2).mean(), rel=0.01)


def test_norm_goes_with_the_root_of_dimensions():
    assert largest_score_norm(0.5, 0.1, 64) == pytest.approx(8 * math.sqrt(fisher_information(0.5, 0.1)))
