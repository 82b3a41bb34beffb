"""Each statistic of samplers of trained models, on tables whose answer is known."""

import math
from functools import cache

import pytest
from judged import judged

from common.measure.statistics import MissingRows
from common.runs.settings import resolve
from replications.gotta_go_fast import claims, claims_learned

JUDGED = judged(claims)
inside, SDES = JUDGED.inside, ("vp", "ve")
MODELS = {"vp": "ddpm_vp", "ve": "score_ve"}
FLOOR, COSTS = 0.1, ("nfe_max", "nfe_mean", "rejected_share")
FULL, FRECHET, NOISE = "euler_maruyama_full", "feature_frechet", "leftover_noise"
NEAR = (0.02, 0.05, 0.1)  # at which samples are good


def samplers(sde, settings):
    """The rows that a run has of a model, each with whether it is of the adaptive solver."""
    yield from (
        ({"method": method, "axis": "", "at": math.nan}, False) for method in (FULL, "reverse_diffusion_langevin", "rk45")
    )
    for at in settings.tolerances:
        where = {"axis": "tolerance", "at": at}
        yield {"method": "ggf", **where}, True
        yield from (({"method": method, **where}, False) for method in ("euler_maruyama", "ddim")[: 1 + (sde == "vp")])
    for name, tolerances in settings.shelf.items():
        yield from (({"method": f"torchsde_{name}", "axis": "tolerance", "at": at}, False) for at in tolerances)
    where = {"axis": "ablation", "at": settings.ablation_tolerance}
    yield from (({"method": method, **where}, True) for method in settings.ablations)
    yield from (({"method": "ggf", "axis": "share of training", "at": at}, True) for at in (*settings.states, 1.0))


@cache
def run(level="laptop", data="digits"):
    """Every row of a run: a value, of 50 and more, that no other row has."""
    settings, found = resolve("replications.gotta_go_fast", "learned", level, [f"data={data}"]), []
    for sde, model in MODELS.items():
        for labels, adaptive in samplers(sde, settings):
            for metric in (FRECHET, NOISE, *(COSTS if adaptive else ())):
                floor = math.nan if metric in COSTS else FLOOR
                more = {"experiment": "learned", "dataset": data, "metric": metric, "variant": model, "floor": floor}
                found.append({**more, **labels, "nfe": 5000.0 + len(found), "value": 50 + 3 * len(found) ** 0.5})
    return found


def measured(*known):
    """Return the run's rows with what is known in place, and other rows of known ones that no statistic may read."""
    rows, others = [dict(row) for row in run()], []
    for where, numbers in known:
        found = [row for row in rows if all(row[column] == wanted for column, wanted in where.items())]
        assert found, f"a run has no row of {where}"
        for row in found:
            row |= numbers if isinstance(numbers, dict) else {"value": numbers}
            others += [row | {column: "cifar10", "value": 0.01} for column in ("experiment", "dataset")]
    return [*rows, *others]


def value(statistic, *known, clears=None):
    """Return what it makes of a run; `clears` is by how much the larger operand must be told to exceed the floor."""
    rows = measured(*known)
    assert JUDGED.clears(statistic, *rows) == pytest.approx(clears)
    return JUDGED.value(statistic, *rows)


def at(sde, tolerance, metric, method="ggf"):
    return {"variant": MODELS[sde], "axis": "tolerance", "at": tolerance, "metric": metric, "method": method}


def along(sde, metric, method, numbers):
    """What is known by tolerance."""
    return [(at(sde, tolerance, metric, method), number) for tolerance, number in numbers.items()]


def full(sde, metric, numbers, method=FULL):
    return {"variant": MODELS[sde], "axis": "", "metric": metric, "method": method}, numbers


OF_LEARNED = sorted({claim.statistic for claim in JUDGED.paper.claims} & set(vars(claims_learned)))


@pytest.mark.parametrize("statistic", OF_LEARNED)
def test_rows_that_are_missing_are_said_to_be(statistic):
    table = JUDGED.table(*run())
    for column in ("experiment", "metric", "dataset"):
        with pytest.raises(MissingRows):
            getattr(claims, statistic)(table.assign(**{column: "another"}))


@pytest.mark.parametrize("statistic", OF_LEARNED)
def test_a_run_of_a_larger_level_has_what_it_reads(statistic):
    table = JUDGED.table(*run("gpu", "fashion_mnist")).assign(level="gpu")
    assert len(getattr(claims, statistic)(table)) == 2


