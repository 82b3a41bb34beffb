"""DDPM's levels: the path through them, and models that are described on it."""

import pytest
import torch

from common.dynamics.ddpm_levels import ddpm_betas, ddpm_path
from common.dynamics.paths import level_times
from common.errors import SettingsError, SolverError
from common.learning.models import ModelSettings
from common.learning.nets.build import MLPSettings
from common.runs.settings import validated

OBJECTIVE = {"path": "ddpm", "prediction": "noise", "noise_levels": 100}


def described(**changed):
    values = {"objective": {**OBJECTIVE, **changed}, "conditioning": {"t": "steps"}, "shape": (2,)}
    return validated(ModelSettings, {**values, "backbone": MLPSettings(width=4, blocks=1)}, where="test")


def test_a_models_levels_are_ddpms():
    model = described().build(0)
    betas = torch.linspace(0.1, 20, 100, dtype=torch.float64) / 100
    torch.testing.assert_close(ddpm_betas(100), betas)
    times = torch.arange(100, 0, -1, dtype=torch.float64) / 100
    torch.testing.assert_close(model.known_times, times)
    torch.testing.assert_close(level_times(model.path, 100), times)
    torch.testing.assert_close(model.path.alpha(times).square(), (1 - betas).cumprod(0).flip(0))


def test_the_number_of_levels_must_be_said():
    with pytest.raises(SettingsError, match=r"path ddpm leads through DDPM's noise levels; set noise_levels"):
        described(noise_levels=None)


def test_too_few_levels_have_impossible_betas():
    with pytest.raises(SolverError, match=r"largest beta_i is 20 / 20, which must be below 1: take more noise levels"):
        ddpm_path(20)
    assert float(ddpm_path(21).alpha(torch.ones((), dtype=torch.float64))) > 0
