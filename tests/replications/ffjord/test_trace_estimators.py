"""Trace estimators: unbiased, and their variances, by all sign vectors where they are few and by many draws elsewhere."""

import itertools

import pytest
import torch

from common.errors import SolverError
from replications.ffjord.trace_estimators import (
    bottleneck_divergence,
    bottleneck_variance,
    draw,
    estimate,
    hutchinson_variance,
    with_bottleneck,
    with_trace,
)

F64, DRAWS = torch.float64, 200_000


def matrix(*shape, seed=0):
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def signs(n):
    return torch.tensor(list(itertools.product((-1.0, 1.0), repeat=n)), dtype=F64)


def test_signs_are_unbiased_and_their_variance_is_exact():
    a = matrix(5, 5)
    found = estimate(a, signs(5))
    torch.testing.assert_close(found.mean(), a.trace())
    torch.testing.assert_close(found.var(correction=0), hutchinson_variance(a, "rademacher"))


@pytest.mark.parametrize("noise", ["gaussian", "rademacher"])
def test_draws_are_unbiased_and_scatter_as_the_formula_says(noise):
    a, generator = matrix(6, 6, seed=1), torch.Generator().manual_seed(2)
    found = estimate(a, draw(noise, torch.empty(DRAWS, 6, dtype=F64), generator=generator))
    variance = hutchinson_variance(a, noise)
    assert abs(found.mean() - a.trace()) < 4 * (variance / DRAWS).sqrt()
    # the sample variance's own error comes from the fourth moment
    error = (((found - found.mean()) ** 4).mean() - variance**2).div(DRAWS).sqrt()
    assert abs(found.var() - variance) < 4 * error < 0.05 * variance


def test_variances_of_plain_matrices():
    diagonal, skew = torch.diag(torch.tensor([1.0, 2.0, -3.0], dtype=F64)), torch.tensor([[0.0, 2.0], [-2.0, 0.0]], dtype=F64)
    assert hutchinson_variance(diagonal, "gaussian") == 28 and hutchinson_variance(diagonal, "rademacher") == 0
    assert hutchinson_variance(skew, "gaussian") == hutchinson_variance(skew, "rademacher") == 0
    many = matrix(50, 4, 4)
    gaussian, rademacher = hutchinson_variance(many, "gaussian"), hutchinson_variance(many, "rademacher")
    assert gaussian.shape == (50,) and bool((rademacher < gaussian).all())
    torch.testing.assert_close(gaussian[7], many[7].square().sum() + (many[7] @ many[7]).trace())


def factors(seed=3):
    """h from 4 to 3 dimensions and g back, and their Jacobians at a point."""
    inward, outward = matrix(3, 4, seed=seed), matrix(4, 3, seed=seed + 1)

    def h(t, z):
        return torch.tanh(z @ inward.T + t)

    def g(t, hidden):
        return torch.sin(hidden @ outward.T) * (1 + t)

    return h, g


def test_bottleneck_is_unbiased_and_its_variance_is_exact():
    (h, g), t, z = factors(), torch.tensor(0.4, dtype=F64), matrix(1, 4, seed=9)
    of_h = torch.autograd.functional.jacobian(lambda z: h(t, z[None])[0], z[0])
    of_g = torch.autograd.functional.jacobian(lambda x: g(t, x[None])[0], h(t, z)[0])
    probes = signs(3)
    value, found = bottleneck_divergence(h, g, t, z.expand(len(probes), -1), probes)
    torch.testing.assert_close(value, g(t, h(t, z)).expand(len(probes), -1))
    torch.testing.assert_close(found.mean(), (of_g @ of_h).trace())
    torch.testing.assert_close(found.var(correction=0), bottleneck_variance(of_h, of_g, "rademacher"))
    torch.testing.assert_close(found, estimate(of_h @ of_g, probes))  # in the order of eq. 9, not its transpose's square
    gaussian = draw("gaussian", probes.new_empty(DRAWS // 10, 3), generator=torch.Generator().manual_seed(0))
    scatter = estimate(of_h @ of_g, gaussian).var()
    assert float(scatter) == pytest.approx(float(bottleneck_variance(of_h, of_g, "gaussian")), rel=0.05)


def test_bottleneck_scatters_less_where_it_is_narrow():
    of_h, of_g = matrix(100, 4, 64, seed=5) / 8, matrix(100, 64, 4, seed=6) / 2
    for noise in ("gaussian", "rademacher"):
        whole, narrow = hutchinson_variance(of_g @ of_h, noise).mean(), bottleneck_variance(of_h, of_g, noise).mean()
        assert narrow < 0.15 * whole  # about 4 / 64


def test_bottleneck_is_differentiable():
    h, g = factors()
    z, t = matrix(3, 4, seed=11).requires_grad_(), torch.tensor(0.4, dtype=F64)
    probe = matrix(3, 3, seed=12)
    assert torch.autograd.gradcheck(lambda z: bottleneck_divergence(h, g, t, z, probe), (z,))
    with torch.no_grad():
        assert not any(part.requires_grad for part in bottleneck_divergence(h, g, t, z, probe))


@pytest.mark.parametrize("trace", ["gaussian", "rademacher", "bottleneck"])
def test_one_solve_keeps_one_probe(trace):
    (h, g), z, t = factors(), matrix(3, 4, seed=13), torch.tensor(0.2, dtype=F64)
    generator = torch.Generator().manual_seed(0)

    def begin():
        if trace == "bottleneck":
            return with_bottleneck(h, g, draw("gaussian", z.new_empty(3, 3), generator=generator))
        return with_trace(lambda t, z: g(t, h(t, z)), z, trace, generator=generator)

    field = begin()
    first, second = field(t, z)[1], field(t, z)[1]
    assert torch.equal(first, second)
    assert not torch.equal(first, begin()(t, z)[1])  # the next solve draws another


def test_a_probe_needs_a_generator():
    with pytest.raises(SolverError, match="pass a generator"):
        draw("gaussian", torch.zeros(2, 2), generator=None)
