import math

import pytest
import torch

from common.measure.grid import square_grid


def test_a_picture_reaches_from_border_to_border():
    grid = square_grid(3, 2.0)
    assert grid[:4].tolist() == [[-2, -2], [-2, 0], [-2, 2], [0, -2]] and len(grid) == 9


def test_cells_sum_a_density_to_one():
    grid = square_grid(80, 8.0, cells=True)
    density = (-0.5 * grid.square().sum(1)).exp() / (2 * math.pi)
    assert float(density.sum()) * (16 / 80) ** 2 == pytest.approx(1, abs=1e-9)
    torch.testing.assert_close(grid, -grid.flip(0))
