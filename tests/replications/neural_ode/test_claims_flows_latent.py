"""Each statistic of Sections 4 and 5 on a made-up table whose answer is known; a worse table gives a worse number."""

import inspect

import pandas as pd
import pytest

from common.measure.statistics import MissingRows
from replications.neural_ode import claims_flows, claims_latent

SEEDS = (0, 1, 2)


def where(w):
    return {"variant": w, "at": float("nan")} if isinstance(w, str) else {"variant": "", "at": w}


def table(experiment, *cells, seeds=SEEDS):
    """Rows (metric, value, dataset, method, variant or point of the axis), equal for every seed."""
    rows = [
        {"experiment": experiment, "metric": m, "value": v, "dataset": d, "method": a, "seed": s, "status": "ok", **where(w)}
        for m, v, d, a, w in cells
        for s in seeds
    ]
    return pd.DataFrame(rows)


def one(statistic, metrics):
    values = statistic(metrics)
    assert list(values.index) == list(SEEDS)
    assert values.nunique() == 1
    return float(values.iloc[0])


@pytest.mark.parametrize(
    ("module", "name", "experiment"),
    [
        (claims_flows, "linear_field_error", "change_of_variables"),
        (claims_flows, "total_probability", "change_of_variables"),
        (claims_flows, "jacobian_error", "change_of_variables"),
        (claims_flows, "hamiltonian_volume_change", "change_of_variables"),
        (claims_latent, "switching_coordinates", "latent_spirals"),
        (claims_latent, "restart_error", "latent_spirals"),
    ],
)
def test_measured_numbers_are_passed_on(module, name, experiment):
    statistic = getattr(module, name)
    assert one(statistic, table(experiment, (name, 0.25, "", "", ""))) == 0.25
    with pytest.raises(MissingRows):
        statistic(table("another", (name, 0.25, "", "", "")))


def test_cost_slopes():
    slopes = {"cnf": 0.98, "wide_layer": 2.8}
    cells = [("top_octave_slope", slope, "", method, "") for method, slope in slopes.items()]
    times = [("evaluation_seconds", 1e-6 * m, "", method, m) for method in slopes for m in (64, 128)]
    metrics = table("change_of_variables", *cells, *times)
    assert one(claims_flows.cost_slope_cnf, metrics) == 0.98
    assert one(claims_flows.cost_slope_wide_layer, metrics) == 2.8


def matching(cnf, nf):
    """Divergences by target, then size."""
    return table(
        "density_matching",
        *(
            ("reverse_kl", value, name, method, size)
            for method, targets in {"cnf": cnf, "nf": nf}.items()
            for name, values in targets.items()
            for size, value in zip((2, 8, 32), values)
        ),
    )


def test_density_matching_by_a_better_cnf():
    nf = {"two_modes": (0.8, 0.7, 0.6), "wave": (0.9, 0.3, 0.1), "split_wave": (0.8, 0.5, 0.2)}
    cnf = {"two_modes": (0.5, 0.1, 0.0), "wave": (0.5, 0.2, 0.1), "split_wave": (0.7, 0.4, 0.1)}
    metrics = matching(cnf, nf)
    assert one(claims_flows.largest_excess_kl, metrics) == pytest.approx(0)
    assert one(claims_flows.multimodal_gain, metrics) == pytest.approx(0.5)  # (0.3 + 0.6 + 0.6) / 3
    assert one(claims_flows.largest_kl_rise_with_width, metrics) == pytest.approx(-0.1)


def test_density_matching_by_a_worse_cnf():
    nf = {"two_modes": (0.1, 0.1, 0.1), "wave": (0.1, 0.1, 0.1), "split_wave": (0.1, 0.1, 0.1)}
    cnf = {"two_modes": (0.5, 0.4, 0.3), "wave": (0.3, 0.2, 0.4), "split_wave": (0.2, 0.2, 0.2)}
    metrics = matching(cnf, nf)
    assert one(claims_flows.largest_excess_kl, metrics) == pytest.approx(0.4)
    assert one(claims_flows.multimodal_gain, metrics) == pytest.approx(-0.1)
    assert one(claims_flows.largest_kl_rise_with_width, metrics) == pytest.approx(0.2)


