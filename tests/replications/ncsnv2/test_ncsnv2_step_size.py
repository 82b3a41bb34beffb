"""Proposition 3 against its recursion and its printed form; technique 4 against a closed form and the published step sizes."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from common.errors import SettingsError
from replications.ncsnv2.published import NCSN, OTHERWISE, PUBLISHED
from replications.ncsnv2.step_size import best_step_size, largest_stable, steps_per_level, variance_excess, variance_ratio


def step_by_step(ratio, rho, steps):
    """x + a s + sqrt(2 a) z with s = -x / sigma_i^2 and a = rho sigma_i^2, at sigma_i = 1."""
    variance = ratio**2
    for _ in range(steps):
        variance = (1 - rho) ** 2 * variance + 2 * rho
    return variance


@pytest.mark.parametrize("rho", [1e-8, 0.01, 0.2, 1.0, 1.7, 2.5])
@pytest.mark.parametrize(("ratio", "steps"), [(1.0045, 3), (1.36, 5), (1.668, 100), (4.0, 1)])
def test_the_closed_form_is_the_recursion(ratio, rho, steps):
    assert variance_ratio(ratio, rho, steps) == pytest.approx(step_by_step(ratio, rho, steps), rel=1e-12)
    assert variance_excess(ratio, rho, steps) == pytest.approx(step_by_step(ratio, rho, steps) - 1, rel=1e-9, abs=1e-14)


def test_the_closed_form_is_the_printed_one():
    """(1 - eps / s^2)^(2 T) (g^2 - b) + b with b = 2 eps / (s^2 - s^2 (1 - eps / s^2)^2)."""
    for model in (*PUBLISHED, NCSN):
        eps, least = model.eps, model.sigma_min**2
        b = 2 * eps / (least - least * (1 - eps / least) ** 2)
        printed = (1 - eps / least) ** (2 * model.steps) * (model.ratio**2 - b) + b
        assert variance_ratio(model.ratio, model.rho, model.steps) == pytest.approx(printed, rel=1e-12)


def test_no_step_leaves_the_noise_of_the_level_before():
    assert variance_ratio(1.3, 0.0, 5) == pytest.approx(1.69, rel=1e-15)
    # at first order in rho, where the printed b is 0 / 0 in floating point
    assert (1.69 - variance_ratio(1.3, 1e-7, 5)) / 1e-7 == pytest.approx(10 * 0.69, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "reached"),
    [("cifar10", 1.0555), ("celeba64", 1.0314), ("lsun_church96", 1.0247), ("lsun_bedroom128", 1.0174), ("ffhq256", 1.0089)],
)
def test_the_variance_that_published_steps_reach(name, reached):
    model = next(each for each in PUBLISHED if each.data == name)
    assert variance_ratio(model.ratio, model.rho, model.steps) == pytest.approx(reached, abs=6e-5)
    assert variance_ratio(NCSN.ratio, NCSN.rho, NCSN.steps) == pytest.approx(1 / 0.9)


def test_published_step_sizes_follow():
    """To two digits, FFHQ's as the authors' code has it; the two exceptions are 2.1 and 6.2 times technique 4's."""
    off = {}
    for model in (*PUBLISHED, NCSN):
        found = best_step_size(model.ratio, model.steps, model.sigma_min)
        off[model.data, model.paper] = model.eps / found.eps
        assert found.rho == pytest.approx(found.eps / model.sigma_min**2, rel=1e-12)
        assert found.variance_ratio == variance_ratio(model.ratio, found.rho, model.steps)
    assert {key for key, ratio in off.items() if abs(ratio - 1) > 0.02} == OTHERWISE
    assert off["lsun_church96", "ncsnv2"] == pytest.approx(2.12, abs=0.01) and off["cifar10", "ncsn"] == pytest.approx(
        6.2, abs=0.05
    )


@pytest.mark.parametrize("ratio", [1.0045, 1.36, 4.0])
def test_the_best_of_one_step_is_known(ratio):
    """One step leaves (1 - rho)^2 (g^2 - 1) + rho^2 too much."""
    excess = ratio**2 - 1
    found = best_step_size(ratio, 1, 0.02)
    assert found.rho == pytest.approx(excess / (1 + excess), rel=1e-5)
    assert found.eps == pytest.approx(found.rho * 0.0004, rel=1e-12)


@pytest.mark.parametrize(("ratio", "steps"), [(1.0376, 5), (1.36, 5), (1.36, 1000), (1.0001, 3), (30.0, 2)])
def test_no_other_stable_step_is_better(ratio, steps):
    found = best_step_size(ratio, steps, 0.01)
    grid = np.concatenate([np.geomspace(1e-8, 1, 5000), np.linspace(0.01, 1.999, 5000)])
    assert found.variance_ratio - 1 <= np.abs(variance_excess(ratio, grid, steps)).min() * (1 + 1e-9)
    local = minimize_scalar(
        lambda rho: abs(variance_excess(ratio, rho, steps)), bounds=(0.5 * found.rho, min(2 * found.rho, 1.99))
    )
    assert found.variance_ratio - 1 == pytest.approx(local.fun, rel=1e-5)
    assert 0 < found.eps < largest_stable(0.01)


def test_chains_diverge_from_twice_the_least_variance_on():
    limit = largest_stable(0.01) / 0.01**2
    assert limit == pytest.approx(2)
    assert step_by_step(1.3, 0.99 * limit, 2000) < 101 and step_by_step(1.3, 1.01 * limit, 2000) > 1e6


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model.data)
def test_published_steps_per_level_follow(model):
    assert steps_per_level(model.levels) == model.steps


def test_steps_per_level_have_bounds():
    assert [steps_per_level(levels) for levels in (2, 21, 600, 1000, 100_000)] == [5, 5, 5, 3, 3]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 0}, r"steps_per_level = 0: must be above 0"),
        ({"ratio": 1.0}, r"ratio = 1: must be above 1"),
        ({"ratio": math.inf}, r"ratio = inf: must be above 1"),
        ({"sigma_min": -0.01}, r"sigma_min = -0\.01: must be above 0"),
    ],
)
def test_what_has_no_step_size_is_named(given, message):
    with pytest.raises(SettingsError, match=message):
        best_step_size(**{"ratio": 1.3, "steps": 5, "sigma_min": 0.01} | given)
