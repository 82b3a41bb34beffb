import math

import numpy as np
import pytest
from scipy import integrate, stats

from common.errors import RefusedError, RetraceError
from common.measure.metrics.density import bits_per_dim, importance_weighted, standard_error


@pytest.mark.parametrize(("grey_values", "bits"), [(256, 8), (2, 1), (17, math.log2(17))])
@pytest.mark.parametrize("width", [1, 2.0, 255.0])
def test_uniform_data_cost_the_bits_of_their_integers(grey_values, bits, width):
    log_density = np.full(3, -12 * math.log(width))
    np.testing.assert_allclose(bits_per_dim(log_density, 12, grey_values=grey_values, width=width), bits, rtol=1e-14)


def test_width_two_is_the_default():
    assert bits_per_dim(np.array([-math.log(2)]), 1, grey_values=256).item() == 8
    # one nat more of density is 1/ln 2 bits less
    assert bits_per_dim(np.array([1 - math.log(2)]), 1, grey_values=256).item() == pytest.approx(8 - 1 / math.log(2))


def test_exact_probability_of_an_integer():
    # one pixel of 4 grey_values, value 2, scaled to [-1, 1]: P = integral of p over [0, 0.5]
    p = stats.norm(0.3, 0.4).pdf
    probability = integrate.quad(p, 0, 0.5)[0]
    u = (np.arange(20000) + 0.5) / 20000
    bound = importance_weighted(np.log(p(2 * (2 + u) / 4 - 1))[:, None])
    assert bits_per_dim(bound, 1, grey_values=4).item() == pytest.approx(-math.log2(probability), rel=1e-6)


def test_one_draw_changes_nothing_and_equal_draws_neither():
    x = np.array([[-1000.0, 3.0]])
    np.testing.assert_array_equal(importance_weighted(x), x[0])
    np.testing.assert_allclose(importance_weighted(np.repeat(x, 7, axis=0)), x[0], rtol=1e-14)
    np.testing.assert_allclose(importance_weighted(np.log([[1.0], [3.0]])), np.log(2.0))


def test_more_draws_tighten_the_bound_towards_the_truth():
    # log p ~ N(-s^2/2, s^2) has E p = 1: the bound rises from -s^2/2 to 0
    draws = np.random.default_rng(0).normal(-0.5, 1.0, (50, 4000))
    bounds = [importance_weighted(draws[:k]).mean() for k in (1, 5, 20, 50)]
    assert bounds == sorted(bounds) and bounds[0] == pytest.approx(-0.5, abs=0.06) and -0.05 < bounds[-1] < 0


def test_an_estimates_noise_must_not_tighten_the_bound():
    """Equal densities with unbiased noise: the mean of exponentials would gain, though every draw is the same."""
    noise = np.random.default_rng(0).normal(0.0, 1.0, (10, 2000))
    assert importance_weighted(noise).mean() > 0.3
    for k in (2, 10):
        with pytest.raises(RefusedError, match=r"must not enter a log-mean-exp.*exact divergence, or K = 1"):
            importance_weighted(noise[:k], noisy=True)
    np.testing.assert_array_equal(importance_weighted(noise[:1], noisy=True), noise[0])


def test_standard_error():
    assert standard_error(np.array([1.0, 2.0, 3.0, 6.0])) == pytest.approx(np.sqrt(14 / 3) / 2)
    assert math.isnan(standard_error(np.array([1.0])))


def test_impossible_arguments():
    with pytest.raises(RetraceError, match="grey_values = 1"):
        bits_per_dim(np.zeros(1), 1, grey_values=1)
    with pytest.raises(RetraceError, match="dim = 0"):
        bits_per_dim(np.zeros(1), 0, grey_values=2)
    with pytest.raises(RetraceError, match=r"width = 0\.0"):
        bits_per_dim(np.zeros(1), 1, grey_values=2, width=0.0)
