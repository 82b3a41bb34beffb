"""Each statistic of samplers with exact scores, on tables whose answer is known."""

import math
from functools import cache

import pytest
from judged import judged

from common.measure.statistics import MissingRows
from common.runs.settings import resolve
from replications.gotta_go_fast import claims, claims_exact

JUDGED = judged(claims)
inside, SDES = JUDGED.inside, ("vp", "ve")
FLOOR, COSTS = 0.1, ("nfe_max", "nfe_mean", "rejected_share")
FULL, R, ERROR = "euler_maruyama_full", "residual", "residual_error"


def cell(sde, method, axis="", at=math.nan, variant=""):
    return {"dataset": sde, "method": method, "axis": axis, "at": at, "variant": variant}


def samplers(sde, settings):
    """The rows that a run has of an SDE, each with whether it is of the adaptive solver."""
    yield from ((cell(sde, method), False) for method in ("data", FULL, "rk45"))
    for at in settings.tolerances:
        yield cell(sde, "ggf", "tolerance", at), True
        yield from ((cell(sde, method, "tolerance", at), False) for method in ("euler_maruyama", "ddim")[: 1 + (sde == "vp")])
    yield from ((cell(sde, method, "ablation", settings.ablation_tolerance), True) for method in settings.ablations)
    yield from ((cell(sde, "ggf", "dimension", at), True) for at in settings.dimensions)
    if sde in settings.shelf_on:
        shelf = ((f"torchsde_{name}", at) for name, tolerances in settings.shelf.items() for at in tolerances)
        yield from ((cell(sde, name, "tolerance", at), False) for name, at in shelf)
    for sigma in settings.sigma_maxes if sde == "ve" else ():
        yield cell(sde, FULL, "sigma_max", sigma), False
        for at in settings.sigma_tolerances:
            variant = f"tolerance {at:g}"
            yield cell(sde, "ggf", "sigma_max", sigma, variant), True
            yield cell(sde, "euler_maruyama", "sigma_max", sigma, variant), False


@cache
def run(level="laptop"):
    """Every row of a run: a value, of 50 and more, that no other row has."""
    settings, found = resolve("replications.gotta_go_fast", "exact_toy", level), []
    for sde in SDES:
        for labels, adaptive in samplers(sde, settings):
            for metric in (R, ERROR, *(COSTS if adaptive else ())):
                floor = FLOOR if metric == ERROR else math.nan
                found.append({"experiment": "exact_toy", "metric": metric, "nfe": 5000.0 + len(found), "floor": floor, **labels})
                found[-1]["value"] = 50 + 3 * len(found) ** 0.5
    return found


def matching(rows, where):
    found = [row for row in rows if all(row[column] == wanted for column, wanted in where.items())]
    assert found, f"a run has no row of {where}"
    return found


def measured(*known):
    """Return the run's rows with what is known in place: conditions of rows, and their values, or more than these."""
    rows, others = [dict(row) for row in run()], []
    for where, numbers in known:
        for row in matching(rows, where):
            row |= numbers if isinstance(numbers, dict) else {"value": numbers}
            others.append(row | {"experiment": "another", "value": 0.01})
    return [*rows, *others]


def value(statistic, *known, clears=None):
    """Return what it makes of a run; `clears` is by how much the larger error must be told to exceed the floor."""
    rows = measured(*known)
    assert JUDGED.clears(statistic, *rows) == pytest.approx(clears)
    return JUDGED.value(statistic, *rows)


def at(sde, tolerance, metric, method="ggf"):
    return {"dataset": sde, "axis": "tolerance", "at": tolerance, "metric": metric, "method": method}


def along(sde, metric, method, numbers):
    """What is known by tolerance."""
    return [(at(sde, tolerance, metric, method), number) for tolerance, number in numbers.items()]


def full(sde, metric, numbers):
    return {"dataset": sde, "axis": "", "metric": metric, "method": FULL}, numbers


OF_EXACT = sorted({claim.statistic for claim in JUDGED.paper.claims} & set(vars(claims_exact)))


@pytest.mark.parametrize("statistic", OF_EXACT)
def test_rows_that_are_missing_are_said_to_be(statistic):
    table = JUDGED.table(*run())
    with pytest.raises(MissingRows):
        getattr(claims, statistic)(table.assign(experiment="another"))
    with pytest.raises(MissingRows):
        getattr(claims, statistic)(table.assign(metric="another"))


