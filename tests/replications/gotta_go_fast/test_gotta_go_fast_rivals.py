"""Rivals at a number of evaluations: when they ask, how often, and that they are the samplers they are made of."""

import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import ve, vp
from common.dynamics.samplers.exponential import ddim as ddim_sampler
from common.dynamics.samplers.sde import euler_maruyama as euler_maruyama_sampler
from common.errors import SolverError
from replications.gotta_go_fast.rivals import ddim, euler_maruyama, reverse_diffusion_langevin
from replications.score_sde.correctors import langevin
from replications.score_sde.predictor_corrector import predictor_corrector, scales
from replications.score_sde.predictors import reverse_diffusion

F64, DIM, STD = torch.float64, 6, 0.3
MEAN = torch.linspace(-0.5, 0.5, DIM, dtype=F64)
ENDS = torch.tensor([1.0, 1e-3], dtype=F64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def asked_model(path):
    """A Gaussian's exact score, and the times at which it was asked."""
    asked, oracle = [], gaussian(path, MEAN, STD)
    return Answering(path, "score", lambda x, t: asked.append(float(t)) or oracle.score(x, t)), asked


@pytest.mark.parametrize(("rival", "plain"), [(euler_maruyama, euler_maruyama_sampler), (ddim, ddim_sampler())])
def test_even_steps_and_a_last_denoising(rival, plain):
    path = vp()
    model, asked = asked_model(path)
    start = torch.randn(5, DIM, generator=generator(), dtype=F64)
    found = rival(30)(model, start, ENDS, generator=generator(1))
    assert asked == pytest.approx(torch.linspace(1, 1e-3, 30, dtype=F64).tolist())
    assert found.nfe.tolist() == [30] * 5
    noisy = plain(model, start, torch.linspace(1, 1e-3, 30, dtype=F64), generator=generator(1)).x
    torch.testing.assert_close(found.x, model.denoised(noisy, 1e-3))
    assert not torch.allclose(found.x, noisy, atol=1e-4)


def test_both_reach_the_gaussian():
    for path, rival in ((vp(), euler_maruyama), (ve(0.01, 15.0), euler_maruyama), (vp(), ddim)):
        start = path.prior_sample((2000, DIM), generator=generator())
        found = rival(400)(gaussian(path, MEAN, STD), start, ENDS, generator=generator(1)).x
        torch.testing.assert_close(found.mean(0), MEAN, atol=0.03, rtol=0)
        assert float(found.std(0).mean()) == pytest.approx(STD, rel=0.03)


@pytest.mark.parametrize("path", [vp(), ve(0.01, 15.0)], ids=lambda path: path.name)
@pytest.mark.parametrize("nfe", [60, 61])
def test_the_predictor_corrector_is_score_sdes_at_half_as_many_scales(path, nfe):
    model, asked = asked_model(path)
    start = path.prior_sample((5, DIM), generator=generator())
    found = reverse_diffusion_langevin(nfe, 0.1, alpha="coded")(model, start, ENDS, generator=generator(1))
    assert found.nfe.tolist() == [60] * 5 and len(asked) == 60 and asked[-2:] == pytest.approx([1e-3] * 2)
    whole = predictor_corrector(reverse_diffusion, langevin(0.1, alpha="coded"))
    expected = whole(model, start, scales(path, 30, t_min=1e-3), generator=generator(1))
    torch.testing.assert_close(found.x, expected.x)
    other = reverse_diffusion_langevin(nfe, 0.2, alpha="coded")(model, start, ENDS, generator=generator(1))
    assert not torch.allclose(found.x, other.x)


def test_too_few_evaluations_are_refused():
    for make in (lambda: euler_maruyama(1), lambda: ddim(0), lambda: reverse_diffusion_langevin(3, 0.1)):
        with pytest.raises(SolverError, match="at least 2 times"):
            make()
