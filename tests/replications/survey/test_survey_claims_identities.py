"""Each statistic of what is the same, on tables whose answer is known."""

import pytest
from judged import judged

from replications.survey import claims

JUDGED = judged(claims)
PATHS = ("vp", "ve", "sub_vp", "ot")


def fact(metric, value, method="", variant="vp", axis="", at=float("nan")):
    return {
        "experiment": "identities",
        "metric": metric,
        "value": value,
        "method": method,
        "variant": variant,
        "axis": axis,
        "at": at,
    }


def value(statistic, *rows):
    """Return what it makes of the rows, beside one of another experiment that no statistic may read."""
    other = [row | {"experiment": "exact", "value": 1e9} for row in rows[:1]]
    return JUDGED.value(statistic, *rows, *other)


def everywhere(metric, methods=("",), **special):
    """Return a row of 1 for each method and path, those of `special` (method_path or path) otherwise."""
    keys = {f"{method}_{path}".lstrip("_"): (method, path) for method in methods for path in PATHS}
    return [fact(metric, special.get(key, 1.0), method, path) for key, (method, path) in keys.items()]


@pytest.mark.parametrize("statistic", ["loss_gap", "ddim_euler_gap", "vlb_gap"])
def test_the_largest_gap_over_paths(statistic):
    assert value(statistic, *everywhere(statistic, ot=3.0)) == 3
    assert JUDGED.inside(statistic, 1e-12) and not JUDGED.inside(statistic, 1e-3)


def test_the_largest_loss_gap_is_over_what_is_predicted_too():
    assert value("loss_gap", *everywhere("loss_gap", ("score", "data", "velocity"), velocity_ve=3.0)) == 3


def test_one_chain_of_ddpm_is_compared():
    assert value("ddim_ancestral_gap", fact("ddim_ancestral_gap", 3.0, variant="ddpm")) == 3
    assert JUDGED.inside("ddim_ancestral_gap", 1e-12) and not JUDGED.inside("ddim_ancestral_gap", 1e-3)


def test_ddpm_order_is_not_another_solvers():
    rows = [fact("order", 2.0, "heun"), fact("order", 1.01, "ddpm_gap"), fact("order", 0.9, "ode")]
    assert value("ddpm_order", *rows) == 1.01
    assert JUDGED.inside("ddpm_order", 1.0) and not JUDGED.inside("ddpm_order", 2.0)
    assert not JUDGED.inside("ddpm_order", 0.5)


def test_marginal_gap_is_that_of_the_most_steps():
    rows = [fact("marginal_gap", 40.0, how, path, "steps", 400.0) for how in ("ode", "sde") for path in PATHS]
    rows += [
        fact("marginal_gap", 3.0 if (how, path) == ("sde", "ve") else 1.0, how, path, "steps", 6400.0)
        for how in ("ode", "sde")
        for path in PATHS
    ]
    assert value("marginal_gap", *rows) == 3
    assert JUDGED.inside("marginal_gap", 0.001) and not JUDGED.inside("marginal_gap", 0.1)


def test_starts_are_kept_by_the_flow_alone():
    rows = everywhere("start_correlation", ("ode", "sde"), ode_ve=0.9, sde_ot=0.4, sde_vp=0.1, sde_ve=0.3, sde_sub_vp=0.2)
    assert value("flow_keeps_start", *rows) == 0.9
    assert value("sde_keeps_start", *rows) == 0.4
    assert JUDGED.inside("flow_keeps_start", 1.0) and not JUDGED.inside("flow_keeps_start", 0.9)
    assert JUDGED.inside("sde_keeps_start", 0.1) and not JUDGED.inside("sde_keeps_start", 0.9)