@pytest.mark.parametrize("statistic", OF_EXACT)
def test_a_run_of_a_larger_level_has_what_it_reads(statistic):
    assert len(getattr(claims, statistic)(JUDGED.table(*run("gpu")))) == 2


@pytest.mark.parametrize("sde", SDES)
def test_rejected_steps_are_those_of_the_sde_that_rejects_more(sde):
    """0.02, 0.04, 0.06 and 0.2 have a mean of 0.08; what is rejected at 0.5 does not count."""
    shares = {0.01: 0.02, 0.02: 0.04, 0.05: 0.06, 0.1: 0.2, 0.5: 0.9}
    rows = along(sde, "rejected_share", "ggf", shares)
    (other,) = set(SDES) - {sde}
    rows += along(other, "rejected_share", "ggf", dict.fromkeys(shares, 0.07))
    assert value("rejected", *rows) == pytest.approx(0.08)
    assert inside("rejected", 0.08) and not inside("rejected", 0.12)


@pytest.mark.parametrize(("sde", "statistic"), [("vp", "saving_vp"), ("ve", "saving_ve")])
def test_evaluations_that_are_saved_at_no_loss(sde, statistic):
    """An error of 1 in full: 1.1 at most is as good, as it is at 0.05, and that takes a fifth of the evaluations."""
    costs = {0.01: 800.0, 0.02: 400.0, 0.05: 200.0, 0.1: 125.0, 0.5: 10.0}
    rows = [*along(sde, "nfe_max", "ggf", costs), full(sde, ERROR, {"value": 1.0, "nfe": 1000, "floor": 0.1})]
    errors = {0.01: 2.0, 0.02: 1.0, 0.05: 1.09, 0.1: 1.12, 0.5: 0.1}
    assert value(statistic, *rows, *along(sde, ERROR, "ggf", errors)) == 5
    assert value(statistic, *rows, *along(sde, ERROR, "ggf", errors | {0.1: 1.05})) == 8
    assert value(statistic, *rows, *along(sde, ERROR, "ggf", dict.fromkeys(errors, 3.0))) == 1
    # three floors of 0.4 are 1.2
    near = [*rows, full(sde, ERROR, {"floor": 0.4}), *along(sde, ERROR, "ggf", errors)]
    assert value(statistic, *near) == 8
    assert inside(statistic, 5) and not inside(statistic, 1) and not inside(statistic, 0.2) and not inside(statistic, 11)


@pytest.mark.parametrize("least", claims_exact.PUBLISHED)
def test_equal_evaluations_on_vp(least):
    solver = dict.fromkeys(claims_exact.PUBLISHED, 2.0) | {0.5: 9.0}
    rival = {tolerance: 3.0 if tolerance == least else 4.0 for tolerance in solver} | {0.5: 1.0}
    rows = along("vp", ERROR, "ggf", solver) + along("vp", ERROR, "euler_maruyama", rival)
    assert value("em_over_ggf_vp", *rows, clears=3 - FLOOR) == 1.5
    assert inside("em_over_ggf_vp", 1.5) and not inside("em_over_ggf_vp", 2 / 3)


def test_the_more_so_with_fewer_evaluations():
    solver = {tolerance: 4 * tolerance**0.2 for tolerance in claims_exact.PUBLISHED} | {0.5: 90.0}
    rival = {tolerance: 9 * tolerance**0.5 for tolerance in claims_exact.PUBLISHED} | {0.5: 0.1}
    rows = along("vp", ERROR, "ggf", solver) + along("vp", ERROR, "euler_maruyama", rival)
    assert value("ggf_over_em_vp_slope", *rows) == pytest.approx(-0.3)
    assert inside("ggf_over_em_vp_slope", -0.3) and not inside("ggf_over_em_vp_slope", 0.3)


