"""Each statistic of samplers on trained models and of controllable generation, on tables whose answer is known."""

import pytest
from judged import judged

from replications.score_sde import claims

JUDGED = judged(claims)
PAPER, inside = JUDGED.paper, JUDGED.inside
MODELS, PREDICTORS = ("score_ve", "ddpm_vp"), ("ancestral", "reverse_diffusion", "probability_flow")
CELLS = [(model, name) for model in MODELS for name in PREDICTORS]


def value(statistic, *rows):
    """Return what it makes of the rows, among the same rows of a metric and of a data set that none may read."""
    others = [row | {"value": 7.0, column: "another"} for row in rows for column in ("metric", "dataset")]
    return JUDGED.value(statistic, *rows, *others)


def learned(metric, distances, usual=9.0, dataset="digits"):
    """Rows of a metric on both models: the distances that are given by (model, predictor), and the usual one elsewhere."""
    cells = {**dict.fromkeys(CELLS, usual), ("another", "reverse_diffusion"): 0.01 * usual, **distances}
    labels = {"experiment": "learned_samplers", "metric": metric, "dataset": dataset, "floor": 0.1}
    return [{**labels, "method": model, "variant": name, "value": distance} for (model, name), distance in cells.items()]


def alone(**distances):
    labels = {"experiment": "learned_samplers", "metric": "frechet_c2", "dataset": "digits", "variant": "corrector_only"}
    return [{**labels, "method": model, "value": distance} for model, distance in distances.items()]


def triple(model, *distances):
    return {(model, name): distance for name, distance in zip(PREDICTORS, distances)}


def test_reverse_diffusion_over_ancestral_sampling_where_it_is_worse():
    labels = {"experiment": "learned_samplers", "metric": "frechet_p", "dataset": "digits", "floor": 0.1}
    for worse, better in (MODELS, MODELS[::-1]):
        cells = triple(worse, 2.0, 3.0, 90.0) | triple(better, 4.0, 2.0, 90.0)
        rows = [{**labels, "method": m, "variant": name, "value": distance} for (m, name), distance in cells.items()]
        assert value("reverse_over_ancestral", *rows, *learned("frechet_p2", {})) == pytest.approx(1.5)
    assert not inside("reverse_over_ancestral", 1.5) and inside("reverse_over_ancestral", 0.5)


@pytest.mark.parametrize("kind", ["frechet_p2", "frechet_pc"])
@pytest.mark.parametrize("worst", PREDICTORS)
@pytest.mark.parametrize(("least", "other"), [MODELS, MODELS[::-1]])
def test_correctors_alone_over_the_worst_sampler_at_their_cost(kind, worst, least, other):
    """10 over 5 on one model, 30 over 1 on the other."""
    rows = alone(**{least: 10.0, other: 30.0}) + learned("frechet_p", {}, 90.0)
    for each in ("frechet_p2", "frechet_pc"):
        rows += learned(each, {(least, worst): 5.0} if each == kind else {}, 1.0)
    assert value("corrector_over_worst", *rows) == 2
    assert inside("corrector_over_worst", 2) and not inside("corrector_over_worst", 0.5)


@pytest.mark.parametrize("worst", CELLS)
def test_correctors_for_the_worst_predictor_and_on_average(worst):
    rows = learned("frechet_p", {}, 4.0) + learned("frechet_pc", {worst: 3.0}, 2.0) + learned("frechet_p2", {}, 1.0)
    assert value("corrected_over_plain", *rows) == 0.75
    # one ratio of 64, five of 1
    rows = learned("frechet_p2", {}, 2.0) + learned("frechet_pc", {worst: 128.0}, 2.0) + learned("frechet_p", {}, 1.0)
    assert value("corrected_over_doubled", *rows) == pytest.approx(2)
    assert inside("corrected_over_plain", 0.75) and not inside("corrected_over_plain", 4 / 3)
    assert not inside("corrected_over_doubled", 2) and inside("corrected_over_doubled", 0.5)


def test_the_flow_on_ve_alone_and_corrected():
    for others in ((2.0, 3.0), (3.0, 2.0)):
        plain = learned("frechet_p", triple("score_ve", *others, 6.0) | triple("ddpm_vp", 5.0, 5.0, 1.0))
        corrected = learned("frechet_pc", triple("score_ve", *others, 1.0) | triple("ddpm_vp", 5.0, 5.0, 9.0))
        assert value("flow_over_worst", *plain, *corrected) == 2
        assert value("corrected_flow_over_best", *plain, *corrected) == 0.5
    assert inside("flow_over_worst", 2) and not inside("flow_over_worst", 0.5)
    assert inside("corrected_flow_over_best", 0.5) and not inside("corrected_flow_over_best", 2)


