"""Each statistic on tables whose answer is known: one that must pass and one that must fail."""

import pytest
from judged import judged

from replications.ncsn import claims

JUDGED = judged(claims)
PAPER, table, value, inside = JUDGED.paper, JUDGED.table, JUDGED.value, JUDGED.inside


def manifold(**spreads):
    return [
        {"experiment": "manifold", "metric": "tail_spread", "dataset": data, "method": method, "value": spread}
        for data, pair in spreads.items()
        for method, spread in zip(("clean", "noised"), pair)
    ]


def test_restlessness_is_the_smaller_ratio_of_both_data_sets():
    assert value("restlessness_ratio", *manifold(circle=(0.9, 0.1), digits=(0.3, 0.1))) == pytest.approx(3)
    assert inside("restlessness_ratio", 3)
    assert not inside("restlessness_ratio", value("restlessness_ratio", *manifold(circle=(0.9, 0.1), digits=(0.1, 0.3))))


def test_error_where_data_are_sparse_over_where_they_are_dense():
    of = {"experiment": "score_regions", "metric": "relative_error", "method": "ssm"}
    rows = [{**of, "variant": "dense", "value": 0.1}, {**of, "variant": "sparse", "value": 0.4}]
    assert value("sparse_over_dense_error", *rows) == pytest.approx(4)
    assert inside("sparse_over_dense_error", 4) and not inside("sparse_over_dense_error", 0.25)


def share(method, value, **more):
    return {"experiment": "mixture", "metric": "heavy_share", "method": method, "value": value, **more}


def test_shares_of_the_heavy_mode():
    rows = [share("data", 0.8), share("langevin", 0.5), share("appendix", 0.78), share("short", 0.57)]
    rows += [share("langevin", at / 2, variant="weights", axis="weight", at=at) for at in (0.1, 0.9)]
    assert value("heavy_share_langevin", *rows) == 0.5 and value("heavy_share_annealed", *rows) == 0.78
    assert value("share_moved_by_weights", *rows) == pytest.approx(0.4)
    assert inside("heavy_share_langevin", 0.5) and not inside("heavy_share_langevin", 0.8)
    assert inside("heavy_share_annealed", 0.78) and not inside("heavy_share_annealed", 0.57)
    assert inside("share_moved_by_weights", -0.02) and not inside("share_moved_by_weights", -0.4)


def level(metric, method, at, value, experiment="objectives"):
    return {
        "experiment": experiment,
        "dataset": "digits",
        "metric": metric,
        "method": method,
        "axis": "sigma",
        "at": at,
        "value": value,
    }


def test_size_and_loss_by_level():
    rows = [level("score_norm", "ncsn", at, 8 / at) for at in (0.01, 0.1, 1.0)] + [level("score_norm", "dsm", 0.1, 3)]
    assert value("score_norm_slope", *rows) == pytest.approx(-1)
    assert inside("score_norm_slope", -1) and not inside("score_norm_slope", -0.6)
    rows = [level("weighted_loss", "ncsn", at, loss) for at, loss in ((0.01, 30.0), (0.1, 20.0), (1.0, 2.0))]
    assert value("weighted_loss_spread", *rows) == pytest.approx(15)
    assert inside("weighted_loss_spread", 15) and not inside("weighted_loss_spread", 1e4)


def test_sliced_against_denoising_at_the_worst_level():
    rows = [
        level("weighted_loss", name, at, loss)
        for name, losses in {"dsm": (2, 4), "ssm": (2.1, 4.8)}.items()
        for at, loss in zip((0.1, 1), losses)
    ]
    assert value("sliced_over_denoising_loss", *rows) == pytest.approx(1.2)
    assert not inside("sliced_over_denoising_loss", 1.2) and inside("sliced_over_denoising_loss", 1.05)
    cost = {"experiment": "objectives", "dataset": "digits", "metric": "seconds_over_dsm"}
    rows = [{**cost, "method": "ssm", "value": 1.7}, {**cost, "method": "ssm_forward", "value": 3.0}]
    assert value("sliced_over_denoising_seconds", *rows) == 3
    assert inside("sliced_over_denoising_seconds", 3) and not inside("sliced_over_denoising_seconds", 1.7)


def models(**pairs):
    return [
        {"experiment": "objectives", "dataset": "digits", "metric": metric, "method": name, "value": number}
        for name, pair in pairs.items()
        for metric, number in zip(("objective", "feature_frechet"), pair)
    ]


def test_ranks_of_models_agree_or_not():
    assert value("objective_rank_correlation", *models(a=(1, 10), b=(2, 400), c=(3, 500))) == pytest.approx(1)
    assert value("objective_rank_correlation", *models(b=(2, 9), a=(1, 10), c=(3, 1))) == pytest.approx(-1)
    assert value("objective_rank_correlation", *models(a=(1, 1), b=(2, 3), c=(3, 2))) == pytest.approx(0.5)
    assert inside("objective_rank_correlation", 0.5) and not inside("objective_rank_correlation", -1)


