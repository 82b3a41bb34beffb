"""Statistics on small tables with a known answer."""

import pandas as pd
import pytest

from common.measure.statistics import MissingRows
from replications.flow_matching import claims


def table(rows):
    frame = pd.DataFrame(rows).assign(status="ok", level="laptop", paper="flow_matching", unit="")
    return frame.reindex(columns=sorted({*frame.columns, "variant", "at", "n", "dataset", "method", "metric", "seed"}))


def cell(experiment, metric, method, value, *, seed=0, variant="", at=float("nan"), n=1, dataset="digits"):
    return {
        "experiment": experiment,
        "metric": metric,
        "method": method,
        "value": value,
        "seed": seed,
        "variant": variant,
        "at": at,
        "n": n,
        "dataset": dataset,
    }


def table1(metric, values, **more):
    return [cell("table1", metric, m, v, seed=s, **more) for m, vs in values.items() for s, v in enumerate(vs)]


def test_rank_counts_the_better_rivals_of_each_seed():
    rows = table1(
        "nfe", {"fm_ot": [60, 90], "fm_vp": [80, 80], "ddpm_vp": [100, 70], "score_vp": [99, 99], "scoreflow_vp": [99, 99]}
    )
    assert claims.rank_nfe(table(rows)).tolist() == [1, 3]


def test_ratios_pair_the_seeds_and_drop_those_that_lack_a_partner():
    rows = table1("nfe", {"fm_ot": [60, 50, 70], "fm_vp": [80, 100]})
    found = claims.nfe_ratio_ot_to_diffusion(table(rows))
    assert found.to_dict() == {0: 0.75, 1: 0.5}
    best = table1("nfe", {"fm_ot": [60], "score_vp": [120], "ddpm_vp": [100], "scoreflow_vp": [400]})
    assert claims.nfe_ratio_ot_to_best_score(table(best)).tolist() == [0.6]


def test_gains_in_likelihood_have_the_right_sign():
    many = {"fm_ot": [3.0], "fm_vp": [3.1], "score_vp": [3.3], "ddpm_vp": [3.4], "scoreflow_vp": [3.5]}
    few = {"fm_ot": [3.2], "fm_vp": [3.25], "score_vp": [3.4], "ddpm_vp": [3.6], "scoreflow_vp": [3.9]}
    rows = table1("nll", many, at=20) + table1("nll", few, at=3)
    assert claims.nll_gain_ot_over_diffusion(table(rows)).tolist() == pytest.approx([0.1])
    assert claims.nll_gain_diffusion_over_score(table(rows)).tolist() == pytest.approx([0.2])
    assert claims.smallest_nll_gain_from_draws(table(rows)).tolist() == pytest.approx([0.1])
    assert claims.nll_order_agreement(table(rows)).tolist() == pytest.approx([1.0])
    assert claims.rank_nll(table(rows)).tolist() == [1]


def test_a_ratio_over_solvers_is_the_geometric_mean_of_every_cell():
    cells = {("midpoint", 8): (1, 2), ("midpoint", 20): (1, 4), ("rk4", 8): (1, 1)}
    rows = [
        cell("solver_error", "feature_frechet", method, value, variant=solver, at=nfe)
        for (solver, nfe), values in cells.items()
        for method, value in zip(("fm_ot", "fm_vp"), values)
    ]
    assert claims.frechet_ratio_ot_to_diffusion_over_solvers(table(rows)).tolist() == pytest.approx([0.5])


def test_evaluations_at_equal_error_of_a_power_law():
    """Errors nfe^-4 and (2 nfe)^-4 ... : the second needs half the evaluations."""
    rows = []
    for nfe in (8, 16, 32, 64):
        rows.append(cell("solver_error", "solver_mse", "fm_vp", nfe**-4.0, variant="midpoint", at=nfe))
        rows.append(cell("solver_error", "solver_mse", "fm_ot", (2 * nfe) ** -4.0, variant="midpoint", at=nfe))
    assert claims.nfe_at_equal_error(table(rows)).tolist() == pytest.approx([0.5])


def in_training(metric, method, values):
    return [cell("during_training", metric, method, value, at=step) for step, value in zip((100, 200, 1000), values)]


