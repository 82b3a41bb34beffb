"""Proposition 1 against integrals in closed form or by quadrature."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from common.dynamics.oracles import EmpiricalDistribution
from common.dynamics.paths import ve
from replications.ncsnv2 import responsibilities
from replications.ncsnv2.responsibilities import log10_bound, over_bound, responsibility_bound, some_pairs

F64 = torch.float64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def bound(distance, sigma):
    return 0.5 * math.exp(-(distance**2) / (8 * sigma**2))


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.0])
def test_two_points_alone(sigma):
    """E_{p_i}[r_j] over the bound is E[1 / cosh(d u / (2 sigma))] of a standard normal u, in any number of dimensions."""
    centres = torch.tensor([[0.0, 0.0, 1.0], [2.0, 1.0, -1.0], [9.0, 9.0, 9.0]], dtype=F64)
    found = over_bound(centres, torch.tensor([[0, 1], [1, 2]]), sigma, draws=40_000, alone=True, generator=generator())
    for k, distance in enumerate((3.0, 213**0.5)):
        expected = quad(lambda u, d=distance: norm.pdf(u) / math.cosh(d * u / (2 * sigma)), -30, 30, points=[0])[0]
        assert abs(found.ratio[k] - expected) < 4 * found.error[k] and found.error[k] < 0.03 * expected


def test_in_a_mixture_of_three():
    """On a line, by quadrature of the definition; the third component takes its share."""
    points, sigma = [0.0, 1.5, 2.5], 0.8
    centres = torch.tensor(points, dtype=F64)[:, None]
    pairs = torch.tensor([[0, 1], [0, 2], [2, 1]])
    found = over_bound(centres, pairs, sigma, draws=40_000, alone=False, generator=generator(1))
    for k, (i, j) in enumerate(pairs.tolist()):

        def integrand(x, i=i, j=j):
            densities = norm.pdf(x, loc=np.array(points), scale=sigma)
            return densities[i] * densities[j] / densities.sum()

        expected = quad(integrand, -8, 10)[0] / bound(abs(points[i] - points[j]), sigma)
        assert abs(found.ratio[k] - expected) < 4 * found.error[k] and found.error[k] < 0.02 * expected


def test_no_pair_exceeds_its_bound_and_distant_ones_do_not_underflow():
    centres = 10 * torch.rand(12, 30, generator=generator(2), dtype=F64)
    pairs = some_pairs(12, 1000, generator())
    assert len(pairs) == 66
    for alone in (True, False):
        found = over_bound(centres, pairs, 0.3, draws=500, alone=alone, generator=generator(3))
        assert (found.ratio > 0).all() and (found.ratio <= 1 + 1e-9).all()


def test_memory_is_no_matter(monkeypatch):
    centres, pairs = torch.rand(6, 4, generator=generator(), dtype=F64), some_pairs(6, 9, generator())
    whole = over_bound(centres, pairs, 0.5, draws=10, alone=False, generator=generator(1))
    monkeypatch.setattr(responsibilities, "AT_ONCE", 100)
    torch.testing.assert_close(over_bound(centres, pairs, 0.5, draws=10, alone=False, generator=generator(1)), whole)


def test_the_papers_bound_for_cifar10():
    """Images 18 apart at sigma = 1: exp(-40.5) / 2 = 1.3e-18; and where it underflows."""
    assert 10 ** log10_bound(18.0, 1.0) == pytest.approx(1.29e-18, rel=0.01)
    assert log10_bound(3.0, 0.7) == pytest.approx(math.log10(bound(3.0, 0.7)))
    assert log10_bound(100.0, 0.1) == pytest.approx(-54287, abs=1)


def test_pairs_are_of_different_points():
    pairs = some_pairs(9, 20, generator())
    assert len(pairs) == 20 and (pairs[:, 0] < pairs[:, 1]).all() and len({tuple(p) for p in pairs.tolist()}) == 20


def of_two_images(a: float) -> float:
    """E[r_j] around the one of two images that are a sigma apart, by quadrature: r_j = 1 / (1 + exp(a^2 / 2 + a z))."""
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    return float((weight / (1 + np.exp(a**2 / 2 + a * z))).sum() / math.sqrt(2 * math.pi))


@pytest.mark.parametrize(("a", "least"), [(0.2, 0.99), (1.0, 0.9), (3.0, 0.5)])
def test_the_bound_of_two_images_is_near(a, least):
    assert least < of_two_images(a) / responsibility_bound(a * 0.3, 0.3) < 1


@pytest.mark.parametrize("a", [0.5, 2.0])
def test_responsibilities_of_two_images(a):
    sigma, images = 0.7, torch.tensor([[1.0, -2.0, 0.0], [1.0, -2.0, 0.7 * a]], dtype=F64)
    x = images[0] + sigma * torch.randn(20_000, 3, generator=generator(), dtype=F64)
    share = responsibilities.responsibilities(x, images, sigma)
    torch.testing.assert_close(share.sum(1), torch.ones(20_000, dtype=F64))
    assert float(share[:, 1].mean()) == pytest.approx(of_two_images(a), abs=5 * float(share[:, 1].std()) / 20_000**0.5)


def test_the_bound_holds_for_every_pair():
    images, sigma = torch.rand(12, 9, generator=generator(), dtype=F64), 0.4
    for i, image in enumerate(images):
        share = responsibilities.responsibilities(
            image + sigma * torch.randn(4000, 9, generator=generator(i), dtype=F64), images, sigma
        )
        mean, error = share.mean(0), share.std(0) / 4000**0.5
        bounds = torch.tensor([responsibility_bound(float((image - other).norm()), sigma) for other in images], dtype=F64)
        others = torch.arange(12) != i
        assert bool((mean - 4 * error <= bounds)[others].all())


def test_the_score_is_a_mean_by_responsibilities():
    images, sigma = torch.rand(6, 4, generator=generator(), dtype=F64), 0.3
    x = torch.rand(5, 4, generator=generator(1), dtype=F64)
    expected = EmpiricalDistribution(ve(0.3, 3.0), images).score(x, 0.0)
    found = (responsibilities.responsibilities(x, images, sigma)[..., None] * (images - x[:, None]) / sigma**2).sum(1)
    torch.testing.assert_close(found, expected)


def test_the_bound_itself_for_cifar10():
    """At sigma = 1 and the median distance of 18 it is below 1e-17."""
    assert responsibility_bound(18, 1) == pytest.approx(0.5 * math.exp(-40.5)) and responsibility_bound(18, 1) < 1e-17
