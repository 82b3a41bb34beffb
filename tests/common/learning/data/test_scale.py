import pytest
import torch

import common.learning.data.scale as scale
from common.learning.data.scale import from_unit, rescaled, to_unit

NEAREST_TO_ONE = 1 - 2**-24  # the largest float32 that torch.rand draws


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_values():
    assert to_unit(torch.tensor([0, 1, 3]), 4).tolist() == [-0.75, -0.25, 0.75]
    assert from_unit(torch.tensor([-1.0, -0.51, -0.5, 0.99]), 4).tolist() == [0, 0, 1, 3]
    assert from_unit(torch.tensor([-7.0, 1.0, 7.0]), 4).tolist() == [0, 3, 3]


@pytest.mark.parametrize("grey_values", [2, 17, 256])
@pytest.mark.parametrize("noise", [0.0, 2**-24, 0.3, 1 - 2**-15, NEAREST_TO_ONE])
def test_no_noise_moves_a_value_to_another_level(grey_values, noise, monkeypatch):
    monkeypatch.setattr(scale.torch, "rand", lambda shape, **_: torch.full(shape, noise))
    values = torch.arange(grey_values, dtype=torch.uint8)
    x = to_unit(values, grey_values, generator=generator())
    assert x.dtype == torch.float32 and x.abs().max() <= 1
    assert torch.equal(from_unit(x, grey_values), values.long())


@pytest.mark.parametrize("grey_values", [2, 17, 256])
def test_middle_of_the_cell_without_generator(grey_values):
    values = torch.arange(grey_values, dtype=torch.uint8)
    middles = to_unit(values, grey_values)
    assert torch.equal(from_unit(middles, grey_values), values.long())
    torch.testing.assert_close(middles, -middles.flip(0))


def test_noise_fills_the_cell_uniformly():
    n = 100_000
    x = to_unit(torch.full((n,), 9, dtype=torch.uint8), 17, generator=generator())
    u = ((x.double() + 1) * 17 / 2 - 9).sort().values
    # Kolmogorov-Smirnov distance; 1.95 / sqrt(n) is exceeded once in a thousand
    assert (u - torch.arange(1, n + 1) / n).abs().max() < 1.95 / n**0.5
    assert u[0] < 1e-4 and u[-1] > 1 - 1e-4


def test_noise_follows_from_the_generator_alone():
    values = torch.zeros(50, dtype=torch.uint8)
    before = torch.get_rng_state()
    assert torch.equal(to_unit(values, 256, generator=generator(1)), to_unit(values, 256, generator=generator(1)))
    assert torch.equal(before, torch.get_rng_state())


def test_ends_of_one_range_become_ends_of_the_other():
    x = torch.tensor([0.0, 0.25, 1.0, 3.0], dtype=torch.float64)
    assert rescaled(x, (0.0, 1.0)).tolist() == [-1, -0.5, 1, 5]
    assert rescaled(x, (0.0, 1.0), (2.0, 6.0)).tolist() == [2, 3, 6, 14]
    assert rescaled(torch.tensor([-1.0, 0.0, 1.0]), (-1.0, 1.0), (0.0, 1.0)).tolist() == [0, 0.5, 1]
    assert rescaled(x, (0.5, 2.0), (0.5, 2.0)) is x
    torch.testing.assert_close(rescaled(rescaled(x, (-2.0, 5.0), (0.0, 3.0)), (0.0, 3.0), (-2.0, 5.0)), x)