def test_training_areas_are_geometric_means():
    rows = in_training("feature_frechet_in_training", "fm_ot", [4, 2, 1])
    rows += in_training("feature_frechet_in_training", "fm_vp", [8, 4, 4])
    rows += in_training("feature_frechet_in_training", "score_vp", [8, 4, 4])
    assert claims.frechet_in_training_ot_to_diffusion(table(rows)).tolist() == pytest.approx([16 ** (-1 / 3)])
    assert claims.frechet_in_training_diffusion_to_score(table(rows)).tolist() == pytest.approx([1])


def test_variation_of_the_cost_leaves_out_the_first_tenth():
    rows = in_training("nfe_in_training", "fm_ot", [900, 10, 10]) + in_training("nfe_in_training", "fm_vp", [900, 90, 110])
    rows += in_training("nfe_in_training", "score_vp", [1, 100, 300])
    spread = 2**0.5 * 10 / 100
    assert claims.nfe_variation_flow_matching(table(rows)).tolist() == pytest.approx([spread])
    assert claims.nfe_variation_score_to_flow_matching(table(rows)).tolist() == pytest.approx([(2**0.5 * 100 / 200) / spread])


def test_upsampling_and_boards():
    rows = [cell("upsampling", m, method, v) for method, m, v in (("fm_ot", "psnr", 20), ("regression", "psnr", 23))]
    rows += [cell("upsampling", "feature_frechet", method, v) for method, v in (("fm_ot", 1), ("regression", 4))]
    assert claims.upsampling_psnr_lead_of_regression(table(rows)).tolist() == [3]
    assert claims.upsampling_frechet_ratio(table(rows)).tolist() == [0.25]
    boards = [
        cell("toy_2d", "wasserstein2", m, v, variant="dopri5", dataset="checkerboard")
        for m, v in (("fm_vp", 0.2), ("ddpm_vp", 0.3), ("scoreflow_vp", 0.4))
    ]
    assert claims.board_distance_ddpm_to_flow_matching(table(boards)).tolist() == pytest.approx([1.5])
    assert claims.board_distance_scoreflow_to_flow_matching(table(boards)).tolist() == pytest.approx([2])


def test_a_gap_that_is_noise_has_slope_minus_one_half_and_a_bias_has_not():
    noise = [cell("gradients", "gradient_gap", "fm_ot", n**-0.5, n=n, at=n) for n in (100, 400, 1600)]
    biased = [cell("gradients", "gradient_gap", "fm_vp", 0.1 + n**-0.5, n=n, at=n) for n in (100, 400, 1600)]
    assert claims.gradient_gap_slope_ot(table(noise)).tolist() == pytest.approx([-0.5])
    assert claims.gradient_gap_slope_diffusion(table(biased)).tolist()[0] > -0.3


def test_what_was_not_measured_is_missing():
    with pytest.raises(MissingRows):
        claims.training_images_ratio(table([cell("table1", "nfe", "fm_ot", 60)]))


def test_with_two_image_sets_claims_are_judged_on_the_papers():
    rows = [
        cell("table1", "nfe", method, value, dataset=dataset)
        for dataset, values in {"cifar10": (60, 80), "fashion_mnist": (50, 100)}.items()
        for method, value in zip(("fm_ot", "fm_vp"), values)
    ]
    assert claims.nfe_ratio_ot_to_diffusion(table(rows).assign(level="gpu")).tolist() == [0.75]
    only = [row for row in rows if row["dataset"] == "fashion_mnist"]
    assert claims.nfe_ratio_ot_to_diffusion(table(only).assign(level="gpu")).tolist() == [0.5]
    spread = claims.nfe_spread_flow_matching(table(rows).assign(level="gpu"))
    assert spread.tolist() == pytest.approx([1.25]), "the larger of 60/50 and 100/80"


def both(experiment, metric, ot, vp, **more):
    return table([cell(experiment, metric, method, value, **more) for method, value in (("fm_ot", ot), ("fm_vp", vp))])


