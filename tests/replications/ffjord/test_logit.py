"""The logit transform: inverse, log-determinant, and what uniform pixels cost."""

import math

import pytest
import torch

from common.measure.metrics.density import bits_per_dim
from replications.ffjord.images.logit import from_logit, logit

F64 = torch.float64
ALPHAS = [1e-6, 0.05]


def pixels(n=5, *shape):
    return torch.rand(n, *(shape or (1, 2, 3)), generator=torch.Generator().manual_seed(0), dtype=F64)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_values_and_inverse(alpha):
    x = pixels()
    y, _ = logit(x, alpha)
    s = alpha + (1 - 2 * alpha) * x
    torch.testing.assert_close(y, (s / (1 - s)).log(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(from_logit(y, alpha), x, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_log_determinant_is_autograds(alpha):
    x = pixels(1)
    jacobian = torch.func.jacrev(lambda flat: logit(flat.view_as(x), alpha)[0].flatten())(x.flatten())
    torch.testing.assert_close(logit(x, alpha)[1][0], torch.linalg.slogdet(jacobian).logabsdet, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize(("grey_values", "expected"), [(256, 8.0), (17, math.log2(17))])
def test_uniform_pixels_cost_exactly_their_bits(alpha, grey_values, expected):
    """Uniform pixels become a logistic cut off at s = alpha and 1 - alpha, whose density has the normaliser 1 - 2 alpha."""
    y, log_det = logit(pixels(7), alpha)
    logistic = -y - 2 * torch.nn.functional.softplus(-y) - math.log(1 - 2 * alpha)
    log_density = logistic.flatten(1).sum(1) + log_det
    assert bits_per_dim(log_density.numpy(), 6, grey_values=grey_values, width=1) == pytest.approx(expected, abs=1e-10)


def test_float32_keeps_its_digits_at_both_ends():
    """Right at 1, where s itself is 1 - 1e-6, eight digits of s would leave one of y's."""
    x = torch.tensor([[0.0, 1e-7, 0.5, 1 - 2**-24, 1.0]])
    for found, expected in zip(logit(x), logit(x.double())):
        torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)
    assert logit(x)[0].isfinite().all()