def test_likelihoods_and_reversal():
    metrics = table(
        "maximum_likelihood",
        *(("nll", value, "moons", method, "") for method, value in {"cnf": 2.4, "nf": 2.6}.items()),
        *(("nll", value, "circles", method, "") for method, value in {"cnf": 3.4, "nf": 3.3}.items()),
        *(("reconstruction_error", value, name, "cnf", "") for name, value in {"circles": 1e-7, "moons": 1e-6}.items()),
        *(("round_trip_error", value, name, "cnf", "") for name, value in {"circles": 1e-3, "moons": 1e-4}.items()),
        *(("nfe", value, "circles", "cnf", way) for way, value in {"density": 100, "sample": 40}.items()),
        *(("nfe", value, "moons", "cnf", way) for way, value in {"density": 100, "sample": 150}.items()),
    )
    assert one(claims_flows.nll_gain_moons, metrics) == pytest.approx(0.2)
    assert one(claims_flows.nll_gain_circles, metrics) == pytest.approx(-0.1)
    assert one(claims_flows.round_trip_error, metrics) == pytest.approx(1e-3)
    assert one(claims_flows.reconstruction_error_default, metrics) == pytest.approx(1e-6)
    assert one(claims_flows.reverse_cost, metrics) == pytest.approx(0.4)  # 0.4 is further from 1 than 1.5


@pytest.mark.parametrize(("moons", "change"), [(2.401, 0.004), (2.393, 0.007), (2.6, 0.2)])
def test_tolerance_of_densities_takes_the_larger_change_of_either_sign(moons, change):
    metrics = table(
        "maximum_likelihood",
        *(("nll", value, name, "cnf", "") for name, value in {"circles": 3.4, "moons": moons}.items()),
        *(("nll", 9.9, name, "nf", "") for name in ("circles", "moons")),
        *(("nll_at_tight_tolerance", value, name, "cnf", "") for name, value in {"circles": 3.396, "moons": 2.4}.items()),
        *(("nfe", 100, name, "cnf", "density") for name in ("circles", "moons")),
        *(("nfe", 400, name, "cnf", "density, tight tolerance") for name in ("circles", "moons")),
    )
    assert one(claims_flows.nll_change_with_tolerance, metrics) == pytest.approx(change)


def forecasts(latent_ode, rnn, rnn_gaps, rnn_by_point=(9, 9, 9), rnn_gaps_by_point=(9, 9, 9)):
    rivals = {"rnn": rnn, "rnn_gaps": rnn_gaps, "rnn_by_point": rnn_by_point, "rnn_gaps_by_point": rnn_gaps_by_point}
    return table(
        "latent_spirals",
        *(
            ("future_rmse", value, "spirals", method, n)
            for method, values in {
                "latent_ode": latent_ode,
                **rivals,
                "hold_last": (0.01,) * 3,
                "window_mean": (0.01,) * 3,
            }.items()
            for n, value in zip((30, 50, 100), values)
        ),
        *(("window_rmse", value, "spirals", "latent_ode", n) for n, value in ((30, 0.3), (50, 0.2), (100, 0.1))),
        *(("past_rmse", value, "spirals", "latent_ode", n) for n, value in ((30, 0.3), (50, 0.2), (100, 0.1))),
        ("past_rmse", 0.6, "spirals", "standing_still", ""),
        *(("direction_accuracy", value, "spirals", "latent_ode", n) for n, value in ((30, 1), (50, 0.9), (100, 1))),
        *(("direction_accuracy", 0.5, "spirals", "one_observation", n) for n in (30, 50, 100)),
        *(("direction_accuracy_of_neighbours", 0.3, "spirals", "latent_ode", n) for n in (30, 50, 100)),
    )


