"""Proposition 2 and technique 2, against closed forms, scipy, simulation and the published ladders."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from common.dynamics.paths import ladder
from common.errors import SettingsError
from common.learning.data import catalogue
from common.learning.objective_table import WIDE
from replications.ncsnv2.noise_levels import (
    MASS,
    levels_needed,
    norm_below,
    number_of_levels,
    ratio_of_levels,
    shell_mass,
)
from replications.ncsnv2.pairwise_distances import distances
from replications.ncsnv2.published import NCSN, PUBLISHED

F64 = torch.float64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dim", [1, 2, 64, 3072])
def test_the_norm_has_a_chi_distribution(dim):
    norms = 0.3 * np.linspace(0.2, 1.5, 9) * math.sqrt(dim)
    np.testing.assert_allclose(norm_below(norms, dim, 0.3), stats.chi(dim, scale=0.3).cdf(norms), rtol=1e-9)


def test_proposition_2_by_drawn_noise():
    """In 784 dimensions the norm of noise is as N(sqrt(D) sigma, sigma^2 / 2), and not as one of twice or half that variance."""
    sigma, norms = 0.5, 0.5 * torch.randn(2000, 784, generator=generator(), dtype=F64).norm(dim=1).numpy()
    off = (norms - math.sqrt(784) * sigma) / sigma
    assert stats.kstest(off, stats.norm(0, math.sqrt(0.5)).cdf).statistic < 1.63 / 2000**0.5
    assert stats.kstest(off, stats.norm(0, 1).cdf).statistic > 0.05
    assert stats.kstest(norms, lambda r: norm_below(r, 784, sigma)).statistic < 1.63 / 2000**0.5


@pytest.mark.parametrize(("dim", "ratio"), [(64, 1.4), (784, 1.08), (3072, 1.0376)])
def test_the_mass_on_a_shell_is_what_noise_has_there(dim, ratio):
    """The formula takes the norm to be normal: exact up to what that neglects, of the order of 1 / sqrt(D)."""
    middle, half = math.sqrt(dim) * ratio, 3 * ratio / math.sqrt(2)
    inside = norm_below(middle + half, dim) - norm_below(middle - half, dim)
    assert shell_mass(dim, ratio) == pytest.approx(inside, abs=0.3 / dim**0.5)
    normal = stats.norm(math.sqrt(dim), math.sqrt(0.5))
    assert shell_mass(dim, ratio) == pytest.approx(normal.cdf(middle + half) - normal.cdf(middle - half), rel=1e-12)


def test_masses_that_are_known():
    assert shell_mass(7, 1.0) == pytest.approx(stats.chi2(1).cdf(9))
    assert shell_mass(3072, NCSN.ratio) < 1e-300  # and no negative number of cancelled digits
    assert 0 < shell_mass(3072, 1.3) < 1e-20
    # whatever the ratio, in few dimensions
    assert min(shell_mass(4, ratio) for ratio in np.linspace(1, 50, 200)) > 0.99


@pytest.mark.parametrize(
    ("dim", "ratio", "levels"),
    [(8, 4.00, 6), (16, 2.129, 10), (64, 1.361, 23), (196, 1.179, 43), (784, 1.082, 89), (3072, 1.04, 178)],
)
def test_ratios_at_a_mass_of_one_half(dim, ratio, levels):
    found = ratio_of_levels(dim, 0.5)
    assert found == pytest.approx(ratio, rel=1e-3) and shell_mass(dim, found) == pytest.approx(0.5, abs=1e-10)
    assert math.ceil(levels_needed(10, 0.01, found)) in (levels, levels + 1)


@pytest.mark.parametrize("mass", [1e-6, 0.1, 0.99, 0.997])
@pytest.mark.parametrize("dim", [5, 64, 10**7])
def test_every_possible_mass_has_a_ratio(dim, mass):
    ratio = ratio_of_levels(dim, mass)
    assert ratio > 1 and shell_mass(dim, ratio) == pytest.approx(mass, abs=1e-9)


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model.data)
def test_published_ladders_follow(model):
    assert MASS == 0.567
    assert number_of_levels(model.sigma_max, model.sigma_min, model.dim) == model.levels
    assert shell_mass(model.dim, model.ratio) == pytest.approx(MASS, abs=1e-3)
    # by the 1/2 of the text they would be shorter
    assert number_of_levels(model.sigma_max, model.sigma_min, model.dim, 0.5) < 0.96 * model.levels
    levels = ladder(model.sigma_max, model.sigma_min, model.levels)
    torch.testing.assert_close(levels[:-1] / levels[1:], torch.full((model.levels - 1,), model.ratio, dtype=F64))


def test_a_ladder_has_both_ends():
    assert number_of_levels(1.0, 0.999, 64) == 2
    assert levels_needed(8, 1, 2) == pytest.approx(4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dim": 4}, r"4 dimensions: below 5 .* no solution; choose the ladder by hand, common\.dynamics\.paths\.ladder"),
        ({"mass": 0.0}, r"mass = 0: must be above 0 and below 0\.9973"),
        ({"mass": 0.998}, r"mass = 0\.998: must be above 0"),
        ({"mass": math.nan}, r"mass = nan: must be above 0"),
        ({"sigma_min": 0.0}, r"sigma_min = 0: must be above 0 and below the largest noise level, 5"),
        ({"sigma_min": 5.0}, r"sigma_min = 5: must be above 0"),
        ({"sigma_min": math.nan}, r"sigma_min = nan: must be above 0"),
    ],
)
def test_what_has_no_ladder_is_named(given, message):
    with pytest.raises(SettingsError, match=message):
        number_of_levels(**{"sigma_max": 5.0, "sigma_min": 0.01, "dim": 64} | given)


@pytest.mark.parametrize("data", WIDE)
def test_the_shared_ladders_are_those_of_the_techniques(data):
    """The suite's models of these data sets: the number of levels by technique 2, and for digits sigma_1 by technique 1."""
    sigma_max, levels = WIDE[data]
    dim = {"digits": 64, "fashion_mnist": 28**2, "cifar10": 3 * 32**2}[data]
    assert levels == number_of_levels(sigma_max, 0.01, dim)
    if data == "digits":
        split = catalogue.load(data, "train")
        assert distances(split.images, generator=generator(), unit=1 / split.grey_values).largest == pytest.approx(
            sigma_max, abs=0.1
        )
