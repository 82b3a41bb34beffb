"""The cheap sampler of a training's states, and when a curve is good enough."""

import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import PATHS, level_times, ve
from common.errors import RefusedError
from replications.survey.quality_curve import cheap_samples, cheap_times, first_below

F64 = torch.float64
MEAN, STD = torch.tensor([0.5, -0.2], dtype=F64), 0.3


def model_of(path, known_times=None):
    oracle = gaussian(path, MEAN, STD)
    return Answering(path, "data", oracle.denoised, known_times)


@pytest.mark.parametrize("name", PATHS)
def test_exact_models(name):
    noise = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    found = cheap_samples(model_of(PATHS[name]()), noise, 20, 1500)
    assert set(found.nfe.tolist()) == {20} and len(found.x) == 4000
    torch.testing.assert_close(found.x.mean(0), MEAN, atol=0.03, rtol=0)
    torch.testing.assert_close(found.x.std(0), torch.full((2,), STD, dtype=F64), atol=0.03, rtol=0)


@pytest.mark.parametrize(("levels", "nfe", "expected"), [(8, 20, 8), (50, 20, 20)])
def test_networks_of_noise_levels(levels, nfe, expected):
    path = ve(0.02, 5.0)
    model = model_of(path, level_times(path, levels))
    times = cheap_times(model, nfe)
    assert len(times) == expected and set(times.tolist()) <= set(model.known_times.tolist())
    assert (float(times[0]), float(times[-1])) == (1.0, 0.0)
    assert set(cheap_samples(model, torch.randn(3, 2, dtype=F64), nfe, 3).nfe.tolist()) == {expected}


def test_one_level_leads_nowhere():
    path = ve(0.02, 0.02)
    with pytest.raises(RefusedError, match="one noise level"):
        cheap_times(model_of(path, level_times(path, 1)), 20)


@pytest.mark.parametrize(
    ("values", "target", "expected"),
    [([8, 2, 1], 4, 15), ([8, 2, 1], 2, 20), ([8, 2, 1], 9, 10), ([8, 10, 2.5], 5, 25), ([8, 0, 1], 4, 20)],
)
def test_the_first_step_that_is_good_enough(values, target, expected):
    """By hand: a distance falls by the same factor in every step between two states."""
    assert first_below([10, 20, 30], values, target) == pytest.approx(expected)


def test_never_good_enough():
    with pytest.raises(RefusedError, match="ends at 3, above 2"):
        first_below([10, 20], [8, 3], 2)
