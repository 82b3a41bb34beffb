"""Every statistic of claims 1-10 but one on small tables: one where the claim holds and one where it does not."""

import math

import pandas as pd
import pytest

from common.measure.paper import load_paper
from common.measure.statistics import MissingRows
from common.runs.settings import ROOT
from replications.neural_ode import claims

CLAIMS = {claim.statistic: claim for claim in load_paper(ROOT / "replications" / "neural_ode").claims}
TOLERANCES = (1e-1, 1e-3, 1e-6)


def table(experiment, rows):
    """Rows are (metric, method, variant or point of the axis or both, value[, nfe[, n]]), the same for two seeds."""
    filled = [(*line, math.nan, 100)[:6] if len(line) == 4 else (*line, 100)[:6] for line in rows]
    frame = pd.DataFrame(filled, columns=["metric", "method", "where", "value", "nfe", "n"])
    frame["variant"] = [w[0] if isinstance(w, tuple) else w if isinstance(w, str) else "" for w in frame["where"]]
    frame["at"] = [w[1] if isinstance(w, tuple) else math.nan if isinstance(w, str) else w for w in frame["where"]]
    both = pd.concat([frame.assign(seed=seed) for seed in (0, 1)], ignore_index=True)
    return both.assign(experiment=experiment, status="ok", dataset="digits")


def errors(**percent):
    return table("train_classifier", [("test_error", kind, "digits", value, math.nan, 300) for kind, value in percent.items()])


def parameters(ode_net, resnet, metric):
    return table("train_classifier", [(metric, "ode_net", "digits", ode_net), (metric, "resnet", "digits", resnet)])


def control(*points):
    """Points are (NFE, error, seconds), one for each tolerance."""
    rows = [("evaluation_seconds", "dopri5", "", 0.1)]
    for tolerance, (nfe, error, seconds) in zip(TOLERANCES, points):
        name = tolerance
        rows.append(("nfe_forward", "dopri5", name, nfe, nfe))
        rows.append(("numerical_error", "dopri5", name, error, nfe))
        rows.append(("forward_seconds", "dopri5", name, seconds, nfe))
    return table("solver_control", rows)


def backward(solver, reduction, *ratios):
    rows = [("backward_ratio", solver, (f"{reduction} loss", tolerance), value) for tolerance, value in zip(TOLERANCES, ratios)]
    # another solver and another reduction that the statistic must not see
    return table(
        "solver_control",
        [*rows, ("backward_ratio", "bosh3", ("mean loss", 0.1), 9.0), ("backward_ratio", solver, ("x", 0.1), 9.0)],
    )


def halves_and_doubles(solver, reduction):
    return backward(solver, reduction, 0.4, 0.5, 0.625), 0.5, backward(solver, reduction, 1, 2, 4), 2


def gradient(adjoint, backpropagation):
    rows = [("gradient_seconds", "adjoint", "0.001", adjoint), ("gradient_seconds", "backpropagation", "0.001", backpropagation)]
    return table("solver_control", rows)


def epochs(*nfe):
    return table("train_classifier", [("training_nfe", "ode_net", k, value) for k, value in enumerate(nfe, 1)])


def memory(method, *values):
    return table("solver_practice", [("saved_bytes", method, 2**k, value) for k, value in enumerate(values, 1)])


def loose(metric, at_loose, at_tight):
    rows = [(metric, "ode_net_tight", 0.01, at_loose), (metric, "ode_net_tight", 1e-5, at_tight)]
    return table("solver_practice", rows)


def batches(*ratios):
    return table(
        "solver_practice", [("batch_nfe_ratio", "joint", ("tolerance 0.001", 2**k), value) for k, value in enumerate(ratios)]
    )


def reconstruction(method, *values, tolerances=(1e-2, 1e-3, 1.5e-8)):
    rows = [("reconstruction_error", method, tolerance, value) for tolerance, value in zip(tolerances, values)]
    return table("solver_practice", rows)


def excess(wrong, other, n=300):
    """Two shares of mistakes, apart by so many standard errors; one mistake more keeps the pooled rate from 0."""
    pooled = (wrong + other + 1) / (2 * n + 2)
    return (wrong - other) / n / math.sqrt(2 * pooled * (1 - pooled) / n)