@pytest.mark.parametrize(("near", "found"), [((0.9, 1.0, 1.05), 0.9), ((0.95, 1.0, 1.1), 1.1), ((1.0, 1.2, 0.85), 1.2)])
def test_equal_evaluations_on_ve(near, found):
    """R, not its error; of 0.01 to 0.05 the furthest from one, and 0.1 apart."""
    rival = {**dict(zip((0.01, 0.02, 0.05), (2 * each for each in near))), 0.1: 0.5}
    rows = along("ve", R, "euler_maruyama", rival) + along("ve", R, "ggf", dict.fromkeys(rival, 2.0))
    assert value("em_over_ggf_ve", *rows) == found
    assert value("em_over_ggf_ve_coarse", *rows) == 0.25
    assert inside("em_over_ggf_ve", 0.95) and not inside("em_over_ggf_ve", 1.2) and not inside("em_over_ggf_ve", 0.8)
    assert inside("em_over_ggf_ve_coarse", 0.25) and not inside("em_over_ggf_ve_coarse", 4)


@pytest.mark.parametrize("sde", SDES)
def test_the_sde_that_a_coarse_tolerance_ruins_least(sde):
    rows = [(at(each, 0.1, ERROR), 0.5) for each in SDES] + [(at(each, 0.5, ERROR), 4.0) for each in SDES]
    assert value("collapse", *rows, (at(sde, 0.5, ERROR), 3.0), clears=3 - FLOOR) == 6
    assert inside("collapse", 6) and not inside("collapse", 1 / 6)


def test_fewer_evaluations_at_no_loss():
    rows = [full("vp", ERROR, {"value": 4.0, "nfe": 1000}), full("ve", ERROR, {"value": 40.0, "nfe": 900})]
    rows += [(at("vp", 0.05, ERROR), 3.0), (at("vp", 0.05, "nfe_max"), 200.0), (at("ve", 0.02, "nfe_max"), 450.0)]
    rows += [full("ve", R, 0.8), (at("ve", 0.02, R), 0.6)]
    assert value("error_at_fewer_vp", *rows, clears=4 - FLOOR) == 0.75
    assert value("residual_at_fewer_ve", *rows) == pytest.approx(0.75)
    assert value("fewer_vp", *rows) == 5 and value("fewer_ve", *rows) == 2
    assert inside("error_at_fewer_vp", 0.75) and not inside("error_at_fewer_vp", 4 / 3)
    assert (
        inside("residual_at_fewer_ve", 1.01)
        and not inside("residual_at_fewer_ve", 0.75)
        and not inside("residual_at_fewer_ve", 1.2)
    )
    assert inside("fewer_vp", 5) and not inside("fewer_vp", 0.2) and inside("fewer_ve", 2) and not inside("fewer_ve", 0.5)


def test_evaluations_by_tolerance():
    """The slowest sample's; at 0.5 they are anything."""
    powers = {"vp": -0.4, "ve": -0.7}
    rows = [
        row
        for sde, power in powers.items()
        for row in along(sde, "nfe_max", "ggf", {each: 30 * each**power for each in claims_exact.PUBLISHED} | {0.5: 900.0})
    ]
    assert value("evaluations_slope_vp", *rows) == pytest.approx(-0.4)
    assert value("evaluations_slope_ve", *rows) == pytest.approx(-0.7)
    assert value("steeper_on_ve", *rows) == pytest.approx(-0.3)
    for statistic in ("evaluations_slope_vp", "evaluations_slope_ve"):
        assert inside(statistic, -0.4) and not inside(statistic, 0.4) and not inside(statistic, -1)
    assert inside("steeper_on_ve", -0.3) and not inside("steeper_on_ve", 0.3)
    rows = [(at("vp", 0.01, "nfe_max"), 300.0), (at("ve", 0.01, "nfe_max"), 600.0)]
    assert value("ve_over_vp", *rows) == 2
    assert inside("ve_over_vp", 2) and not inside("ve_over_vp", 0.5)


def test_the_gap_at_the_largest_noise_less_that_at_the_least():
    """0.9 - 0.4 = 0.5 at 380, 0.5 - 0.3 = 0.2 at 50."""
    where = {"axis": "sigma_max", "metric": R, "dataset": "ve"}
    known = {(380, "euler_maruyama"): 0.9, (380, "ggf"): 0.4, (50, "euler_maruyama"): 0.5, (50, "ggf"): 0.3}
    rows = [(where | {"at": sigma, "method": method}, number) for (sigma, method), number in known.items()]
    assert value("gap_widens", *rows) == pytest.approx(0.3)
    coarse = [row | {"variant": "tolerance 0.5", "value": 7.0} for row in matching(run(), where) if row["variant"]]
    found = claims.gap_widens(JUDGED.table(*measured(*rows), *coarse))
    assert found.tolist() == pytest.approx([0.3] * 2)
    assert inside("gap_widens", 0.3) and not inside("gap_widens", -0.3)