def shares(model, *distances):
    labels = {"experiment": "learned_samplers", "metric": "frechet_share", "dataset": "digits", "method": model, "axis": "share"}
    return [{**labels, "value": distance, "at": at} for at, distance in zip((0.0, 0.25, 0.5, 0.75, 1.0), distances)]


def test_divided_evaluations_over_the_better_end_for_the_worse_model():
    for one, other in (MODELS, MODELS[::-1]):
        rows = shares(one, 4.0, 3.0, 2.0, 5.0, 8.0) + shares(other, 8.0, 9.0, 3.0, 6.0, 4.0)
        assert value("divided_over_ends", *rows) == 0.75
        rows = shares(one, 3.0, 4.0, 5.0, 6.0, 8.0) + shares(other, 8.0, 9.0, 3.0, 6.0, 6.0)
        assert value("divided_over_ends", *rows) == pytest.approx(4 / 3)
    assert inside("divided_over_ends", 0.75) and not inside("divided_over_ends", 4 / 3)


def test_the_last_denoising_step_is_that_of_reverse_diffusion():
    rows = learned("denoising_change", {("score_ve", PREDICTORS[1]): 1.0, ("ddpm_vp", PREDICTORS[1]): 1.05})
    assert value("denoising_change", *rows) == 1.05
    assert inside("denoising_change", 1.05) and not inside("denoising_change", 9) and not inside("denoising_change", 0.1)
    for one, other in (MODELS, MODELS[::-1]):
        noisy = learned("frechet_undenoised", {(one, PREDICTORS[1]): 6.0, (other, PREDICTORS[1]): 8.0}, 1.0)
        clean = learned("frechet_p", {(one, PREDICTORS[1]): 4.0, (other, PREDICTORS[1]): 2.0}, 3.0)
        assert value("undenoised_over_denoised", *noisy, *clean) == 1.5
    assert inside("undenoised_over_denoised", 1.5) and not inside("undenoised_over_denoised", 2 / 3)


@pytest.mark.parametrize(
    ("statistic", "metric", "model", "variant"),
    [
        ("ve_reverse_alone", "frechet_p", "score_ve", "reverse_diffusion"),
        ("ve_reverse_corrected", "frechet_pc", "score_ve", "reverse_diffusion"),
        ("ve_flow_alone", "frechet_p", "score_ve", "probability_flow"),
        ("ve_corrector_alone", "frechet_c2", "score_ve", "corrector_only"),
        ("vp_flow_corrected", "frechet_pc", "ddpm_vp", "probability_flow"),
        ("vp_reverse_rounded", "frechet_p2_rounded", "ddpm_vp", "reverse_diffusion"),
    ],
)
def test_cells_of_table_1_are_read_from_cifar10(statistic, metric, model, variant):
    (claim,) = [claim for claim in PAPER.claims if claim.statistic == statistic]
    number, (low, high) = float(claim.reported.value), claim.range
    metrics = ("frechet_p", "frechet_p2", "frechet_p2_rounded", "frechet_pc", "frechet_c2")
    rows = [row for each in metrics for row in learned(each, {(model, variant): number if each == metric else 99}, 99, "cifar10")]
    rows += learned(metric, {(model, variant): 99}, 99, "digits")
    assert value(statistic, *rows) == number
    assert inside(statistic, number) and not inside(statistic, high + 0.1) and not inside(statistic, low - 0.1)


def control(metric, value, method, experiment="controllable", dataset="digits", **more):
    return {"experiment": experiment, "metric": metric, "dataset": dataset, "method": method, "value": value, **more}


def accuracies(*values):
    sigmas = (0.01, 0.1, 1.0, 10.0)
    return [control("classifier_accuracy", a, "classifier", axis="sigma", at=at) for at, a in zip(sigmas, values)]


def test_the_classifier_in_noise():
    assert value("accuracy_falls_with_noise", *accuracies(0.9, 0.8, 0.5, 0.1)) == pytest.approx(-1)
    # ranks 2, 4, 3, 1: 1 - 6 * 14 / 60
    assert value("accuracy_falls_with_noise", *accuracies(0.5, 0.9, 0.8, 0.1)) == pytest.approx(-0.4)
    assert inside("accuracy_falls_with_noise", -1) and not inside("accuracy_falls_with_noise", -0.4)
    assert value("accuracy_at_most_noise", *accuracies(0.9, 0.8, 0.05, 0.1)) == 0.1
    assert inside("accuracy_at_most_noise", 0.1) and not inside("accuracy_at_most_noise", 0.9)


