"""Each statistic on tables whose answer is known: one that must pass and one that must fail."""

import pytest
from judged import judged

from replications.ffjord import claims

JUDGED = judged(claims)
PAPER, table, value, inside = JUDGED.paper, JUDGED.table, JUDGED.value, JUDGED.inside


def of(experiment, metric, value, method="", **more):
    return {"experiment": experiment, "metric": metric, "value": value, "method": method, **more}


def toys(metric, value, method="ffjord", dataset="eight_gaussians", **more):
    return of("densities_2d", metric, value, method, dataset=dataset, variant=dataset, **more)


@pytest.mark.parametrize(
    ("statistic", "metric"), [("round_trip_error", "round_trip_error"), ("log_density_gap", "log_density_gap")]
)
def test_exactness_is_that_of_the_tightest_tolerance_and_the_worst_data_set(statistic, metric):
    rows = [
        toys(metric, error, dataset=data, axis="tolerance", at=at)
        for data, errors in (("eight_gaussians", (0.5, 1e-5)), ("checkerboard", (0.6, 2e-4)))
        for at, error in zip((1e-2, 1e-6), errors)
    ]
    rows += [toys(metric, 9.0, method="glow")]
    assert value(statistic, *rows) == 2e-4
    assert inside(statistic, 2e-4) and not inside(statistic, 0.5)


def test_bias_has_no_sign_and_the_worse_noise_counts():
    rows = [of("estimators", "density_bias", -5.0, "gaussian"), of("estimators", "density_bias", 1.0, "rademacher")]
    assert value("density_bias", *rows) == 5
    assert not inside("density_bias", 5) and inside("density_bias", 2)
    rows = [of("estimators", "repeated_solve_gap", gap, noise) for gap, noise in ((0.0, "gaussian"), (1e-9, "rademacher"))]
    assert value("repeated_solve_gap", *rows) == 1e-9
    assert not inside("repeated_solve_gap", 1e-9) and inside("repeated_solve_gap", 0)


def test_operations_in_proportion_to_the_dimension():
    rows = [of("estimators", "operations_exact_over_estimate", 3 * dim, axis="dimension", at=dim) for dim in (2, 8, 64)]
    assert value("operations_slope", *rows) == pytest.approx(1)
    assert inside("operations_slope", 1) and not inside("operations_slope", 0) and not inside("operations_slope", 2)


def bottleneck(**ratios):
    return [
        of("estimators", "variance_ratio", ratio, noise, variant=variant, axis="width", at=width)
        for noise, pair in ratios.items()
        for width, ratio in zip((4, 16, 64), pair)
        for variant in ("measured", "closed form")
    ]


def test_variance_is_left_as_the_width_over_the_dimension():
    """Widths 4 and 16 of 64: shares of 1/16 and 1/4; either way off counts, and the full width does not."""
    rows = bottleneck(gaussian=(1 / 16, 0.25, 9.0), rademacher=(1 / 48, 0.5, 9.0))
    assert value("variance_over_width", *rows) == pytest.approx(3)
    assert not inside("variance_over_width", 3) and inside("variance_over_width", 1.2)


def test_the_probes_variance_is_that_of_ten_thousand_images():
    rows = [
        of("images", "probe_variance", variance, name, dataset="digits")
        for name, variance in (("multiscale", 0.5), ("single_scale", 4.0))
    ]
    assert value("probe_variance", *rows) == pytest.approx(4e-4)
    assert not inside("probe_variance", 4e-4) and inside("probe_variance", 1e-6)


@pytest.mark.parametrize(
    ("statistic", "dataset"), [("eight_gaussians_lead", "eight_gaussians"), ("checkerboard_lead", "checkerboard")]
)
def test_the_lead_is_over_the_better_coupling_flow(statistic, dataset):
    other = {"eight_gaussians": "checkerboard", "checkerboard": "eight_gaussians"}[dataset]
    rows = [
        toys("nll", nll, name, dataset)
        for name, nll in (("real_nvp", 3.4), ("glow", 3.1), ("ffjord", 3.0), ("ffjord_decay", 1.0))
    ]
    rows += [toys("nll", 0.0, name, other) for name in ("real_nvp", "glow", "ffjord")]
    assert value(statistic, *rows) == pytest.approx(0.1)
    assert inside(statistic, 0.1) and not inside(statistic, -0.1)


def test_gaps_and_evaluations_are_those_of_the_worse_data_set():
    rows = [
        toys("gap_share", share, name, dataset)
        for dataset, shares in (("eight_gaussians", (0.01, 0.02)), ("checkerboard", (0.3, 0.2)))
        for name, share in zip(("ffjord", "glow"), shares)
    ]
    assert value("gap_share_over_glow", *rows) == pytest.approx(1.5)
    assert not inside("gap_share_over_glow", 1.5) and inside("gap_share_over_glow", 0.5)
    rows = [
        toys("nfe_forward", nfe, name, dataset, axis="step", at=step)
        for name, dataset, step, nfe in (
            ("ffjord", "eight_gaussians", 0, 500),
            ("ffjord", "eight_gaussians", 100, 68),
            ("ffjord", "checkerboard", 100, 140),
            ("ffjord", "two_spirals", 100, 800),
            ("ffjord_decay", "eight_gaussians", 100, 900),
        )
    ]
    assert value("toy_evaluations", *rows) == 140
    assert not inside("toy_evaluations", 140) and inside("toy_evaluations", 86)