def test_statistics_of_the_paths_read_the_right_method_the_right_way_round():
    assert claims.straightness_ratio(both("exact_paths", "straightness", 1.0, 4.0)).tolist() == [0.25]
    assert claims.direction_cosine_ot(both("exact_paths", "direction_cosine", 1.0, 0.6)).tolist() == [1.0]
    assert claims.direction_cosine_diffusion(both("exact_paths", "direction_cosine", 1.0, 0.6)).tolist() == [0.6]
    assert claims.ot_deviation_from_linear(both("exact_paths", "noise_left_deviation", 0.05, 0.4)).tolist() == [0.05]
    assert claims.diffusion_noise_left_over_ot(both("exact_paths", "noise_left_halfway", 0.5, 0.8)).tolist() == [1.6]
    images = both("solver_error", "noise_left_halfway", 0.5, 0.8)
    assert claims.diffusion_noise_left_over_ot_images(images).tolist() == [1.6]
    images = both("solver_error", "noise_left_deviation", 0.05, 0.4)
    assert claims.ot_deviation_from_linear_images(images).tolist() == [0.05]


def test_distances_on_the_board_are_compared_cell_by_cell():
    cells = {0.5: (1, 2), 0.75: (1, 8), 0.9: (9, 1)}
    rows = [
        cell("toy_2d", "wasserstein2_along_time", method, value, at=time, dataset="checkerboard")
        for time, values in cells.items()
        for method, value in zip(("fm_ot", "fm_vp"), values)
    ]
    assert claims.midway_distance_ratio(table(rows)).tolist() == pytest.approx([0.25])
    rows = [
        cell("toy_2d", "wasserstein2", method, value, variant="midpoint", at=nfe, dataset="checkerboard")
        for nfe, values in {4: (1, 4), 8: (1, 1)}.items()
        for method, value in zip(("fm_ot", "fm_vp"), values)
    ]
    assert claims.low_nfe_distance_ratio(table(rows)).tolist() == pytest.approx([0.5])


def test_ratios_and_ranks_of_sample_quality():
    five = {"fm_ot": [2.0], "fm_vp": [1.0], "score_vp": [4.0], "ddpm_vp": [1.5], "scoreflow_vp": [9.0]}
    rows = [*table1("feature_frechet", five), cell("table1", "feature_frechet", "data", 0.1)]
    assert claims.rank_frechet(table(rows)).tolist() == [3], "data and noise are no rivals"
    assert claims.frechet_ratio_diffusion_to_score(table(rows)).tolist() == [0.25]
    rows = [
        cell("solver_error", "feature_frechet", method, value, variant=solver, at=8)
        for solver, values in {"euler": (1, 2), "rk4": (1, 8)}.items()
        for method, value in zip(("fm_vp", "score_vp"), values)
    ]
    assert claims.frechet_ratio_diffusion_to_score_over_solvers(table(rows)).tolist() == pytest.approx([0.25])


def test_evaluations_at_equal_error_of_exact_fields_are_read_from_their_own_experiment():
    rows = [
        cell(experiment, "solver_mse", method, (factor * nfe) ** -4.0, variant="midpoint", at=nfe)
        for experiment, factors in {"exact_paths": (2, 1), "solver_error": (4, 1)}.items()
        for method, factor in zip(("fm_ot", "fm_vp"), factors)
        for nfe in (8, 16, 32, 64)
    ]
    assert claims.nfe_at_equal_error_exact(table(rows)).tolist() == pytest.approx([0.5])
    assert claims.nfe_at_equal_error(table(rows)).tolist() == pytest.approx([0.25])


def test_the_spread_of_evaluations_needs_two_data_sets():
    rows = [
        cell("table1", "nfe", method, value, dataset=dataset)
        for dataset, values in {"cifar10": (60, 90, 100), "fashion_mnist": (50, 100, 300)}.items()
        for method, value in zip(("fm_ot", "fm_vp", "score_vp"), values)
    ]
    assert claims.nfe_spread_flow_matching(table(rows)).tolist() == pytest.approx([1.2])
    assert claims.nfe_spread_score_matching(table(rows)).tolist() == [3.0]
    with pytest.raises(MissingRows, match="a second image data set"):
        claims.nfe_spread_flow_matching(table([row for row in rows if row["dataset"] == "cifar10"]))
