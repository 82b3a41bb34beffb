"""Each statistic of what needs no network, on tables whose answer is known."""

import pytest
from judged import judged

from replications.score_sde import claims

JUDGED = judged(claims)
inside = JUDGED.inside
PREDICTORS = ("ancestral", "reverse_diffusion", "probability_flow")


def value(statistic, *rows):
    """Return what it makes of the rows, among the same rows of a metric that none may read."""
    return JUDGED.value(statistic, *rows, *(row | {"metric": "another", "value": 7.0} for row in rows))


def fact(metric, value, dataset="", method="", **more):
    return {"experiment": "sde_facts", "metric": metric, "value": value, "dataset": dataset, "method": method, **more}


def at_times(metric, **by_sde):
    return [
        fact(metric, gap, sde, axis="t", at=at, floor=0.5) for sde, gaps in by_sde.items() for at, gap in zip((0.25, 1.0), gaps)
    ]


def by_scales(metric, method="", scales=(50, 100, 200), **laws):
    """Rows of value 3 N^power, of each SDE (and variant, `vp_mean`)."""
    cells = {name: (*name.split("_"), "")[:2] for name in laws}
    return [
        fact(metric, 3 * at**power, cells[name][0], method, variant=cells[name][1], axis="scales", at=at)
        for name, power in laws.items()
        for at in scales
    ]


def test_a_kernel_is_off_by_its_larger_gap_at_any_time_of_any_sde():
    means = at_times("simulated_mean_gap", ve=(0.01, 0.02), vp=(0.03, 0.01))
    variances = at_times("simulated_variance_gap", ve=(0.001, 0.05), vp=(0.02, 0.01))
    assert value("kernel_error", *means, *variances) == 0.05
    assert value("kernel_error", *at_times("simulated_mean_gap", ve=(0.01, 0.02), vp=(0.07, 0.01)), *variances) == 0.07
    assert inside("kernel_error", 0.05) and not inside("kernel_error", 0.07)


def test_orders_and_ends_of_variances():
    rows = [fact("sub_vp_over_vp", 0.98, method="variance"), fact("kept_variance_gap", 1e-12, "vp", "variance")]
    rows += [fact("end_variance_gap", gap, sde, "variance") for sde, gap in (("vp", 4e-5), ("sub_vp", 8e-5))]
    assert value("sub_vp_over_vp", *rows) == 0.98 and value("kept_variance_gap", *rows) == 1e-12
    assert value("end_variance_gap", *rows) == 8e-5
    assert inside("sub_vp_over_vp", 0.98) and not inside("sub_vp_over_vp", 1.02)
    assert inside("kept_variance_gap", 1e-12) and not inside("kept_variance_gap", 1e-3)
    assert inside("end_variance_gap", 8e-5) and not inside("end_variance_gap", 0.01)


def test_curves_overlay_at_the_fewest_scales_where_they_are_worst():
    gaps = {("ve", "variance"): (0.003, 0.9), ("vp", "variance"): (0.004, 0.0), ("vp", "mean"): (0.001, 0.0)}
    rows = [
        fact(metric, factor * gap, sde, variant=variant, axis="scales", at=at)
        for (sde, variant), pair in gaps.items()
        for at, gap in zip((1000, 2000), pair)
        for metric, factor in (("overlay_gap", 1), ("kernel_gap", 9))
    ]
    assert value("overlay_gap", *rows) == 0.004
    assert inside("overlay_gap", 0.004) and not inside("overlay_gap", 0.9)


def test_orders_are_those_furthest_from_what_the_paper_says():
    other = by_scales("overlay_gap", ve_variance=0, vp_variance=0, vp_mean=0)
    for laws, found in (((-1.2, -1, -0.5), -0.5), ((-1.7, -1, -0.5), -1.7), ((-1, -1.1, -1), -1.1)):
        rows = by_scales("kernel_gap", **dict(zip(("ve_variance", "vp_variance", "vp_mean"), laws)))
        assert value("kernel_order", *rows, *other) == pytest.approx(found)
    for laws, found in (((-1.1, -0.6), -0.6), ((-0.6, -1.5), -1.5)):
        rows = by_scales("end_point_gap", ve=laws[0], vp=laws[1])
        assert value("ancestral_order", *rows) == pytest.approx(found)
    for statistic in ("kernel_order", "ancestral_order"):
        assert inside(statistic, -1) and not inside(statistic, -0.5) and not inside(statistic, -2)