@pytest.mark.parametrize(("sde", "statistic"), [("vp", "learned_saving_vp"), ("ve", "learned_saving_ve")])
def test_evaluations_that_are_saved_at_no_loss_by_either_measure(sde, statistic):
    """Noise of 1 and a distance of 2 in full: 1.1 and 2.5 at most are as good."""
    costs = {0.02: 250.0, 0.05: 125.0, 0.1: 100.0, 0.5: 10.0}
    rows = along(sde, "nfe_max", "ggf", costs)
    rows += [full(sde, NOISE, {"value": 1.0, "nfe": 500}), full(sde, FRECHET, {"value": 2.0, "nfe": 500})]
    rows += [(at(sde, 0.5, metric), 0.1) for metric in (NOISE, FRECHET)]
    for noises, distances, found in (
        ((1.0, 1.09, 1.09), (2.0, 2.45, 2.45), 5),
        ((1.0, 1.09, 1.12), (2.0, 2.45, 2.45), 4),
        ((1.0, 1.09, 1.09), (2.0, 2.45, 2.55), 4),
        ((1.0, 1.12, 1.09), (2.0, 2.45, 2.55), 2),
        ((1.0, 1.12, 1.12), (2.6, 2.45, 2.45), 1),
    ):
        known = [*along(sde, NOISE, "ggf", dict(zip(NEAR, noises))), *along(sde, FRECHET, "ggf", dict(zip(NEAR, distances)))]
        assert value(statistic, *rows, *known) == found
    assert inside(statistic, 5) and not inside(statistic, 1) and not inside(statistic, 0.2) and not inside(statistic, 11)


def test_equal_evaluations_on_vp():
    """Noise: 1, 4 and 16 times the solver's have a geometric mean of 4; 0.5 does not count."""
    rival = along("vp", NOISE, "euler_maruyama", {0.02: 2.0, 0.05: 8.0, 0.1: 32.0, 0.5: 0.1})
    rows = rival + along("vp", NOISE, "ggf", dict.fromkeys((*NEAR, 0.5), 2.0))
    assert value("learned_em_over_ggf_vp", *rows, clears=2 - FLOOR) == pytest.approx(4)
    assert inside("learned_em_over_ggf_vp", 4) and not inside("learned_em_over_ggf_vp", 0.25)
    rival = along("vp", NOISE, "euler_maruyama", {tolerance: 9 * tolerance**0.5 for tolerance in NEAR} | {0.5: 0.1})
    rows = rival + along("vp", NOISE, "ggf", {tolerance: 4 * tolerance**0.2 for tolerance in NEAR} | {0.5: 90.0})
    assert value("learned_ggf_over_em_vp_slope", *rows) == pytest.approx(-0.3)
    assert inside("learned_ggf_over_em_vp_slope", -0.3) and not inside("learned_ggf_over_em_vp_slope", 0.3)


@pytest.mark.parametrize(("near", "found"), [((0.75, 1.125), 0.75), ((0.875, 1.25), 1.25), ((1.25, 0.875), 1.25)])
def test_equal_evaluations_on_ve(near, found):
    rival = {0.02: 2 * near[0], 0.05: 2 * near[1], 0.1: 0.5, 0.5: 0.1}
    rows = along("ve", NOISE, "euler_maruyama", rival) + along("ve", NOISE, "ggf", dict.fromkeys(rival, 2.0))
    assert value("learned_em_over_ggf_ve", *rows) == found
    assert value("learned_em_over_ggf_ve_coarse", *rows, clears=2 - FLOOR) == 0.25
    assert inside("learned_em_over_ggf_ve", 1.05) and not inside("learned_em_over_ggf_ve", 1.2)
    assert not inside("learned_em_over_ggf_ve", 0.8)
    assert inside("learned_em_over_ggf_ve_coarse", 0.25) and not inside("learned_em_over_ggf_ve_coarse", 4)


def test_evaluations_by_tolerance():
    """The slowest sample's; at 0.5 they are anything."""
    powers = {"vp": -0.4, "ve": -0.7}
    costs = {sde: {each: 30 * each**power for each in NEAR} | {0.5: 900.0} for sde, power in powers.items()}
    rows = [row for sde in SDES for row in along(sde, "nfe_max", "ggf", costs[sde])]
    assert value("learned_slope_vp", *rows) == pytest.approx(-0.4) and value("learned_slope_ve", *rows) == pytest.approx(-0.7)
    assert value("learned_steeper_on_ve", *rows) == pytest.approx(-0.3)
    for statistic in ("learned_slope_vp", "learned_slope_ve"):
        assert inside(statistic, -0.4) and not inside(statistic, 0.4) and not inside(statistic, -1)
    assert inside("learned_steeper_on_ve", -0.3) and not inside("learned_steeper_on_ve", 0.3)
    rows = [(at("vp", 0.02, "nfe_max"), 200.0), (at("ve", 0.02, "nfe_max"), 300.0)]
    assert value("learned_ve_over_vp", *rows) == 1.5
    assert inside("learned_ve_over_vp", 1.5) and not inside("learned_ve_over_vp", 2 / 3)


