"""The loop of predictor and corrector: its order, its accounts, its last mean; discrete models between their levels."""

import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.denoiser import Conditioning, Denoiser
from common.dynamics.oracles import gaussian
from common.dynamics.paths import level_times, uniform_times, ve, vp
from common.dynamics.samplers import loop
from common.dynamics.samplers.result import Samples
from common.errors import SolverError, UnsupportedModelError
from common.learning.nets.mlp import ResidualMLP
from replications.score_sde.conditional import Known, imputing
from replications.score_sde.correctors import annealed_langevin, langevin
from replications.score_sde.predictor_corrector import between_levels, budgets, level_scales, predictor_corrector, scales
from replications.score_sde.predictors import ancestral, identity, probability_flow, reverse_diffusion

F64 = torch.float64
PATH = ve(0.01, 5.0)
ORACLE = gaussian(PATH, torch.tensor([0.5, -0.2], dtype=F64), 0.3)
START = torch.zeros(3, 2, dtype=F64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noting(name, notes):
    """A method that notes its steps, asks for a score, and tells state and mean apart."""

    def method(path, times):
        def step(model, x, t, t_next, noise):
            notes.append((name, t, t_next))
            mean = x + 0 * model.score(x, t) + (1.0 if name == "p" else 100.0)
            return mean + 0.25, mean

        return step

    return method


@pytest.mark.parametrize("order", ["coded", "printed"])
def test_the_order(order):
    notes, times = [], torch.tensor([1.0, 0.5, 0.5], dtype=F64)
    sample = predictor_corrector(noting("p", notes), noting("c", notes), correctors=2, order=order)
    found = sample(ORACLE, START, times)
    if order == "coded":
        assert [name for name, *_ in notes] == ["c", "c", "p", "c", "c", "p"]
        assert [each[1:] for each in notes] == [(1, 1), (1, 1), (1, 0.5), (0.5, 0.5), (0.5, 0.5), (0.5, 0.5)]
        assert found.x.unique().tolist() == [402 + 5 * 0.25] and found.nfe.tolist() == [6] * 3
    else:
        # what is clean data is corrected no more
        assert notes == [("p", 1, 0.5), ("c", 0.5, 0.5), ("c", 0.5, 0.5), ("p", 0.5, 0.5)]
        assert found.x.unique().tolist() == [202 + 3 * 0.25] and found.nfe.tolist() == [4] * 3


def test_printed_order_corrects_at_the_last_time_if_that_is_no_clean_data():
    notes = []
    predictor_corrector(noting("p", notes), noting("c", notes), order="printed")(
        ORACLE, START, torch.tensor([1.0, 0.5, 0.25], dtype=F64)
    )
    assert notes == [("p", 1, 0.5), ("c", 0.5, 0.5), ("p", 0.5, 0.25), ("c", 0.25, 0.25)]
    levels = Answering(PATH, "score", lambda x, t: -x, torch.tensor([1.0, 0.5], dtype=F64))
    with pytest.raises(UnsupportedModelError, match="cannot run on this network"):
        predictor_corrector(identity, annealed_langevin(0.1), order="printed")(
            levels, START, torch.tensor([1.0, 0.5, 0.25]), generator=generator()
        )


def test_the_columns_of_table_1_cost_what_they_say():
    count, found = 12, {}
    for name, budget in budgets(count).items():
        predictor = reverse_diffusion if budget.predicts else identity
        sample = predictor_corrector(predictor, langevin(0.1) if budget.correctors else identity, correctors=budget.correctors)
        result = sample(ORACLE, START, level_scales(PATH, budget.scales), generator=generator())
        assert result.nfe.unique().tolist() == [budget.evaluations]
        found[name] = budget.evaluations
    assert found == {"P": count, "P2": 2 * count, "C2": 2 * count, "PC": 2 * count}
    assert [tuple(budget) for budget in budgets(1000).values()] == [
        (1000, True, 0),
        (2000, True, 0),
        (1000, False, 2),
        (1000, True, 1),
    ]


@pytest.mark.parametrize("predictor", [ancestral, reverse_diffusion])
def test_the_last_noise_is_left_out_and_the_last_step_denoises(predictor):
    """On the VE path the last step is Tweedie's."""
    seen, times = [], scales(PATH, 20, t_min=0.0)
    sample = predictor_corrector(predictor, langevin(0.1))
    found = sample(ORACLE, START, times, generator=generator(), callback=lambda number, t, x: seen.append(x))
    draws = generator()
    for _ in range(19):  # corrector and predictor
        torch.randn(2, 3, 2, generator=draws, dtype=F64)
    t = times[-1].item()
    corrected, _ = langevin(0.1)(PATH, times)(ORACLE, seen[-2], t, t, lambda x: torch.randn(x.shape, generator=draws, dtype=F64))
    torch.testing.assert_close(found.x, ORACLE.denoised(corrected, t))


def test_a_corrector_alone_returns_its_state():
    sample = predictor_corrector(identity, annealed_langevin(0.1), correctors=2)
    seen = []
    found = sample(ORACLE, START, scales(PATH, 4), generator=generator(), callback=lambda number, t, x: seen.append(x))
    assert torch.equal(found.x, seen[-1])


def test_times_in_the_middle_are_not_repeated():
    with pytest.raises(SolverError, match="only the last time"):
        predictor_corrector(reverse_diffusion)(ORACLE, START, torch.tensor([1.0, 0.5, 0.5, 0.1]), generator=generator())


# models of noise levels


def of_levels(count, asked):
    def predict(x, t):
        asked.append(t)
        return -x * (t.reshape(-1, 1) if isinstance(t, torch.Tensor) else t)

    return Answering(PATH, "noise", predict, level_times(PATH, count))


def test_between_levels_the_network_is_given_a_fraction_or_the_nearest():
    count, times = 5, level_scales(PATH, 10)
    for interpolation in ("linear", "rounding"):
        asked = []
        model = of_levels(count, asked)
        with pytest.raises(UnsupportedModelError, match="5 discrete noise levels"):
            predictor_corrector(probability_flow)(model, START, times)
        found = predictor_corrector(probability_flow)(between_levels(model, interpolation), START, times)
        index = [(1 - t) * (count - 1) for t in asked]
        if interpolation == "linear":
            assert index == pytest.approx([k * 4 / 9 for k in range(10)])
        else:
            assert index == pytest.approx([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
        assert found.nfe.tolist() == [10] * 3
    x = torch.ones(2, 2, dtype=F64)
    rounded, linear = (between_levels(of_levels(count, []), how) for how in ("rounding", "linear"))
    torch.testing.assert_close(rounded.score(x, 0.7), 0.75 * x / float(PATH.sigma(torch.tensor(0.75, dtype=F64))))
    torch.testing.assert_close(linear.score(x, 0.7), 0.7 * x / float(PATH.sigma(torch.tensor(0.7, dtype=F64))))
    torch.testing.assert_close(rounded.score(x, torch.tensor([0.7, 0.1], dtype=F64))[0], rounded.score(x, 0.7)[0])


def test_interpolation_is_refused_where_it_means_nothing():
    with pytest.raises(UnsupportedModelError, match="knows all times"):
        between_levels(ORACLE, "linear")
    net = Denoiser(ResidualMLP((2,), 4, 1), PATH, "noise", level_times(PATH, 5), Conditioning("raw", "index"))
    with pytest.raises(UnsupportedModelError, match="fraction of an index"):
        between_levels(net, "linear")
    assert between_levels(net, "rounding").score(torch.zeros(2, 2), 0.7).shape == (2, 2)


@pytest.mark.parametrize("order", ["coded", "printed"])
def test_no_step_waits_for_a_device(monkeypatch, order):
    """On the device that has no values any number that is read is an error."""
    shape = (3, 4, 4)
    with torch.device("meta"):
        net = ResidualMLP(shape, 8, 1)
    model = Denoiser(net, vp(), "noise", None, Conditioning("raw", "steps")).to("meta")
    monkeypatch.setattr(loop, "normal", lambda x, *_: torch.empty_like(x))
    monkeypatch.setattr(loop, "finished", lambda what, x, calls: Samples(x, torch.tensor([calls]), torch.zeros(1)))
    start = torch.empty(2, *shape, device="meta")
    known = Known(start, torch.ones(3, 1, 1, dtype=torch.bool, device="meta"), torch.empty(3, 3, device="meta"))
    sample = predictor_corrector(
        imputing(reverse_diffusion, known), imputing(langevin(0.1, alpha="coded"), known), correctors=2, order=order
    )
    found = sample(model, start, scales(vp(), 25))
    assert found.x.is_meta and found.nfe.tolist() == [25 * 3 if order == "coded" else 25 + 24 * 2]
    assert predictor_corrector(reverse_diffusion)(model, start, uniform_times(vp(), 25)).x.is_meta