def tabular(dataset, **nll):
    return [of("tables", "nll", value, name, dataset=dataset, variant=dataset) for name, value in nll.items()]


def test_the_best_reversible_flow_of_every_table():
    rows = tabular("patches8", real_nvp=-20, glow=-21, ffjord=-25, maf=-30) + tabular(
        "wine", real_nvp=9, glow=8, ffjord=7.5, maf=0
    )
    assert value("table_lead", *rows) == pytest.approx(0.5)
    assert inside("table_lead", 0.5)
    assert not inside("table_lead", value("table_lead", *rows, *tabular("late", real_nvp=1, glow=2, ffjord=3)))


def test_maf_is_compared_on_every_table_but_gas():
    rows = [row for name in ("power", "hepmass", "miniboone") for row in tabular(name, maf=5, ffjord=2)]
    rows += tabular("gas", maf=-9, ffjord=2) + tabular("bsds300", maf=5, ffjord=4)
    assert value("lead_over_maf", *rows) == 1
    assert inside("lead_over_maf", 1) and not inside("lead_over_maf", -1)


@pytest.mark.parametrize(
    ("statistic", "experiment", "metric", "dataset", "method"),
    [
        ("power_nll", "tables", "nll", "power", "ffjord"),
        ("gas_nll", "tables", "nll", "gas", "ffjord"),
        ("hepmass_nll", "tables", "nll", "hepmass", "ffjord"),
        ("miniboone_nll", "tables", "nll", "miniboone", "ffjord"),
        ("bsds300_nll", "tables", "nll", "bsds300", "ffjord"),
        ("mnist_bits", "images", "bits_per_dim", "mnist", "multiscale"),
        ("mnist_bits_one_scale", "images", "bits_per_dim", "mnist", "single_scale"),
        ("cifar10_bits", "images", "bits_per_dim", "cifar10", "multiscale"),
        ("mnist_bound", "posteriors", "negative_elbo", "mnist_static", "ffjord"),
        ("omniglot_bound", "posteriors", "negative_elbo", "omniglot", "ffjord"),
        ("frey_faces_bound", "posteriors", "negative_elbo", "frey_faces", "ffjord"),
        ("caltech_bound", "posteriors", "negative_elbo", "caltech_silhouettes", "ffjord"),
    ],
)
def test_published_numbers_are_read_from_their_own_data_set_and_method(statistic, experiment, metric, dataset, method):
    variant = "test" if metric == "bits_per_dim" else dataset
    rows = [
        of(experiment, metric, number, name, dataset=data, variant=variant)
        for number, name, data in ((7.0, method, dataset), (8.0, "glow", dataset), (9.0, method, "another"))
    ]
    if metric == "bits_per_dim":
        rows.append(of(experiment, metric, 6.0, method, dataset=dataset, variant="training's solver"))
    assert value(statistic, *rows) == 7
    (claim,) = [claim for claim in PAPER.claims if claim.statistic == statistic]
    low, high = claim.range
    assert inside(statistic, (low + high) / 2) and not inside(statistic, high + 0.1) and not inside(statistic, low - 0.1)


def image(metric, value, method, variant="digits", **more):
    return of("images", metric, value, method, dataset="digits", variant=variant, **more)


def test_several_scales_and_their_samples():
    rows = [image("bits_per_dim", bits, name, "test") for name, bits in (("multiscale", 2.2), ("single_scale", 2.5))]
    rows += [image("bits_per_dim", 0.0, name, "training's solver") for name in ("multiscale", "single_scale")]
    assert value("scales_lead", *rows) == pytest.approx(0.3)
    assert inside("scales_lead", 0.3) and not inside("scales_lead", -0.3)
    rows = [
        image("nearest_training_image", distance, name)
        for name, distance in (("multiscale", 3.0), ("data", 2.0), ("single_scale", 9))
    ]
    assert value("sample_distance_over_data", *rows) == 1.5
    assert inside("sample_distance_over_data", 1.1) and not inside("sample_distance_over_data", 0.1)
    assert not inside("sample_distance_over_data", 3)
    rows = [image("share_of_glow", share, source, "cifar10") for source, share in (("text", 0.018), ("recipe", 0.03))]
    assert value("share_of_glow", *rows) == 0.018
    assert inside("share_of_glow", 0.018) and not inside("share_of_glow", 0.03)


def test_memory_of_the_adjoint_between_the_ends_for_the_worse_model():
    rows = [
        image("kept_bytes", kept, name, variant, axis="solver steps", at=steps)
        for name, by_variant in (("multiscale", {"adjoint": (7, 7), "direct": (1, 9)}), ("single_scale", {"adjoint": (5, 10)}))
        for variant, pair in by_variant.items()
        for steps, kept in zip((1, 8), pair)
    ]
    assert value("adjoint_memory_growth", *rows) == 2
    assert not inside("adjoint_memory_growth", 2) and inside("adjoint_memory_growth", 1)