def test_what_happens_while_sampling():
    rows = [level("drift_over_noise", "ncsn", at, ratio, "samples") for at, ratio in ((0.01, 0.1), (1.0, 0.3))]
    assert value("drift_over_noise_variation", *rows) == pytest.approx(0.5)
    assert not inside("drift_over_noise_variation", 0.5) and inside("drift_over_noise_variation", 0.2)
    # from large noise to small: 7, 4, 5
    rows = [level("nearest_on_the_way", "ncsn", at, d, "samples") for at, d in ((0.01, 5.0), (0.1, 4.0), (1.0, 7.0))]
    assert value("largest_step_from_data", *rows) == pytest.approx(1.25)
    assert not inside("largest_step_from_data", 1.25) and inside("largest_step_from_data", 0.9)


def sample(metric, method, variant, value, **more):
    return {
        "experiment": "samples",
        "dataset": "digits",
        "metric": metric,
        "method": method,
        "variant": variant,
        "value": value,
        **more,
    }


def cells(metric, annealed, plain, single, **more):
    return [
        sample(metric, "ncsn", "annealed", annealed, **more),
        sample(metric, "ncsn", "plain", plain, **more),
        sample(metric, "ncsn_single", "annealed", 900.0, **more),
        sample(metric, "ncsn_single", "plain", single, **more),
    ]


def test_distances_of_samples():
    stayed = cells("frechet_of_stayed", 4.0, 6.0, 20.0, floor=1.0)
    assert value("baseline_over_ncsn_frechet", *stayed) == pytest.approx(5)
    rows = cells("feature_frechet", 4.0, 6.0, 80.0, floor=1.0)
    assert inside("baseline_over_ncsn_frechet", 5) and not inside("baseline_over_ncsn_frechet", 1.5)
    others = [sample("frechet_of_settings", "ncsn", f"T = {t}", distance) for t, distance in ((30, 5.0), (50, 3.0))]
    assert value("frechet_over_settings", *rows, *others) == pytest.approx(1.25)
    assert inside("frechet_over_settings", 1.25) and not inside("frechet_over_settings", 2)


def test_who_is_recognised_and_what_is_copied():
    rows = [
        sample("confidence", "ncsn", "", 0.88),
        sample("confidence", "data", "", 0.8),
        sample("class_entropy", "ncsn", "", 0.7),
    ]
    assert value("confidence_over_data", *rows) == pytest.approx(1.1) and value("class_entropy", *rows) == 0.7
    assert inside("confidence_over_data", 1.1) and not inside("confidence_over_data", 0.5)
    assert inside("class_entropy", 0.95) and not inside("class_entropy", 0.7)
    rows = [*cells("nearest_in_pixels", 3.0, 9.0, 9.0), *cells("nearest_in_features", 1.0, 9.0, 9.0)]
    rows += [sample(f"nearest_in_{space}", "data", "test split", 2.0) for space in ("pixels", "features")]
    assert value("nearest_over_held_out", *rows) == pytest.approx(0.5)
    assert not inside("nearest_over_held_out", 0.5) and inside("nearest_over_held_out", 1.5)


def test_published_scores_are_read_from_cifar10():
    rows = [
        sample("fid", "ncsn", "annealed", 25.0, dataset="cifar10"),
        sample("fid", "ncsn", "annealed", 9.0, dataset="celeba32"),
    ]
    rows += [sample("inception_score", "ncsn", "annealed", 8.9, dataset="cifar10")]
    assert value("cifar10_fid", *rows) == 25 and value("cifar10_inception_score", *rows) == 8.9
    assert inside("cifar10_fid", 25) and not inside("cifar10_fid", 40)
    assert inside("cifar10_inception_score", 8.9) and not inside("cifar10_inception_score", 8.5)


def masks(metric, **numbers):
    return [
        {"experiment": "inpainting", "dataset": "digits", "metric": metric, "method": "ncsn", "variant": mask, "value": number}
        for mask, number in numbers.items()
    ]


def test_the_worst_mask_counts():
    rows = masks("known_kept_share", half=0.997, centre=0.9, random=1.0) + masks(
        "spread_over_posterior", half=0.4, centre=1.0, random=2.0
    )
    assert value("known_kept_share", *rows) == 0.9 and value("completion_spread", *rows) == 0.4
    assert not inside("known_kept_share", 0.9) and inside("known_kept_share", 0.997)
    assert not inside("completion_spread", 0.4) and inside("completion_spread", 0.9)
    rows = masks("hole_error", half=0.3, centre=0.8) + masks("hole_error_of_strangers", half=0.2, centre=1.0)
    assert value("hole_error_over_strangers", *rows) == pytest.approx(1.5)
    assert not inside("hole_error_over_strangers", 1.5) and inside("hole_error_over_strangers", 0.8)
