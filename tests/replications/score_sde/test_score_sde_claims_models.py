"""Each statistic of likelihoods, latents and networks, on tables whose answer is known."""

import pytest
from judged import judged

from replications.score_sde import claims

JUDGED = judged(claims)
PAPER, inside = JUDGED.paper, JUDGED.inside
ON_VE, ON_VP, ON_SUB_VP = "score_ve", "ddpm_vp", "noise_sub_vp"


def value(statistic, *rows):
    """Return what it makes of the rows, among the same rows of a metric and of a data set that none may read."""
    others = [row | {"value": 7.0, column: "another"} for row in rows for column in ("metric", "dataset")]
    return JUDGED.value(statistic, *rows, *others)


def of(experiment, metric, value, method, dataset="digits", **more):
    return {"experiment": experiment, "metric": metric, "value": value, "method": method, "dataset": dataset, **more}


def by_model(metric, *, experiment="likelihood", **values):
    return [of(experiment, metric, number, name) for name, number in values.items()]


def test_bounds_and_medians_of_models_that_predict_the_noise():
    rows = [*by_model("bound_over_nll", ddpm_vp=0.3, score_vp=9.0), of("likelihood", "bound_over_nll", 7.0, ON_VP, "cifar10")]
    assert value("bound_over_nll", *rows) == 0.3
    assert inside("bound_over_nll", 0.3) and not inside("bound_over_nll", -0.3)
    other = by_model("nll_median", ddpm_vp=9.0, noise_sub_vp=1.0, score_ve=50.0)
    pairs = {(ON_VP, ON_SUB_VP): 0.5, (ON_VP, ON_VE): -0.75, (ON_SUB_VP, ON_VE): -1.25, (ON_VE, "score_vp"): 8.0}

    def differences(metric, factor=1.0):
        return [of("likelihood", metric, factor * bits, one, variant=f"less {two}") for (one, two), bits in pairs.items()]

    rows = [*differences("nll_difference_median"), *differences("nll_difference", 9.0), *other]
    assert value("vp_over_sub_vp", *rows) == 0.5 and value("ve_over_others", *rows) == 0.75
    pairs[ON_SUB_VP, ON_VE] = -0.25
    assert value("ve_over_others", *differences("nll_difference_median")) == 0.25
    for statistic in ("vp_over_sub_vp", "ve_over_others"):
        assert inside(statistic, 0.5) and not inside(statistic, -0.5)


def samples(**by_model):
    """Fréchet distances of each model by (ODE, SDE, PC)."""
    return [
        of("likelihood", "feature_frechet", number, name, variant=how, floor=0.1)
        for name, numbers in by_model.items()
        for how, number in zip(("ODE", "SDE", "PC"), numbers)
    ]


def test_samples_of_the_sdes():
    rows = samples(score_ve=(8.0, 5.0, 2.0), ddpm_vp=(6.0, 4.0), noise_sub_vp=(9.0, 3.0), score_vp=(1.0, 7.0, 9.0))
    assert value("ve_samples_over_others", *rows) == pytest.approx(0.5)
    assert value("ve_flow_over_vp_flow", *rows) == pytest.approx(8 / 6)
    assert inside("ve_samples_over_others", 0.5) and not inside("ve_samples_over_others", 2)
    assert inside("ve_flow_over_vp_flow", 2) and not inside("ve_flow_over_vp_flow", 0.5)


@pytest.mark.parametrize("least", [ON_VE, ON_VP, ON_SUB_VP])
def test_the_flow_over_the_sde_where_it_is_least(least):
    rows = samples(**{name: (6.0, 4.0 if name == least else 2.0, 0.1) for name in (ON_VE, ON_VP, ON_SUB_VP)})
    assert value("flow_over_sde", *rows, *samples(score_vp=(1.0, 9.0))) == 1.5
    assert inside("flow_over_sde", 1.5) and not inside("flow_over_sde", 2 / 3)


def test_what_the_least_time_gains_for_the_model_that_gains_least():
    gained = {ON_VE: (0.01, 0.4), ON_VP: (0.02, 0.2), ON_SUB_VP: (0.0, 0.6)}
    rows = [
        of("likelihood", metric, factor * bits, name, axis="eps", at=eps)
        for name, pair in gained.items()
        for eps, bits in zip((1e-3, 1e-2), pair)
        for metric, factor in (("nll_over_least_eps", 1), ("nll_at_eps", -1))
    ]
    assert value("gained_by_least_time", *rows) == 0.2
    assert inside("gained_by_least_time", 0.2) and not inside("gained_by_least_time", -0.2)


