"""The narrow mixture: its score beside common's for any modes, and what its residual reads where that is known."""

import pytest
import torch

from common.dynamics.oracles import GaussianMixture
from common.dynamics.paths import ve, vp
from replications.gotta_go_fast.narrow_mixture import RANGES, STD, exact_score, narrow

F64 = torch.float64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("path", [vp(), ve(0.01, 50.0)], ids=lambda path: path.name)
@pytest.mark.parametrize("t", [1e-3, 0.1, 0.5, 1.0])
def test_the_score_is_that_of_the_general_mixture(path, t):
    centres = torch.rand(3, 40, generator=generator(), dtype=F64)
    general = GaussianMixture(path, weights=torch.ones(3, dtype=F64), means=centres, stds=torch.full((3,), 0.1, dtype=F64))
    time = torch.tensor(t, dtype=F64)
    x = path.perturb(centres[[0, 1, 2, 0]], time, torch.randn(4, 40, generator=generator(1), dtype=F64))
    model = exact_score(path, centres, 0.1)
    for quantity in ("score", "data", "noise", "velocity"):
        torch.testing.assert_close(model.answer(quantity, x, t), general.answer(quantity, x, t), rtol=1e-8, atol=1e-8)
    # each sample at a time of its own
    times = torch.tensor([t, 0.3, t, 0.7], dtype=F64)
    torch.testing.assert_close(model.score(x, times), general.score(x, times), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("sde", "eps", "exact"), [("vp", 1e-3, 0.690), ("ve", 1e-5, 0.707)])
def test_the_exact_residual(sde, eps, exact):
    """Of 51 200 components a residual is within 0.3 % of its mean in 68 of 100 draws."""
    toy = narrow(sde, eps, generator=generator())
    assert toy.exact == pytest.approx(exact, abs=5e-4)
    assert toy.residual(toy.exact_samples(200, generator(1))) == pytest.approx(toy.exact, rel=0.013)
    noise = torch.randn(200, 256, generator=generator(2), dtype=F64)
    assert toy.residual(toy.centres.repeat(20, 1) + STD * noise) == pytest.approx(1, rel=0.013)
    assert toy.residual(toy.centres + 0.02) == pytest.approx(2)


@pytest.mark.parametrize("sde", RANGES)
def test_centres_lie_in_the_range_of_pixels_and_starts_in_the_prior(sde):
    toy, (low, high) = narrow(sde, 1e-3, dim=512, modes=20, sigma_max=380.0, generator=generator()), RANGES[sde]
    assert low <= float(toy.centres.min()) < low + 0.01 and high - 0.01 < float(toy.centres.max()) <= high
    assert toy.times.tolist() == [1.0, 1e-3]
    width = {"vp": 1.0, "ve": 380.0}[sde]
    assert float(toy.starts(50, generator(1)).std()) == pytest.approx(width, rel=0.03)
    other = narrow(sde, 1e-3, dim=512, modes=20, generator=generator(1))
    assert not torch.allclose(toy.centres, other.centres)