@pytest.mark.parametrize("sde", SDES)
def test_the_model_that_a_coarse_tolerance_ruins_least(sde):
    rows = [(at(each, 0.1, FRECHET), 0.5) for each in SDES] + [(at(each, 0.5, FRECHET), 4.0) for each in SDES]
    assert value("learned_collapse", *rows, (at(sde, 0.5, FRECHET), 3.0), clears=3 - FLOOR) == 6
    assert inside("learned_collapse", 6) and not inside("learned_collapse", 1 / 6)


@pytest.mark.parametrize(("sde", "statistic"), [("vp", "state_over_end_vp"), ("ve", "state_over_end_ve")])
def test_half_of_the_training_over_all_of_it(sde, statistic):
    where = {"axis": "share of training", "metric": "nfe_mean", "variant": MODELS[sde]}
    assert value(statistic, (where | {"at": 0.5}, 60.0), (where | {"at": 1.0}, 80.0)) == 0.75
    assert inside(statistic, 1) and not inside(statistic, 0.75) and not inside(statistic, 4 / 3)


@pytest.mark.parametrize(("sde", "statistic"), [("vp", "rk45_over_ggf_vp"), ("ve", "rk45_over_ggf_ve")])
def test_the_flow_over_the_solver(sde, statistic):
    rows = [full(sde, FRECHET, {"value": 6.0, "nfe": 90}, "rk45"), (at(sde, 0.05, FRECHET), {"value": 3.0, "nfe": 120})]
    assert value(statistic, *rows, clears=6 - FLOOR) == 2
    assert inside(statistic, 2) and not inside(statistic, 0.5)
    if sde == "vp":
        assert value("rk45_evaluations", *rows) == 0.75
    assert inside("rk45_evaluations", 0.75) and not inside("rk45_evaluations", 4 / 3)


def test_ddim_over_the_solver():
    """1, 4 and 16 have a geometric mean of 4, and a half at 0.5."""
    rows = along("vp", FRECHET, "ddim", {0.02: 2.0, 0.05: 8.0, 0.1: 32.0, 0.5: 1.0})
    rows += along("vp", FRECHET, "ggf", dict.fromkeys((*NEAR, 0.5), 2.0))
    assert value("ddim_over_ggf", *rows, clears=2 - FLOOR) == pytest.approx(4)
    assert value("ddim_over_ggf_coarse", *rows, clears=2 - FLOOR) == 0.5
    assert inside("ddim_over_ggf", 4) and not inside("ddim_over_ggf", 0.25)
    assert inside("ddim_over_ggf_coarse", 0.5) and not inside("ddim_over_ggf_coarse", 2)


SHELF = [at("vp", 0.02, metric, "torchsde_srk") for metric in (FRECHET, NOISE)]


def shelf(distance, noise):
    """torchsde's SRK beside a distance of 2 and noise of 1 in full."""
    rows = [(where, {"value": number, "nfe": 900}) for where, number in zip(SHELF, (distance, noise))]
    return [*rows, full("vp", FRECHET, {"value": 2.0, "nfe": 500}), full("vp", NOISE, {"value": 1.0, "nfe": 300})]


def test_a_solver_off_the_shelf_is_as_good_by_both_measures_or_never():
    assert value("learned_shelf_over_em", *shelf(2.45, 1.09)) == 1.8
    assert value("learned_shelf_over_em", *shelf(2.55, 1.09)) == math.inf
    assert value("learned_shelf_over_em", *shelf(2.45, 1.12)) == math.inf
    gone = {"value": math.nan, "nfe": math.nan, "floor": math.nan, "status": "refused"}
    assert value("learned_shelf_over_em", *shelf(2.45, 1.09), *((where, gone) for where in SHELF)) == math.inf
    assert inside("learned_shelf_over_em", 1.8) and inside("learned_shelf_over_em", 1e9)
    assert not inside("learned_shelf_over_em", 0.6)


@pytest.mark.parametrize("least", SDES)
def test_variants_over_the_published_solver(least):
    where = {"axis": "ablation"}
    rows = [(where | {"metric": metric, "method": "default"}, 4.0) for metric in ("nfe_max", NOISE)]
    for sde, model in MODELS.items():
        number = 10.0 if sde == least else 12.0
        rows += [(where | {"metric": "nfe_max", "method": "max_norm", "variant": model}, number)]
        rows += [(where | {"metric": NOISE, "method": "no_extrapolation", "variant": model}, number)]
    assert value("learned_max_norm_cost", *rows) == 2.5
    assert value("learned_no_extrapolation_noise", *rows, clears=10 - FLOOR) == 2.5
    assert inside("learned_max_norm_cost", 2.5) and not inside("learned_max_norm_cost", 0.4)
    assert inside("learned_no_extrapolation_noise", 2.5) and not inside("learned_no_extrapolation_noise", 0.4)