def latents(metric, *values, method=ON_VP, axis="tolerance", points=(1e-5, 1e-3, 1e-2, 1e-1), **more):
    return [of("latent_codes", metric, number, method, axis=axis, at=at, **more) for at, number in zip(points, values)]


def test_evaluations_by_tolerance():
    """At 0.01 samples are as good with a fifth of the evaluations; at 0.1 they are not."""
    ve = latents("nfe", 100, 90, 80, 70, method=ON_VE) + latents("frechet_of_tolerance", 1, 1, 1, 1, method=ON_VE)
    nfe = latents("nfe", 100, 50, 20, 18)
    assert value("evaluations_saved", *nfe, *latents("frechet_of_tolerance", 10.0, 9.0, 10.9, 50.0), *ve) == pytest.approx(0.8)
    assert value("evaluations_saved", *nfe, *latents("frechet_of_tolerance", 10.0, 10.5, 11.2, 50.0), *ve) == pytest.approx(0.5)
    assert inside("evaluations_saved", 0.8) and not inside("evaluations_saved", 0.2)
    assert value("evaluations_grow", *nfe, *ve) == pytest.approx(0.9)
    assert value("evaluations_grow", *latents("nfe", 100, 50, 60, 18), *ve) == pytest.approx(1.2)
    assert inside("evaluations_grow", 0.9) and not inside("evaluations_grow", 1.2)


def test_round_trips_are_those_of_the_least_tolerance():
    rows = latents("round_trip_error", 1e-4, 1e-2, 0.1, 0.5) + latents("round_trip_error", 0.2, 0.2, 0.2, 0.2, method=ON_VE)
    assert value("round_trip_error", *rows) == 1e-4
    assert inside("round_trip_error", 1e-4) and not inside("round_trip_error", 0.2)


def test_paths_between_latents():
    rows = [
        of("latent_codes", metric, factor * distance, name, variant=kind, floor=0.1)
        for name, distances in ((ON_VP, (4.0, 3.0, 6.0)), (ON_VE, (9.0, 1.0, 1.0)))
        for kind, distance in zip(("random", "spherical", "linear"), distances)
        for metric, factor in (("frechet_of_path", 1), ("sample_variance", -1))
    ]
    assert value("spherical_over_random", *rows) == pytest.approx(0.75)
    assert value("spherical_over_linear", *rows) == pytest.approx(0.5)
    assert inside("spherical_over_random", 0.75) and not inside("spherical_over_random", 4 / 3)
    assert inside("spherical_over_linear", 0.5) and not inside("spherical_over_linear", 2)


def test_the_least_rise_of_variance_with_temperature():
    other = latents("sample_variance", 1, 1, 1, axis="temperature", points=(0.6, 0.8, 1.0), method=ON_VE)
    other += [of("latent_codes", "sample_variance", 0.1, ON_VP, variant="linear")]
    for variances, found in (((1.0, 2.0, 3.0), 1.5), ((2.0, 1.0, 3.0), 0.5)):
        rows = latents("sample_variance", *variances, axis="temperature", points=(0.6, 0.8, 1.0))
        assert value("least_rise_with_temperature", *rows, *other) == found
    assert inside("least_rise_with_temperature", 1.5) and not inside("least_rise_with_temperature", 0.5)


def test_agreement_of_two_networks_at_the_end_of_training_and_before():
    share = {"axis": "share of training", "points": (0.1, 0.3, 1.0)}
    rows = [
        row
        for method, variant, off in ((ON_VE, "shared network", 0), (ON_VP, "shared network", 5))
        for metric, numbers in (("latent_difference", (0.75, 0.5, 0.25)), ("latent_correlation", (0.3, 0.5, 0.95)))
        for row in latents(metric, *(number + off for number in numbers), method=method, variant=variant, **share)
    ]
    rows += [of("latent_codes", f"latent_{what}", 3.0, ON_VE, variant="Gaussian flow") for what in ("difference", "correlation")]
    assert value("latent_difference", *rows) == 0.25 and value("latent_correlation", *rows) == 0.95
    assert value("agreement_gained", *rows) == 0.5
    assert inside("latent_difference", 0.25) and not inside("latent_difference", 0.75)
    assert inside("latent_correlation", 0.95) and not inside("latent_correlation", 0.3)
    assert inside("agreement_gained", 0.5) and not inside("agreement_gained", -0.5)