def probes(metric, **laws):
    return [row | {"axis": "probes"} for name, power in laws.items() for row in by_scales(metric, name, (1, 4, 16), vp=power)]


def test_errors_go_with_the_root_of_the_probes():
    for laws, found in (((-0.4, -0.8), -0.8), ((-0.1, -0.6), -0.1)):
        rows = probes("divergence_error", rademacher=laws[0], gaussian=laws[1])
        assert value("divergence_order", *rows, *probes("likelihood_error", rademacher=-3)) == pytest.approx(found)
    rows = probes("likelihood_error", rademacher=-0.45, gaussian=-2) + probes("divergence_error", rademacher=-1)
    assert value("likelihood_order", *rows) == pytest.approx(-0.45)
    for statistic in ("divergence_order", "likelihood_order"):
        assert inside(statistic, -0.5) and not inside(statistic, 0) and not inside(statistic, -1)


def test_the_marginals_distance_over_its_own_floor():
    """Ratios of 2 and 8, 1 and 1: 2 is their geometric mean."""
    distances = {("ve", 0.5): (2.0, 1.0), ("ve", 0.1): (4.0, 0.5), ("vp", 0.5): (3.0, 3.0), ("vp", 0.1): (0.1, 0.1)}
    rows = [
        fact("marginal_distance", found, sde, variant=variant, axis="t", at=t, floor=floor)
        for (sde, t), (distance, floor) in distances.items()
        for variant, found in (("sde to ode", distance), ("sde to exact", 9.0), ("ode to exact", 7.0))
    ]
    assert value("marginal_distance_over_floor", *rows) == pytest.approx(2)
    assert not inside("marginal_distance_over_floor", 2) and inside("marginal_distance_over_floor", 1)


def test_bias_has_no_sign_and_the_worse_noise_counts():
    for biases in ((-5.0, 1.0), (1.0, -5.0)):
        rows = [fact("divergence_bias", bias, "vp", noise) for noise, bias in zip(("rademacher", "gaussian"), biases)]
        assert value("divergence_bias", *rows) == 5
    assert not inside("divergence_bias", 5) and inside("divergence_bias", 1)


def test_gaps_of_likelihoods_and_chains_are_those_of_the_worse_sde():
    gaps = {"exact end": (1e-4, 3e-4), "prior": (0.2, 0.1)}
    rows = [
        fact("likelihood_gap", gap, sde, variant=variant)
        for variant, pair in gaps.items()
        for sde, gap in zip(("ve", "vp"), pair)
    ]
    assert value("likelihood_gap", *rows) == 3e-4
    assert value("same_chain_gap", fact("same_chain_gap", 0.0, "ve", "smld"), fact("same_chain_gap", 1e-9, "vp", "ddpm")) == 1e-9
    assert inside("likelihood_gap", 3e-4) and not inside("likelihood_gap", 0.2)
    assert inside("same_chain_gap", 0) and not inside("same_chain_gap", 1e-9)


@pytest.mark.parametrize(
    ("statistic", "sde", "other"), [("vp_end_variance_error", "vp", "sub_vp"), ("sub_vp_end_variance_error", "sub_vp", "vp")]
)
def test_how_far_the_last_variance_is_off_has_no_sign(statistic, sde, other):
    """Euler-Maruyama is a tenth below, reverse diffusion a half above."""
    ends = {"euler_maruyama": (3.0, 0.9), "reverse_diffusion": (1.1, 1.5), "ancestral": (9.0, 9.0)}
    rows = [
        fact("end_variance", ratio + off, name, method, axis="scales", at=at)
        for name, off in ((sde, 0), (other, 7))
        for method, pair in ends.items()
        for at, ratio in zip((30, 1000), pair)
    ]
    assert value(statistic, *rows) == pytest.approx(0.2)
    assert inside(statistic, 0.2) and not inside(statistic, 5)


def test_the_sde_that_goes_least_of_the_way():
    rows = [fact("share_of_way", share, sde) for sde, share in (("ve", 0.9), ("vp", 0.6), ("sub_vp", 0.8))]
    rows += [fact("posterior_variance_ratio", 0.1, sde) for sde in ("ve", "vp", "sub_vp")]
    assert value("share_of_way", *rows) == 0.6
    assert not inside("share_of_way", 0.6) and inside("share_of_way", 0.9)


