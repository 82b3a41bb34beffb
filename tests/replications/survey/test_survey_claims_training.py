"""Each statistic of trainings, on tables whose answer is known."""

import pytest
from judged import judged

from replications.survey import claims

JUDGED = judged(claims)
inside = JUDGED.inside
NOISE, SCORE, LIKELIHOOD = "ddpm_vp", "score_vp", "scoreflow_vp"


def fact(metric, method, value, **more):
    return {"experiment": "training_side", "dataset": "digits", "metric": metric, "method": method, "value": value, **more}


def value(statistic, *rows):
    """Return what it makes of the rows and of others that it may not read."""
    other = [row | {"dataset": "cifar10", "value": 1e6} for row in rows] + [rows[0] | {"method": "fm_ot", "value": 1e6}]
    return JUDGED.value(statistic, *rows, *other)


def test_likelihoods_are_subtracted():
    rows = [fact("nll", NOISE, 3.0), fact("nll", SCORE, 3.5), fact("nll", LIKELIHOOD, 3.25), fact("nll_median", SCORE, 9.0)]
    assert value("nll_gained", *rows) == -0.25
    assert value("output_likelihood", *rows) == 0.5
    assert inside("nll_gained", -0.1) and not inside("nll_gained", 0.1)
    assert inside("output_likelihood", 0.0) and not inside("output_likelihood", 0.2) and not inside("output_likelihood", -0.2)


def test_samples_are_those_at_the_end():
    ends = {NOISE: 2.0, SCORE: 3.0, LIKELIHOOD: 6.0}
    rows = [fact("feature_frechet", name, end, axis="step", at=1100.0, floor=1.0) for name, end in ends.items()]
    rows += [row | {"at": 110.0, "value": 50.0} for row in rows]
    assert value("quality_paid", *rows) == 2
    assert value("output_quality", *rows) == 1.5
    excess = claims.quality_paid(JUDGED.table(*rows))["excess"]
    assert excess.tolist() == [5, 5]
    assert inside("quality_paid", 1.1) and not inside("quality_paid", 0.9)
    assert inside("output_quality", 1.1) and not inside("output_quality", 2.0) and not inside("output_quality", 0.5)


def test_noise_scales_of_both_states():
    early = {NOISE: 1.0, SCORE: 4.0, LIKELIHOOD: 2.0}
    late = {NOISE: 1.0, SCORE: 40.0, LIKELIHOOD: 80.0}
    rows = [fact("noise_scale", name, found, variant="early") for name, found in early.items()]
    rows += [fact("noise_scale", name, found, variant="trained") for name, found in late.items()]
    assert value("noisier_early", *rows) == 0.5
    assert value("noisier", *rows) == 2
    for statistic in ("noisier_early", "noisier"):
        assert inside(statistic, 1.1) and not inside(statistic, 0.9)


def test_shares_of_early_times():
    shares = {NOISE: (0.0, 0.0, 0.0, 1.0), SCORE: (0.1, 0.1, 0.2, 0.6), LIKELIHOOD: (0.4, 0.2, 0.2, 0.2)}
    times = (0.01, 0.035, 0.075, 0.15)
    rows = [
        fact("gradient_noise_share", name, share, variant="trained", axis="t", at=t, floor=0.02)
        for name, found in shares.items()
        for t, share in zip(times, found)
    ]
    rows += [row | {"variant": "early", "value": 0.9} for row in rows]
    assert value("early_share", *rows) == pytest.approx(0.8)
    assert value("early_share_over_unweighted", *rows) == pytest.approx(2.0)
    assert inside("early_share", 0.6) and not inside("early_share", 0.4)
    assert inside("early_share_over_unweighted", 1.1) and not inside("early_share_over_unweighted", 0.9)


def test_steps_to_a_quality():
    found = {NOISE: 400.0, SCORE: 500.0, LIKELIHOOD: 1000.0}
    rows = [fact("steps_to_quality", name, steps, axis="distance over data's", at=12.0) for name, steps in found.items()]
    rows += [row | {"at": 8.0, "value": 1e3} for row in rows]
    assert value("output_cost", *rows) == 1.25
    assert value("weighting_cost", *rows) == 2
    assert inside("output_cost", 1.1) and not inside("output_cost", 2.0) and not inside("output_cost", 0.5)
    assert inside("weighting_cost", 1.1) and not inside("weighting_cost", 0.9)
