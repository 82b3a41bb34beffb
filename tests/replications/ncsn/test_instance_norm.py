"""InstanceNorm++ against its formula in numpy."""

import numpy as np
import pytest
import torch

from common.errors import SettingsError
from replications.ncsn.instance_norm import InstanceNormPlus

F64, CHANNELS, LEVELS = torch.float64, 4, 3


@pytest.fixture
def norm():
    norm = InstanceNormPlus(CHANNELS, LEVELS).double()
    norm.table.weight.data = torch.randn(LEVELS, 3 * CHANNELS, generator=torch.Generator().manual_seed(0), dtype=F64)
    return norm


def maps(scale=1.0):
    """Three samples whose channels differ in mean and spread."""
    generator = torch.Generator().manual_seed(1)
    pixels, means, spreads = (
        torch.randn(3, CHANNELS, *size, generator=generator, dtype=F64) for size in ((5, 3), (1, 1), (1, 1))
    )
    return scale * (means + spreads.exp() * pixels)


def written_out(norm, x, levels):
    x, table, out = x.numpy(), norm.table.weight.detach().numpy(), np.empty(x.shape)
    for b, level in enumerate(levels):
        gamma, alpha, beta = np.split(table[level], 3)
        mu = [x[b, k].sum() / 15 for k in range(CHANNELS)]
        m = sum(mu) / CHANNELS
        v = np.sqrt(sum((each - m) ** 2 for each in mu) / (CHANNELS - 1) + 1e-5)
        for k in range(CHANNELS):
            s = np.sqrt(((x[b, k] - mu[k]) ** 2).sum() / 15 + 1e-5)
            out[b, k] = gamma[k] * ((x[b, k] - mu[k]) / s + alpha[k] * (mu[k] - m) / v) + beta[k]
    return torch.from_numpy(out)


# variances of about 1e-5 in the second case show where it is added
@pytest.mark.parametrize("scale", [1.0, 3e-3])
def test_norm_is_the_formula_with_each_samples_own_level(norm, scale):
    x = maps(scale)
    torch.testing.assert_close(norm(x, torch.tensor([2, 0, 1])), written_out(norm, x, [2, 0, 1]), rtol=1e-12, atol=1e-12)


def test_one_level_for_all_is_that_level_for_each(norm):
    x = maps()
    torch.testing.assert_close(norm(x, torch.tensor([1])), written_out(norm, x, [1, 1, 1]), rtol=1e-12, atol=1e-12)


def test_only_the_levels_of_the_batch_learn(norm):
    norm(maps(), torch.tensor([2, 0, 2])).pow(3).sum().backward()
    assert [bool(row.abs().min() > 1e-6) for row in norm.table.weight.grad] == [True, False, True]
    assert norm.table.weight.grad[1].abs().max() == 0


def test_what_it_forgets_and_what_it_keeps(norm):
    """Offset and contrast of the whole sample are forgotten; the offset of a channel, which plain norms forget, is not."""
    x, level = 1e3 * maps(), torch.tensor([1])
    expected = norm(x, level)
    for same in (x + 500.0, 7.0 * x):
        torch.testing.assert_close(norm(same, level), expected, rtol=1e-6, atol=1e-6)
    moved = x.clone()
    moved[:, 2] += 1e3
    change = (norm(moved, level) - expected).abs().amax((0, 2, 3))
    assert change.min() > 1e-2
    torch.testing.assert_close(
        (norm(moved, level) - expected).std((2, 3)), torch.zeros(3, CHANNELS, dtype=F64), atol=1e-9, rtol=0
    )


def test_gradients_of_gradients_are_right(norm):
    """Sliced score matching differentiates twice."""
    x, level = maps()[:2, :, :2, :2].clone().requires_grad_(), torch.tensor([0, 2])
    assert torch.autograd.gradcheck(lambda x: norm(x, level), x)
    assert torch.autograd.gradgradcheck(lambda x: norm(x, level), x)


def test_it_starts_near_scale_one_and_shift_zero():
    gamma, alpha, beta = InstanceNormPlus(2000, 10).table.weight.detach().chunk(3, dim=1)
    for each in (gamma, alpha):
        # 20 000 draws: five standard errors
        assert float(each.mean()) == pytest.approx(1, abs=5 * 0.02 / 20_000**0.5)
        assert float(each.std()) == pytest.approx(0.02, rel=5 / 40_000**0.5)
    assert beta.abs().max() == 0


def test_a_single_channel_has_no_variance_of_means():
    with pytest.raises(SettingsError, match=r"backbone\.filters: .* needs 2, not 1"):
        InstanceNormPlus(1, 10)
