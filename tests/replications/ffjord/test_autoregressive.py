"""MAF as zuko has it, behind the flows' two functions, and the Gaussian that every flow must beat."""

import math

import pytest
import torch

from common.errors import DataError
from replications.ffjord.rivals.autoregressive import MAFSettings, fit_gaussian


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def maf():
    flow = MAFSettings(transforms=3, hidden=(16,)).build(2, generator=generator()).double()
    with torch.no_grad():
        for each in flow.parameters():
            each += 0.1 * torch.randn(each.shape, generator=generator(each.numel()), dtype=torch.float64)
    return flow


def test_mafs_density_is_the_change_of_variables(maf):
    """Of the samples' map: log N(z) minus log|det dx/dz|, by autograd."""
    z = torch.randn(20, 2, generator=generator(4), dtype=torch.float64)
    drawn = maf.sample(20, generator=generator(4))
    slopes = torch.stack([torch.autograd.functional.jacobian(maf.flow().transform.inv, point) for point in z])
    expected = -0.5 * z.square().sum(1) - math.log(2 * math.pi) - torch.linalg.slogdet(slopes).logabsdet
    torch.testing.assert_close(maf.log_density(drawn), expected)


def test_mafs_density_integrates_to_one(maf):
    along = torch.linspace(-16, 16, 601, dtype=torch.float64)
    total = maf.log_density(torch.cartesian_prod(along, along)).exp().sum() * (along[1] - along[0]) ** 2
    assert abs(total.item() - 1) < 1e-3


def test_maf_draws_nothing_from_the_global_state(maf):
    before = torch.get_rng_state()
    one, same, other = (MAFSettings().build(4, generator=generator(seed)).state_dict() for seed in (0, 0, 1))
    drawn = [maf.sample(5, generator=generator(seed)) for seed in (0, 0, 1)]
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_maf_is_of_the_size_asked_for():
    flow = MAFSettings(transforms=2, hidden=(10, 20)).build(3, generator=generator())
    # each transform: a shift and a log-scale of every column
    assert sum(each.numel() for each in flow.parameters()) == 2 * (3 * 10 + 10 + 10 * 20 + 20 + 20 * 6 + 6)


MEAN = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
FACTOR = torch.tensor([[2.0, 0.0, 0.0], [0.6, 0.5, 0.0], [-1.0, 0.3, 0.1]], dtype=torch.float64)


def test_the_gaussian_is_scipys_of_greatest_likelihood():
    from scipy.stats import multivariate_normal

    x = MEAN + torch.randn(50, 3, generator=generator(), dtype=torch.float64) @ FACTOR.T
    fitted = fit_gaussian(x)
    mean, covariance = multivariate_normal.fit(x.numpy())
    expected = torch.from_numpy(multivariate_normal(mean, covariance).logpdf(x.numpy() + 0.1))
    torch.testing.assert_close(fitted.log_density(x + 0.1), expected)
    # of greatest likelihood: its mean on its own rows is minus its entropy, and whatever is moved lowers it
    entropy = 1.5 * (1 + math.log(2 * math.pi)) + fitted.factor.diagonal().log().sum()
    torch.testing.assert_close(fitted.log_density(x).mean(), -entropy)


def test_the_gaussians_samples_are_its_own():
    x = MEAN + torch.randn(20_000, 3, generator=generator(), dtype=torch.float64) @ FACTOR.T
    before = torch.get_rng_state()
    drawn = fit_gaussian(x).sample(20_000, generator=generator(1))
    assert torch.equal(before, torch.get_rng_state())
    torch.testing.assert_close(drawn.mean(0), MEAN, rtol=0, atol=0.06)
    torch.testing.assert_close(drawn.T.cov(), FACTOR @ FACTOR.T, rtol=0, atol=0.12)


def test_one_column_and_float32_rows():
    x = 3 + 2 * torch.randn(1000, 1, generator=generator())
    fitted = fit_gaussian(x)
    assert fitted.factor.shape == (1, 1) and fitted.mean.dtype == torch.float64
    expected = torch.distributions.Normal(x.double().mean(), x.double().std(correction=0)).log_prob(x.double())[:, 0]
    torch.testing.assert_close(fitted.log_density(x), expected)


@pytest.mark.parametrize("seed", range(5))
def test_a_singular_covariance_is_an_error(seed):
    x = torch.randn(5, 8, generator=generator(seed), dtype=torch.float64)
    with pytest.raises(DataError, match="no Gaussian has the covariance of 5 rows of 8 columns"):
        fit_gaussian(x)
    tall = torch.randn(100, 3, generator=generator(seed), dtype=torch.float64)
    with pytest.raises(DataError, match="100 rows of 4 columns"):
        fit_gaussian(torch.cat([tall, tall.sum(1, keepdim=True)], 1))
