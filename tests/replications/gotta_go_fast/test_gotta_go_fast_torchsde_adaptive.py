"""torchsde's adaptive solvers: that they solve the reverse-time SDE, what they cost, when they are given up."""

import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import ve, vp
from common.errors import SolverError
from replications.gotta_go_fast.torchsde_adaptive import METHODS, torchsde_adaptive

F64, SHAPE, STD = torch.float64, (2, 4), 0.3
MEAN = torch.linspace(-0.5, 0.5, 8, dtype=F64)
ENDS = torch.tensor([1.0, 1e-3], dtype=F64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def asked_model(path):
    asked, oracle = [], gaussian(path, MEAN, STD)

    def score(x, t):
        asked.append(float(t))
        return oracle.score(x.flatten(1), t).reshape(x.shape)

    return Answering(path, "score", score), asked


@pytest.mark.parametrize(("method", "path"), [*((method, vp()) for method in METHODS), ("srk", ve(0.01, 5.0))])
def test_samples_of_a_gaussian_at_the_evaluations_that_are_counted(method, path):
    """Of 3200 components standard deviations are within 1.25 % in 68 of 100 draws."""
    model, asked = asked_model(path)
    start = path.prior_sample((400, *SHAPE), generator=generator())
    found = torchsde_adaptive(method, rtol=0.01, atol=0.01)(model, start, ENDS, generator=generator(1))
    assert found.x.shape == start.shape and found.nfe.tolist() == [len(asked)] * 400 and not found.rejected.any()
    deviation = found.x.flatten(1) - MEAN
    spread = (STD**2 + float(path.sigma(ENDS[1])) ** 2) ** 0.5
    assert float(deviation.std()) == pytest.approx(spread, rel=0.05)
    assert float(deviation.mean(0).abs().max()) < 4.5 * STD / 20
    assert max(asked) == 1.0 and min(asked) >= 1e-3 and all(0 <= t <= 1 for t in asked)


def test_a_drift_that_is_asked_for_again_is_not_taken_again():
    """SRA1 has two drifts: a full step and two halves take five of them, for the first drift is shared."""
    model, asked = asked_model(vp())
    start = torch.randn(50, *SHAPE, generator=generator(), dtype=F64)
    torchsde_adaptive("srk", rtol=10.0, atol=10.0, first_step=0.999)(model, start, ENDS, generator=generator(1))
    assert len(asked) == 5 and len(set(asked)) == len(asked)


def test_smaller_tolerances_cost_more():
    costs = []
    for tolerance in (0.1, 0.01):
        model, asked = asked_model(vp())
        start = torch.randn(50, *SHAPE, generator=generator(), dtype=F64)
        torchsde_adaptive("srk", rtol=tolerance, atol=tolerance)(model, start, ENDS, generator=generator(1))
        costs.append(len(asked))
    assert costs[1] > 1.5 * costs[0] > 30


def test_one_generator_gives_one_answer():
    model, _ = asked_model(vp())
    start = torch.randn(5, *SHAPE, generator=generator(), dtype=F64)
    first, again, other = (
        torchsde_adaptive("heun", rtol=0.1, atol=0.1)(model, start, ENDS, generator=generator(seed)).x for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.allclose(first, other)


def test_what_cannot_be_done_is_refused():
    model, asked = asked_model(vp())
    start = torch.randn(5, *SHAPE, generator=generator(), dtype=F64)
    with pytest.raises(SolverError, match="no SDE method"):
        torchsde_adaptive("rkmil", rtol=0.1, atol=0.1)
    with pytest.raises(SolverError, match="not at the end after 30 evaluations"):
        torchsde_adaptive(rtol=1e-3, atol=1e-3, max_evaluations=30)(model, start, ENDS, generator=generator())
    assert len(asked) == 30
    sample = torchsde_adaptive(rtol=0.1, atol=0.1)
    for options in ({}, {"generator": generator(), "callback": lambda *_: None}):
        with pytest.raises(SolverError, match="pass a generator and no callback"):
            sample(model, start, ENDS, **options)
    with pytest.raises(SolverError):
        sample(model, start * torch.nan, ENDS, generator=generator())
