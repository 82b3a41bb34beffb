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
    rows = []
    for tolerance, (nfe, error, seconds) in zip(TOLERANCES, points):
        name = tolerance
        rows.append(("nfe_forward", "dopri5", name, nfe, nfe))
        rows.append(("numerical_error", "dopri5", name, error, nfe))
        rows.append(("forward_seconds", "dopri5", name, seconds, nfe))
    return table("solver_control", rows)


def backward(*ratios):
    rows = [("backward_ratio", "vode", ("mean loss", tolerance), value) for tolerance, value in zip(TOLERANCES, ratios)]
    # other solvers and another reduction that the statistic must not see
    others = [("backward_ratio", solver, ("mean loss", 0.1), 9.0) for solver in ("dopri5", "bosh3", "lsoda")]
    return table("solver_control", [*rows, *others, ("backward_ratio", "vode", ("sum loss", 0.1), 9.0)])


def gradient(ratio):
    # the times themselves come from different turns, and are not what is judged
    times = [("gradient_seconds", "adjoint", 0.001, 1.0), ("gradient_seconds", "backpropagation", 0.001, 1.0)]
    return table("solver_control", [*times, ("gradient_time_ratio", "adjoint", 0.001, ratio)])


def epochs(untrained, *nfe):
    """Evaluations per image before training and after every epoch; another network's must not be seen."""
    mine = [("image_nfe", "ode_net_tight", k, value) for k, value in enumerate((untrained, *nfe))]
    return table("train_classifier", [*mine, *(("image_nfe", "ode_net", k, 100.0 - k) for k in range(len(mine)))])


def memory(method, *values):
    return table("solver_practice", [("saved_bytes", method, 2**k, value) for k, value in enumerate(values, 1)])


def outputs(*values):
    return table("solver_practice", [("saved_bytes_of_outputs", "adjoint", 2**k, value) for k, value in enumerate(values, 1)])


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


# statistic: a table, its value, a table where the claim fails, its value
CASES = {
    "error_excess_ode_net": (
        *(errors(ode_net=1.5, resnet=1, rk_net=9), 0.5),
        *(errors(ode_net=2.5, resnet=1, rk_net=1), 1.5),
    ),
    "error_excess_rk_net": (
        *(errors(rk_net=1, resnet=1.5, ode_net=9), -0.5),
        *(errors(rk_net=2.5, resnet=1, ode_net=1), 1.5),
    ),
    "error_excess_loose_training": (
        *(errors(ode_net=1, ode_net_tight=2, resnet=0), -1),
        *(errors(ode_net=3, ode_net_tight=1, resnet=3), 2),
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
    "backward_ratio": (backward(0.4, 0.5, 0.625), 0.5, backward(1, 2, 4), 2),
    "adjoint_time_ratio": (gradient(0.5), 0.5, gradient(1.5), 1.5),
    # evaluations before training and after the first epoch would turn both answers round
    "nfe_growth": (epochs(90, 80, 14, 20, 26, 28), 2, epochs(1, 2, 20, 20, 26, 15), 0.75),
    "nfe_trend": (epochs(90, 80, 14, 20, 26), 1, epochs(1, 2, 26, 20, 14), -1),
    "memory_slope_output_times": (outputs(20, 40, 80), 1, outputs(20, 20, 20), 0),
    "memory_slope_backpropagation": (memory("backpropagation", 10, 20, 40), 1, memory("backpropagation", 10, 10, 10), 0),
    "memory_growth_adjoint": (memory("adjoint", 8, 8, 8), 1, memory("adjoint", 8, 16, 32), 4),
    "error_added_by_loose_test": (loose("test_error", 2.5, 2), 0.5, loose("test_error", 6, 2), 4),
    "nfe_ratio_of_loose_test": (loose("nfe", 20, 80), 0.25, loose("nfe", 80, 80), 1),
    "largest_batch_nfe_ratio": (batches(1, 1.5, 1.2), 1.5, batches(1, 4, 2), 4),
    "reconstruction_slope": (
        *(reconstruction("ode_net", 1e-1, 1e-2, 1.5e-7), 1),
        *(reconstruction("ode_net", 1e-1, 1e-1, 1e-1), 0),
    ),
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
    # the densities of claim 8 and the flows of claim 10 come from the flows' rows and have their tables there
    assert mine - {"nll_change_with_tolerance", "reconstruction_error_default"} <= set(CASES)


def test_growth_compares_tenths():
    """Twenty epochs after the first: the means of the last two and of the first two."""
    assert claims.nfe_growth(epochs(90, 80, 10, 14, *[99] * 16, 20, 28))[0] == pytest.approx(24 / 12)


def test_growth_needs_three_epochs():
    with pytest.raises(MissingRows):
        claims.nfe_growth(epochs(20, 26, 27))


@pytest.mark.parametrize("statistic", CASES)
def test_without_rows_the_claim_is_not_run(statistic):
    with pytest.raises(MissingRows):
        getattr(claims, statistic)(table("nothing", [("none", "", "", 0.0)]))