def exact(sde, at, variant, **distances):
    return [
        {
            "experiment": "exact_samplers",
            "metric": "sampler_distance",
            "dataset": sde,
            "method": name,
            "variant": variant,
            "axis": "scales",
            "at": at,
            "value": distance,
        }
        for name, distance in distances.items()
    ]


def same(sde, at, variant, **distances):
    """Distances of 1, but those that are given."""
    return exact(sde, at, variant, **{**dict.fromkeys(PREDICTORS, 1.0), **distances})


@pytest.mark.parametrize("kind", ["P2", "PC"])
@pytest.mark.parametrize("worst", PREDICTORS)
@pytest.mark.parametrize(("least", "other"), [("ve", "vp"), ("vp", "ve")])
def test_correctors_alone_over_the_worst_sampler_at_their_cost(kind, worst, least, other):
    """At the most scales: 10 over 5 on one SDE, 30 over 1 on the other."""
    rows = exact(least, 200, "C2", corrector_only=10.0) + exact(other, 200, "C2", corrector_only=30.0)
    rows += [row for sde in ("ve", "vp") for row in exact(sde, 25, "C2", corrector_only=3.0)]
    for sde in ("ve", "vp"):
        for at in (25, 200):
            rows += same(sde, at, "P", probability_flow=90.0)
            for each in ("P2", "PC"):
                rows += same(sde, at, each, **({worst: 5.0} if (sde, each, at) == (least, kind, 200) else {}))
    assert value("exact_corrector_over_worst", *rows) == 2
    assert inside("exact_corrector_over_worst", 2) and not inside("exact_corrector_over_worst", 0.9)


def few_scales(*triples):
    """Distances of P and of PC on VE at the fewest scales, and others at more and on VP."""
    rows = [row for kind, triple in zip(("P", "PC"), triples) for row in exact("ve", 25, kind, **dict(zip(PREDICTORS, triple)))]
    rows += [row for kind in ("P", "PC") for row in same("ve", 200, kind) + same("vp", 25, kind)]
    return rows + same("ve", 25, "P2")


def test_the_flow_with_exact_scores_without_and_with_a_corrector():
    for others in ((2.0, 3.0), (3.0, 2.0)):
        assert value("exact_flow_over_others", *few_scales((*others, 6.0), (1.0, 1.0, 1.0))) == 2
    for plain, corrected in (((2.0, 4.0, 8.0), (1.0, 3.0, 2.0)), ((4.0, 2.0, 8.0), (3.0, 1.0, 2.0))):
        assert value("exact_flow_gain", *few_scales(plain, corrected)) == pytest.approx(0.25 / 0.5)
    assert inside("exact_flow_over_others", 2) and not inside("exact_flow_over_others", 0.5)
    assert inside("exact_flow_gain", 0.5) and not inside("exact_flow_gain", 2)


def tried(sde, variant, *distances, metric="snr_distance"):
    labels = {"experiment": "exact_samplers", "metric": metric, "dataset": sde, "variant": variant, "axis": "snr"}
    return [{**labels, "value": distance, "at": at} for at, distance in zip((0.05, 0.2, 0.5), distances)]


def test_the_ratio_whose_samples_are_nearest_beside_that_of_correctors_alone():
    """0.05 over 0.5, and 0.2 over 0.5; the other way round 0.5 over 0.05 would be the larger."""
    for one, other in (("ve", "vp"), ("vp", "ve")):
        rows = tried(one, "PC", 1.0, 2.0, 3.0) + tried(one, "C2", 9.0, 8.0, 7.0)
        rows += tried(other, "PC", 2.0, 1.0, 3.0) + tried(other, "C2", 9.0, 8.0, 7.0)
        rows += [row for sde in ("ve", "vp") for row in tried(sde, "PC", 3.0, 2.0, 1.0, metric="sampler_distance")]
        assert value("best_ratio_beside_over_alone", *rows) == pytest.approx(0.4)
    assert inside("best_ratio_beside_over_alone", 0.4) and not inside("best_ratio_beside_over_alone", 2.5)