def test_forecasts_are_judged_against_the_best_network_however_it_is_rolled_out():
    metrics = forecasts((0.2, 0.2, 0.2), (0.8, 0.3, 0.1), (0.4, 0.5, 0.2), rnn_gaps_by_point=(0.3, 0.6, 0.4))
    assert one(claims_latent.advantage_30, metrics) == pytest.approx(1.5)
    assert one(claims_latent.rival_error_growth, metrics) == pytest.approx(3.0)
    metrics = forecasts((0.2, 0.2, 0.2), (0.8, 0.3, 0.1), (0.4, 0.5, 0.2), rnn_by_point=(0.9, 0.9, 0.05))
    assert one(claims_latent.advantage_100, metrics) == pytest.approx(0.25)
    assert one(claims_latent.rival_error_growth, metrics) == pytest.approx(8.0)


def test_an_error_of_the_rivals_that_does_not_grow():
    assert one(claims_latent.rival_error_growth, forecasts((0.1, 0.1, 0.1), (0.2, 0.3, 0.9), (0.4, 0.5, 0.4))) == pytest.approx(
        0.5
    )


def test_forecasts_are_judged_against_the_better_network():
    metrics = forecasts((0.2, 0.2, 0.1), (0.8, 0.3, 0.1), (0.4, 0.5, 0.2))
    assert one(claims_latent.advantage_30, metrics) == pytest.approx(2.0)
    assert one(claims_latent.advantage_50, metrics) == pytest.approx(1.5)
    assert one(claims_latent.advantage_100, metrics) == pytest.approx(1.0)
    assert one(claims_latent.advantage_growth, metrics) == pytest.approx(2.0)
    assert one(claims_latent.latent_ode_error_growth, metrics) == pytest.approx(2.0)
    worse = forecasts((0.8, 0.8, 0.8), (0.8, 0.3, 0.1), (0.4, 0.5, 0.2))
    assert one(claims_latent.advantage_30, worse) == pytest.approx(0.5)


def test_windows_past_and_direction():
    metrics = forecasts((0.2, 0.2, 0.1), (0.8, 0.3, 0.1), (0.4, 0.5, 0.2))
    assert one(claims_latent.reconstruction_error_growth, metrics) == pytest.approx(3.0)
    assert one(claims_latent.backward_extrapolation, metrics) == pytest.approx(0.5)
    assert one(claims_latent.direction_accuracy, metrics) == pytest.approx(0.9)


@pytest.mark.parametrize(("learned", "share"), [(50.0, 0.75), (48.5, 0.0), (47.5, -0.5), (50.5, 1.0)])
def test_poisson(learned, share):
    metrics = table(
        "poisson_events",
        ("log_likelihood", learned, "events", "latent_ode", ""),
        ("log_likelihood", 99.0, "events", "latent_ode_by_training_solve", ""),
        ("log_likelihood", 48.5, "events", "constant_rate", ""),
        ("log_likelihood", 50.5, "events", "true_rate", ""),
        ("rate_correlation", 0.99, "swelling", "latent_ode", ""),
        ("rate_correlation", 0.7, "bursting", "latent_ode", ""),
    )
    assert one(claims_latent.poisson_share, metrics) == pytest.approx(share)
    assert one(claims_latent.rate_correlation, metrics) == pytest.approx(0.7)


@pytest.mark.parametrize("module", [claims_flows, claims_latent])
def test_an_empty_table_is_missing_rows_for_every_statistic(module):
    empty = table("another", ("nothing", 0.0, "", "", ""))
    own = [
        f
        for name, f in vars(module).items()
        if inspect.isfunction(f) and name[0] != "_" and (f.__module__ == module.__name__ or f.__name__ == "compute")
    ]
    assert len(own) > 9
    for statistic in own:
        with pytest.raises(MissingRows):
            statistic(empty)