def test_orders_are_the_furthest_from_theirs():
    first = {"euler_vp": 1.1, "ddim_ve": 0.7, "euler_ot": 1.2}
    second = {"heun_vp": 2.1, "edm_heun_ve": 2.3, "dpm_solver_pp_2m_ot": 1.8}
    ones = everywhere("order", ("euler", "ddim", "ode", "sde"), **first, ode_vp=9.0)
    twos = [
        row | {"value": row["value"] if row["value"] != 1 else 2.0}
        for row in everywhere("order", ("heun", "edm_heun", "dpm_solver_pp_2m"), **second)
    ]
    assert value("first_order", *ones, *twos) == 0.7
    # the furthest from its own order is not the furthest from the other's
    assert value("first_order", *everywhere("order", ("euler", "ddim"), ddim_ve=1.4, ddim_vp=0.9)) == 1.4
    steep = everywhere("order", ("heun", "edm_heun", "dpm_solver_pp_2m"), heun_ve=2.2)
    assert value("second_order", *[row | {"value": row["value"] if row["value"] == 2.2 else 1.7} for row in steep]) == 1.7
    assert value("second_order", *ones, *twos) == 2.3
    assert JUDGED.inside("first_order", 1.0) and not JUDGED.inside("first_order", 2.0)
    assert JUDGED.inside("second_order", 2.0) and not JUDGED.inside("second_order", 1.0)


def test_deviations_are_compared_over_paths():
    assert value("vlb_deviations", *everywhere("vlb_deviation", ve=6.0, ot=0.5)) == 12
    assert JUDGED.inside("vlb_deviations", 2.0) and not JUDGED.inside("vlb_deviations", 1.0)


def chain(few=1.0, many=1.0, **special):
    """Return rows of three chains after 2 and 20 steps, those of `special` (method_path_steps) otherwise."""
    sizes = {2: few, 20: many}
    return [
        fact("chain_variance_gap", special.get(f"{method}_{path}_{steps}", sizes[steps]), method, path, "steps", float(steps))
        for method in ("analytic", "posterior", "forward")
        for path in PATHS
        for steps in sizes
    ]


def test_variances_of_chains():
    assert value("analytic_gap", *chain(analytic_ot_20=3.0, forward_vp_2=9.0)) == 3
    assert value("analytic_gap", *chain(analytic_ve_2=3.0)) == 3
    assert value("fixed_gap", *chain(5.0, 0.1, analytic_ot_2=0.0, forward_ve_2=3.0, posterior_vp_2=4.0)) == 3
    assert value("fixed_gap", *chain(5.0, 0.1, posterior_vp_2=2.0)) == 2
    assert value("fixed_gap_more_steps", *chain(4.0, 1.0, posterior_ve_20=2.0, analytic_vp_20=9.0)) == 0.5
    assert value("fixed_gap_more_steps", *chain(4.0, 1.0, forward_ot_2=2.0)) == 0.5
    assert JUDGED.inside("analytic_gap", 1e-15) and not JUDGED.inside("analytic_gap", 1e-3)
    assert JUDGED.inside("fixed_gap", 0.3) and not JUDGED.inside("fixed_gap", 1e-15)
    assert JUDGED.inside("fixed_gap_more_steps", 0.5) and not JUDGED.inside("fixed_gap_more_steps", 2.0)


def bound(other, scaled):
    found = [fact("likelihood_bound_gap", gap, "scaled_score", axis="error", at=at) for at, gap in scaled.items()]
    return [*found, fact("likelihood_bound_gap", other, "other_data", axis="error", at=1.3)]


def test_the_bound_is_above_tight_or_loose():
    rows = bound(1e-8, {-0.2: 0.2, -0.1: 0.06, 0.0: -3e-8, 0.1: 0.05, 0.2: 0.4})
    assert value("least_bound_gap", *rows) == -3e-8
    assert value("tight_bound_gap", *rows) == 3e-8
    assert value("loose_bound_gap", *rows) == 0.05
    assert value("least_bound_gap", *bound(-1.0, {0.0: 0.0})) == -1
    assert value("tight_bound_gap", *bound(-1.0, {0.0: 0.0})) == 1
    assert JUDGED.inside("least_bound_gap", 0.1) and not JUDGED.inside("least_bound_gap", -0.1)
    assert JUDGED.inside("tight_bound_gap", 1e-9) and not JUDGED.inside("tight_bound_gap", 0.01)
    assert JUDGED.inside("loose_bound_gap", 0.05) and not JUDGED.inside("loose_bound_gap", 1e-9)
