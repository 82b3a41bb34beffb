"""Seeded randomness for the tests of the shared mathematics."""

import pytest
import torch


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def draw(rng):
    """Return `draw(*shape)`: standard normals in float64."""
    return lambda *shape: torch.randn(*shape, generator=rng, dtype=torch.float64)