@pytest.mark.parametrize(
    ("statistic", "metric", "variant", "method"),
    [
        ("ddpm_vp_bits", "nll", "ODE", "ddpm_vp"),
        ("ddpm_sub_vp_bits", "nll", "ODE", "ddpm_sub_vp"),
        ("ddpmpp_vp_bits", "nll", "ODE", "ddpmpp_vp"),
        ("ddpmpp_sub_vp_bits", "nll", "ODE", "ddpmpp_sub_vp"),
        ("ddpmpp_deep_vp_bits", "nll", "ODE", "ddpmpp_deep_vp"),
        ("ddpmpp_deep_sub_vp_bits", "nll", "ODE", "ddpmpp_deep_sub_vp"),
        ("ncsnpp_fid", "fid", "PC", "ncsnpp_ve"),
        ("deep_ncsnpp_fid", "fid", "PC", "ncsnpp_deep_ve"),
        ("ddpmpp_fid", "fid", "SDE", "ddpmpp_vp"),
        ("deep_ddpmpp_fid", "fid", "SDE", "ddpmpp_deep_vp"),
        ("deep_ncsnpp_inception_score", "inception_score", "PC", "ncsnpp_deep_ve"),
    ],
)
def test_published_numbers_are_read_from_their_own_network_and_sampler(statistic, metric, variant, method):
    (claim,) = [claim for claim in PAPER.claims if claim.statistic == statistic]
    number, (low, high) = float(claim.reported.value), claim.range
    hows = ("ODE",) if metric == "nll" else ("ODE", "SDE", "PC")
    rows = [
        of("architectures", metric, number if (net, how) == (method, variant) else 99, net, data, variant=how)
        for net in {method, "another", "ddpm_vp", "ddpmpp_sub_vp"}
        for data in ("cifar10", "digits")
        for how in hows
    ]
    rows = [row | {"value": 99} if row["dataset"] == "digits" else row for row in rows]
    assert value(statistic, *rows) == number
    assert inside(statistic, number) and not inside(statistic, high + 0.1) and not inside(statistic, low - 0.1)


def test_the_continuous_objective_gains_over_the_discrete_one():
    rows = [of("architectures", "nll", bits, name, "cifar10") for name, bits in (("ddpm_vp_discrete", 3.28), ("ddpm_vp", 3.21))]
    assert value("continuous_gain", *rows) == pytest.approx(0.07)
    assert inside("continuous_gain", 0.07) and not inside("continuous_gain", -0.07)


PARTS = ("without_fir", "without_rescaling", "ddpm_blocks", "without_progressive", "two_blocks")


@pytest.mark.parametrize("least", PARTS)
def test_the_part_that_is_worth_least(least):
    fids = {"ncsnpp_ve_discrete": 2.0, "ncsnpp_ve": 50.0, **{name: 2.5 if name == least else 4.0 for name in PARTS}}
    rows = [
        of("architectures", "fid", fid if (how, data) == ("PC", "cifar10") else 0.1, name, data, variant=how)
        for name, fid in fids.items()
        for how in ("SDE", "PC")
        for data in ("cifar10", "digits")
    ]
    assert value("least_worth_of_parts", *rows) == 1.25
    assert inside("least_worth_of_parts", 1.25) and not inside("least_worth_of_parts", 0.8)


def test_the_largest_images():
    rows = [
        of("architectures", metric, number, name, data, variant=how)
        for metric, name, data, how, number in (
            ("feature_frechet", "ncsnpp_1024_ve", "celeba_hq1024", "PC", 7.0),
            ("feature_frechet", "ncsnpp_1024_ve", "celeba_hq1024", "SDE", 90.0),
            ("feature_frechet", "ncsnpp_1024_ve", "cifar10", "PC", 91.0),
            ("feature_frechet", "ddpm_vp", "celeba_hq1024", "PC", 92.0),
            ("fid", "ncsnpp_1024_ve", "celeba_hq1024", "PC", 93.0),
        )
    ]
    assert value("largest_images", *rows) == 7
    assert inside("largest_images", 7) and not inside("largest_images", 90)