def shelf(errors, nfe=(800.0, 1600.0, 4000.0)):
    """torchsde's SRK at 0.05, 0.02 and 0.01; Euler-Maruyama has an error of 1 in 1000."""
    known = zip((0.05, 0.02, 0.01), errors, nfe)
    rows = [(at("vp", tolerance, ERROR, "torchsde_srk"), {"value": error, "nfe": spent}) for tolerance, error, spent in known]
    return [*rows, full("vp", ERROR, {"value": 1.0, "nfe": 1000}), (at("vp", 0.01, ERROR, "torchsde_heun"), 0.5)]


def test_the_cheapest_run_off_the_shelf_that_is_as_good():
    assert value("shelf_over_em", *shelf((1.2, 1.05, 0.9))) == 1.6
    assert value("shelf_over_em", *shelf((1.2, 1.12, 1.09))) == 4
    assert value("shelf_over_em", *shelf((1.0, 1.2, 1.2))) == 0.8
    assert value("shelf_over_em", *shelf((1.2, 1.2, 1.2))) == math.inf
    # three floors of 0.45 are 1.35
    assert value("shelf_over_em", *shelf((1.3, 1.2, 1.2)), full("vp", ERROR, {"floor": 0.45})) == 0.8
    assert inside("shelf_over_em", 1.6) and inside("shelf_over_em", 1e9) and not inside("shelf_over_em", 0.8)


@pytest.mark.parametrize(("lost", "found"), [((0.01,), 1.6), ((0.05, 0.02, 0.01), math.inf), ((0.02, 0.01), math.inf)])
def test_what_was_given_up_is_not_as_good(lost, found):
    gone = {"value": math.nan, "nfe": math.nan, "floor": math.nan, "status": "refused"}
    rows = shelf((1.2, 1.05, 0.9)) + [(at("vp", each, ERROR, "torchsde_srk"), gone) for each in lost]
    assert value("shelf_over_em", *rows) == found


def variants(metric, method, base, other, last):
    """What a variant has over the solver as published: `other`, and on the SDE `last`, 10 more."""
    rows = []
    for sde in SDES:
        where = {"axis": "ablation", "metric": metric, "dataset": sde}
        rows += [(where | {"method": "default"}, base), (where | {"method": method}, other + 10 * (sde == last))]
    return rows


@pytest.mark.parametrize("last", SDES)
def test_variants_over_the_published_solver(last):
    assert value("max_norm_cost", *variants("nfe_max", "max_norm", 4.0, 10.0, last)) == 2.5
    assert value("no_previous_cost", *variants("nfe_max", "no_previous", 4.0, 6.0, last)) == 1.5
    assert value("lamba_cost", *variants("nfe_max", "lamba", 40.0, 10.0, last)) == 0.5
    for statistic, method in (("no_extrapolation_error", "no_extrapolation"), ("lamba_error", "lamba")):
        # the larger error must be told from the floor on both SDEs
        assert value(statistic, *variants(ERROR, method, 4.0, 6.0, last), clears=6 - FLOOR) == 1.5
        assert inside(statistic, 1.5) and not inside(statistic, 2 / 3)
    assert inside("max_norm_cost", 2.5) and not inside("max_norm_cost", 0.4)
    assert inside("no_previous_cost", 1.5) and not inside("no_previous_cost", 2 / 3)
    assert inside("lamba_cost", 0.5) and not inside("lamba_cost", 2)


@pytest.mark.parametrize("sde", SDES)
@pytest.mark.parametrize("method", ["power_0.5", "power_1"])
@pytest.mark.parametrize("far", [0.75, 1.25])
def test_the_exponent_that_matters_most(sde, method, far):
    where = {"axis": "ablation", "metric": "nfe_max"}
    known = {(each, name): 40.0 for each in SDES for name in ("default", "power_0.5", "power_1")} | {(sde, method): 40 * far}
    rows = [(where | {"dataset": each, "method": name}, number) for (each, name), number in known.items()]
    assert value("exponent_cost", *rows) == far
    assert inside("exponent_cost", 1.1) and not inside("exponent_cost", 1.25) and not inside("exponent_cost", 0.75)