def test_evaluations_of_one_scale_are_both_ways_of_the_last_state_by_the_test_solver():
    rows = [
        image(f"nfe_{way}", nfe, name, variant, axis="step", at=step)
        for name, variant, step, pair in (
            ("single_scale", "test", 20, (20, 10)),
            ("multiscale", "test", 20, (40, 20)),
            ("single_scale", "test", 10, (90, 90)),
            ("multiscale", "test", 10, (9, 9)),
            ("single_scale", "training's solver", 20, (9, 8)),
            ("multiscale", "training's solver", 20, (27, 24)),
        )
        for way, nfe in zip(("forward", "backward"), pair)
    ]
    assert value("one_scale_over_several", *rows) == 0.5
    assert inside("one_scale_over_several", 0.5) and not inside("one_scale_over_several", 0.9)


def test_the_bottleneck_gains_more_with_gaussian_noise():
    bits = {
        "gaussian_probes": (2.0, 1.6),
        "gaussian_bottleneck": (1.5, 1.3),
        "rademacher_probes": (1.5, 1.3),
        "rademacher_bottleneck": (1.4, 1.2),
    }
    rows = [
        image("validation_bits_per_dim", number, name, "test", axis="step", at=step)
        for name, pair in bits.items()
        for step, number in zip((10, 20), pair)
    ]
    assert value("bottleneck_gain", *rows) == pytest.approx(0.4 - 0.1)
    assert inside("bottleneck_gain", 0.3) and not inside("bottleneck_gain", -0.3)


def test_posteriors_beside_ffjords():
    above = {"none": 0.3, "planar": 0.2, "iaf": -0.1, "sylvester": 0.1, "hypernetwork": -5, "independent_pixels": 6}
    rows = [of("posteriors", "above_ffjord", nats, name, dataset="digits_binary") for name, nats in above.items()]
    assert value("no_flow_above_ffjord", *rows) == 0.3 and value("best_posterior_above_ffjord", *rows) == -0.1
    for statistic in ("no_flow_above_ffjord", "best_posterior_above_ffjord"):
        assert inside(statistic, 0.3) and not inside(statistic, -0.1)
    rows = [of("posteriors", "nfe", nfe, name, dataset="digits_binary") for name, nfe in (("hypernetwork", 60), ("ffjord", 20))]
    assert value("hypernetwork_evaluations", *rows) == pytest.approx(3)
    assert inside("hypernetwork_evaluations", 3) and not inside("hypernetwork_evaluations", 1.1)


def test_evaluations_over_dimensions_are_of_trained_flows():
    rows = [
        of("dimension", "nfe_forward", nfe, variant=variant, axis="dimension", at=dim)
        for variant, counts in (("trained", (26, 20, 30)), ("untrained", (14, 14, 99)))
        for dim, nfe in zip((2, 4, 8), counts)
    ]
    assert value("evaluations_over_dimensions", *rows) == pytest.approx(1.5)
    assert not inside("evaluations_over_dimensions", 1.5) and inside("evaluations_over_dimensions", 1.1)


def test_the_error_goes_with_the_first_power_of_the_tolerance():
    rows = [of("solver_error", "mass_error", 3 * at, "float64", axis="tolerance", at=at) for at in (1e-1, 1e-4, 1e-8)]
    rows += [of("solver_error", "mass_error", 1.0, "float32", axis="tolerance", at=at) for at in (1e-1, 1e-4, 1e-8)]
    assert value("mass_error_slope", *rows) == pytest.approx(1)
    assert inside("mass_error_slope", 1) and not inside("mass_error_slope", 0) and not inside("mass_error_slope", 2)


def test_evaluations_grow_and_what_decay_does_to_them():
    counts = {
        ("ffjord", "eight_gaussians"): ((20, 18), (60, 54)),
        ("ffjord", "checkerboard"): ((20, 18), (29, 28)),
        ("ffjord_decay", "eight_gaussians"): ((20, 18), (30, 27)),
    }
    rows = [
        toys(f"nfe_{way}", nfe, name, dataset, axis="step", at=step)
        for (name, dataset), ends in counts.items()
        for step, pair in zip((0, 100), ends)
        for way, nfe in zip(("forward", "backward"), pair)
    ]
    assert value("evaluations_after_over_before", *rows) == 1.5
    assert inside("evaluations_after_over_before", 1.5) and not inside("evaluations_after_over_before", 1)
    assert value("decay_evaluations", *rows) == 0.5
    assert inside("decay_evaluations", 0.5) and not inside("decay_evaluations", 1.2)
    rows = [toys("nll", nll, name) for name, nll in (("ffjord", 3.0), ("ffjord_decay", 3.1), ("gaussian", 4.0))]
    assert value("decay_cost", *rows) == pytest.approx(0.1)
    assert inside("decay_cost", 0.05) and not inside("decay_cost", 0.3)