def test_the_class_asked_for_at_the_published_weight():
    at_weights = ((0, 0.1), (1, 0.7), (3, 0.9))
    asked = [control("agreement", share, "class_conditional", axis="weight", at=at) for at, share in at_weights]
    another = [row | {"dataset": "another", "value": 0.2} for row in asked]
    rows = [*asked, *another, control("agreement", 0.95, "data", variant="test split")]
    assert value("class_agreement", *rows) == 0.7
    assert inside("class_agreement", 0.7) and not inside("class_agreement", 0.1)


def completed(metric, method, **by_variant):
    """Rows at none, one and three corrector steps."""
    return [
        control(metric, number, method, variant=variant, axis="correctors", at=at)
        for variant, numbers in by_variant.items()
        for at, number in zip((0, 1, 3), numbers)
    ]


def rivals(metric, method, **by_variant):
    return [control(metric, number, method, variant=variant) for variant, number in by_variant.items()]


def test_holes_are_those_of_the_worse_mask_with_one_corrector_step():
    rows = completed("known_error", "inpainting", half=(1e-9, 1e-8, 0.0), centre=(2e-7, 1e-9, 0.0))
    rows += completed("spread_over_posterior", "inpainting", half=(0.1, 0.8, 0.2), centre=(0.2, 0.9, 0.1))
    rows += completed("known_error", "another", half=(5.0,)) + completed("spread_over_posterior", "another", half=(0.0, 0.01))
    assert value("known_error", *rows) == 2e-7 and value("hole_spread", *rows) == 0.8
    assert inside("known_error", 2e-7) and not inside("known_error", 0.01)
    assert inside("hole_spread", 0.8) and not inside("hole_spread", 0.1)
    rows = completed("hidden_error", "inpainting", half=(9.0, 2.0, 8.0), centre=(9.0, 3.0, 8.0))
    rows += rivals("hidden_error", "data", half=0.1, centre=0.1) + rivals("error_of_mean", "unconditional", half=1.0, centre=1.0)
    for free, found in (({"half": 4.0, "centre": 4.0}, 0.75), ({"half": 2.5, "centre": 6.0}, 0.8)):
        assert value("hole_error_over_unconditional", *rows, *rivals("hidden_error", "unconditional", **free)) == found
    assert inside("hole_error_over_unconditional", 0.75) and not inside("hole_error_over_unconditional", 4 / 3)


def coloured(rows):
    return [row | {"experiment": "colourisation", "dataset": "patches_colour8"} for row in rows]


def test_colours_are_those_of_one_corrector_step_but_grey_is_kept_at_any():
    rows = completed("known_error", "colourisation", colours=(1e-7, 2e-6, 3e-5))
    rows += completed("spread_over_posterior", "colourisation", colours=(0.1, 0.8, 0.9))
    rows += completed("hidden_error", "colourisation", colours=(9.0, 1.0, 8.0))
    rows += rivals("hidden_error", "unconditional", colours=4.0) + rivals("hidden_error", "grey", colours=0.1)
    rows += completed("colour_distance", "colourisation", colours=(9.0, 0.3, 8.0))
    rows += rivals("colour_distance", "data", colours=0.2) + rivals("colour_distance", "unconditional", colours=7.0)
    rows += rivals("hidden_error", "data", colours=0.2) + rivals("colour_distance", "grey", colours=0.1)
    rows += completed("known_error", "another", colours=(5.0,)) + completed(
        "spread_over_posterior", "another", colours=(5.0, 5.0)
    )
    rows = [*coloured(rows), *(row | {"value": 77.0} for row in rows)]
    assert value("grey_error", *rows) == 3e-5 and value("colour_spread", *rows) == 0.8
    assert value("colour_error_over_unconditional", *rows) == 0.25
    assert value("colour_distance_over_data", *rows) == pytest.approx(1.5)
    assert inside("grey_error", 3e-5) and not inside("grey_error", 0.01)
    assert inside("colour_spread", 0.8) and not inside("colour_spread", 0.1)
    assert inside("colour_error_over_unconditional", 0.25) and not inside("colour_error_over_unconditional", 4)
    assert inside("colour_distance_over_data", 1.2) and not inside("colour_distance_over_data", 3)