# statistic: a table, its value, a table where the claim fails, its value
CASES = {
    "error_excess_ode_net": (errors(ode_net=2, resnet=1), excess(6, 3), errors(ode_net=10, resnet=1), excess(30, 3)),
    "error_excess_rk_net": (errors(rk_net=1, resnet=1), 0, errors(rk_net=10, resnet=1), excess(30, 3)),
    "error_excess_loose_training": (
        errors(ode_net=1, ode_net_tight=2),
        excess(3, 6),
        errors(ode_net=10, ode_net_tight=1),
        excess(30, 3),
    ),
    "block_parameter_ratio": (
        *(parameters(102, 100, "parameters_per_block"), 1.02),
        *(parameters(600, 100, "parameters_per_block"), 6),
    ),
    "network_parameter_ratio": (parameters(37, 100, "parameters"), 0.37, parameters(95, 100, "parameters"), 0.95),
    "smallest_nfe_step": (control((14, 1, 1), (14, 1, 1), (44, 1, 1)), 0, control((20, 1, 1), (14, 1, 1), (44, 1, 1)), -6),
    "error_tolerance_slope": (
        *(control((1, 1e-2, 1), (2, 1e-4, 1), (3, 1e-7, 1)), 1),
        *(control((1, 1e-2, 1), (2, 1e-2, 1), (3, 1e-2, 1)), 0),
    ),
    "error_nfe_correlation": (
        *(control((14, 1e-2, 1), (20, 1e-4, 1), (44, 1e-7, 1)), -1),
        *(control((44, 1e-2, 1), (20, 1e-4, 1), (14, 1e-7, 1)), 1),
    ),
    "time_fit_r2": (control((10, 1, 1.1), (20, 1, 2.1), (30, 1, 3.1)), 1, control((10, 1, 2), (20, 1, 1), (30, 1, 2)), 0),
    "time_fit_intercept": (
        *(control((10, 1, 1), (20, 1, 2), (30, 1, 3)), 0),
        *(control((10, 1, 2), (20, 1, 3), (30, 1, 4)), 0.25),
    ),
    "time_explained_by_nfe": (
        *(control((10, 1, 1), (20, 1, 2), (30, 1, 3)), 1),
        *(control((10, 1, 2), (20, 1, 4), (30, 1, 6)), 0.5),
    ),
    "backward_ratio_vode_mean": halves_and_doubles("vode", "mean"),
    "backward_ratio_vode_sum": halves_and_doubles("vode", "sum"),
    "backward_ratio_lsoda_mean": halves_and_doubles("lsoda", "mean"),
    "backward_ratio_lsoda_sum": halves_and_doubles("lsoda", "sum"),
    "backward_ratio_dopri5_mean": halves_and_doubles("dopri5", "mean"),
    "backward_ratio_dopri5_sum": halves_and_doubles("dopri5", "sum"),
    "adjoint_time_ratio": (gradient(1, 2), 0.5, gradient(3, 2), 1.5),
    "nfe_growth": (epochs(14, 20, 26, 28), 2, epochs(20, 20, 26, 15), 0.75),
    "nfe_trend": (epochs(14, 20, 26), 1, epochs(20, 20, 20), 0),
    "memory_slope_backpropagation": (memory("backpropagation", 10, 20, 40), 1, memory("backpropagation", 10, 10, 10), 0),
    "memory_growth_adjoint": (memory("adjoint", 8, 8, 8), 1, memory("adjoint", 8, 16, 32), 4),
    "error_added_by_loose_test": (loose("test_error", 2.5, 2), 0.5, loose("test_error", 6, 2), 4),
    "nfe_ratio_of_loose_test": (loose("nfe", 20, 80), 0.25, loose("nfe", 80, 80), 1),
    "largest_batch_nfe_ratio": (batches(1, 1.5, 1.2), 1.5, batches(1, 4, 2), 4),
    "reconstruction_slope": (
        *(reconstruction("ode_net", 1e-1, 1e-2, 1.5e-7), 1),
        *(reconstruction("ode_net", 1e-1, 1e-1, 1e-1), 0),
    ),
    "reconstruction_error_default": (reconstruction("ode_net", 1, 1, 1e-6), 1e-6, reconstruction("ode_net", 0, 0, 0.3), 0.3),
    "reconstruction_error_large_gain": (reconstruction("gain 6", 1, 0.01, 1), 0.01, reconstruction("gain 6", 0, 1.5, 0), 1.5),
}


def inside(statistic, value):
    low, high = CLAIMS[statistic].range
    # rounding may leave a value a hair outside a bound that it meets
    return (low is None or value >= low - 1e-9) and (high is None or value <= high + 1e-9)


@pytest.mark.parametrize("statistic", CASES)
def test_right_and_wrong_answers(statistic):
    good, expected, bad, wrong = CASES[statistic]
    for metrics, value in ((good, expected), (bad, wrong)):
        found = getattr(claims, statistic)(metrics)
        assert list(found.index) == [0, 1]
        assert found.to_numpy() == pytest.approx(value, rel=1e-3, abs=1e-9)
    assert inside(statistic, expected) and not inside(statistic, wrong)


def test_every_claim_of_this_half_has_its_case():
    mine = {name for name, claim in CLAIMS.items() if int(claim.number) <= 10}
    # claim 8's densities come from the flows' rows and have their table there
    assert mine - {"nll_change_with_tolerance"} <= set(CASES)


@pytest.mark.parametrize("statistic", CASES)
def test_without_rows_the_claim_is_not_run(statistic):
    with pytest.raises(MissingRows):
        getattr(claims, statistic)(table("nothing", [("none", "", "", 0.0)]))
