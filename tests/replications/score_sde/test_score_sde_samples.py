"""Samplers with exact scores reach the data: weights, means and covariances of a mixture."""

import math

import pytest
import torch

from common.dynamics.ddpm_levels import ddpm_path
from common.dynamics.oracles import GaussianMixture
from common.dynamics.paths import sub_vp, ve, vp
from replications.score_sde.correctors import annealed_langevin, langevin
from replications.score_sde.predictor_corrector import level_scales, predictor_corrector, scales
from replications.score_sde.predictors import ancestral, euler_maruyama, identity, probability_flow, reverse_diffusion

F64 = torch.float64
N, STEPS = 2000, 300
PATHS = {"ve": ve(0.01, 5.0), "vp": vp(), "sub_vp": sub_vp(), "ddpm": ddpm_path(STEPS)}
PREDICTORS = {
    "reverse_diffusion": reverse_diffusion,
    "ancestral": ancestral,
    "probability_flow": probability_flow,
    "euler_maruyama": euler_maruyama,
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def mixture(path):
    """Its mean is 0, so that the VE path's prior is right up to the data's variance beside its own."""
    means = torch.tensor([[0.6, 0.3], [-1.4, -0.7]], dtype=F64)
    return GaussianMixture(
        path, weights=torch.tensor([0.7, 0.3], dtype=F64), means=means, stds=torch.tensor([0.3, 0.5], dtype=F64)
    )


def times_of(path):
    return level_scales(path, STEPS) if path.name == "ddpm" else scales(path, STEPS, t_min=1e-5 if path.name == "ve" else 1e-3)


def near_the_mixture(x, path, bias):
    """Weights, means and covariances within four standard errors and a share of them that many steps may be off."""
    oracle = mixture(path)
    first = (x - oracle.means[0]).norm(dim=1) < (x - oracle.means[1]).norm(dim=1)
    # how many of the data themselves are nearer to the other centre is counted too
    data = oracle.sample(200_000, generator=generator(9))
    nearer = (data - oracle.means[0]).norm(dim=1) < (data - oracle.means[1]).norm(dim=1)
    share = float(nearer.double().mean())
    assert float(first.double().mean()) == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / len(x)) + bias / 2)
    for part, wanted in ((x[first], data[nearer]), (x[~first], data[~nearer])):
        std = float(wanted.std(0).max())
        torch.testing.assert_close(part.mean(0), wanted.mean(0), rtol=0, atol=std * (4 / len(part) ** 0.5 + bias))
        torch.testing.assert_close(part.T.cov(), wanted.T.cov(), rtol=0, atol=std**2 * (4 * (2 / len(part)) ** 0.5 + bias))


CASES = [*((name, False) for name in PREDICTORS), ("reverse_diffusion", True), ("probability_flow", True)]


@pytest.mark.parametrize(("name", "corrected"), CASES)
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_the_samplers_reach_the_data(path, name, corrected):
    if name == "ancestral" and path.name == "sub_vp":
        pytest.skip("not on this path")
    sample = predictor_corrector(PREDICTORS[name], langevin(0.12, alpha="coded") if corrected else identity)
    start = path.prior_sample((N, 2), generator=generator(1))
    found = sample(mixture(path), start, times_of(path), generator=generator())
    assert found.nfe.unique().tolist() == [STEPS * (1 + corrected)]
    near_the_mixture(found.x, path, 0.05)


@pytest.mark.parametrize("make", [langevin, annealed_langevin])
def test_correctors_alone_reach_the_data_slowly(make):
    path = PATHS["ve"]
    found = predictor_corrector(identity, make(0.25), correctors=3)(
        mixture(path), path.prior_sample((N, 2), generator=generator(1)), times_of(path), generator=generator()
    )
    near_the_mixture(found.x, path, 0.12)
