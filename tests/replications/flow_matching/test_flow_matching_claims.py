"""Statistics on small tables with a known answer."""

import math

import pandas as pd
import pytest

from common.measure.statistics import MissingRows
from replications.flow_matching import claims

NAN = math.nan


def table(rows):
    return pd.DataFrame(rows).assign(status="ok", level="laptop", paper="flow_matching", unit="")


def cell(experiment, metric, method, value, *, seed=0, variant="", at=NAN, n=1, dataset="digits", floor=NAN, error=NAN):
    named = {"experiment": experiment, "metric": metric, "method": method, "value": value, "dataset": dataset}
    return {**named, "seed": seed, "variant": variant, "at": at, "n": n, "floor": floor, "error": error}


def table1(metric, values, **more):
    return [cell("table1", metric, m, v, seed=s, **more) for m, vs in values.items() for s, v in enumerate(vs)]


def answers(found):
    """Return a statistic's numbers, whether or not it carries the floor along."""
    return (found["value"] if isinstance(found, pd.DataFrame) else found).tolist()


def test_rank_counts_the_better_rivals_of_each_seed():
    rows = table1(
        "nfe", {"fm_ot": [60, 90], "fm_vp": [80, 80], "ddpm_vp": [100, 70], "score_vp": [99, 99], "scoreflow_vp": [99, 99]}
    )
    assert answers(claims.rank_nfe(table(rows))) == [1, 3]


def test_ratios_pair_the_seeds_and_drop_those_that_lack_a_partner():
    rows = table1("nfe", {"fm_ot": [60, 50, 70], "fm_vp": [80, 100]})
    assert claims.nfe_ratio_ot_to_diffusion(table(rows)).to_dict() == {0: 0.75, 1: 0.5}
    best = table1("nfe", {"fm_ot": [60], "score_vp": [120], "ddpm_vp": [100], "scoreflow_vp": [400]})
    assert answers(claims.nfe_ratio_ot_to_best_score(table(best))) == [0.6]


def test_gains_in_likelihood_have_the_right_sign():
    once = {"fm_ot": [3.0], "fm_vp": [3.2], "score_vp": [3.5], "ddpm_vp": [3.1], "scoreflow_vp": [3.6]}
    rows = table1("nll", once)
    assert answers(claims.nll_gain_ot_over_diffusion(table(rows))) == pytest.approx([0.2])
    assert answers(claims.nll_gain_diffusion_over_score(table(rows))) == pytest.approx([0.3])
    assert answers(claims.nll_lead_of_ot(table(rows))) == pytest.approx([0.1]), "over the best rival, whoever it is"
    for rival in ("fm_vp", "score_vp", "ddpm_vp", "scoreflow_vp"):
        beaten = table1("nll", {**once, rival: [2.5]})
        assert answers(claims.nll_lead_of_ot(table(beaten))) == pytest.approx([-0.5]), rival


def test_the_bound_must_tighten_for_every_objective_between_all_numbers_of_draws():
    falls = {1: 3.5, 2: 3.3, 4: 3.2}
    rows = [cell("table1", "nll_bound", m, v, at=k) for m in claims.FIVE for k, v in falls.items()]
    assert answers(claims.smallest_nll_gain_from_draws(table(rows))) == pytest.approx([0.1])
    for method in claims.FIVE:
        risen = [{**row, "value": 3.4} if (row["method"], row["at"]) == (method, 4) else row for row in rows]
        assert answers(claims.smallest_nll_gain_from_draws(table(risen))) == pytest.approx([-0.1]), method


def differences(*pairs):
    return [
        cell("table1", "nll_bound_difference", a, value, variant=f"less {b}", at=k, error=error)
        for a, b, values, error in pairs
        for k, value in zip((1, 2, 4), values)
    ]


def test_a_swap_is_as_sure_as_the_smaller_of_both_differences():
    same = ("fm_ot", "fm_vp", (-0.3, -0.2, -0.1), 0.1)
    assert answers(claims.largest_swap(table(differences(same)))) == pytest.approx([-1.0])
    tie = ("score_vp", "ddpm_vp", (0.1, -0.05, 0.0), 0.1)
    assert answers(claims.largest_swap(table(differences(same, tie)))) == pytest.approx([0.5])
    swapped = ("fm_ot", "ddpm_vp", (-0.4, 0.1, 0.3), 0.1)
    assert answers(claims.largest_swap(table(differences(same, swapped, tie)))) == pytest.approx([3.0])
    with pytest.raises(MissingRows):
        claims.largest_swap(table([cell("table1", "nfe", "fm_ot", 60)]))


def solvers(top, bottom, cells):
    return [
        cell("solver_error", "feature_frechet", method, value, variant=solver, at=nfe, floor=0.1)
        for (solver, nfe), values in cells.items()
        for method, value in zip((top, bottom), values)
    ]


@pytest.mark.parametrize(
    ("statistic", "top", "bottom"),
    [
        (claims.frechet_ratio_ot_to_diffusion_over_solvers, "fm_ot", "fm_vp"),
        (claims.frechet_ratio_diffusion_to_score_over_solvers, "fm_vp", "score_vp"),
    ],
)
def test_whatever_the_solver_is_the_worst_with_few_evaluations(statistic, top, bottom):
    cells = {("euler", 8): (3, 4), ("midpoint", 20): (1, 4), ("rk4", 8): (1, 5), ("midpoint", 100): (9, 1)}
    assert answers(statistic(table(solvers(top, bottom, cells)))) == pytest.approx([0.75]), "100 evaluations are not few"
    worse = {**cells, ("rk4", 20): (6, 4)}
    found = statistic(table(solvers(top, bottom, worse)))
    assert answers(found) == pytest.approx([1.5])
    assert found["excess"].tolist() == pytest.approx([3.9]), "the least of all that the larger one exceeds its floor by"


def test_euler_20_is_held_against_midpoint_100():
    rows = [
        cell("solver_error", "feature_frechet", method, value, variant=solver, at=nfe)
        for (method, solver, nfe), value in {
            ("fm_ot", "euler", 20): 1,
            ("fm_ot", "midpoint", 100): 7,
            ("score_vp", "midpoint", 100): 4,
            ("score_vp", "euler", 20): 9,
        }.items()
    ]
    assert answers(claims.frechet_ratio_euler_ot_to_midpoint_score(table(rows))) == [0.25]


def test_evaluations_at_equal_error_of_a_power_law():
    """Errors nfe^-4 and (2 nfe)^-4: the second needs half the evaluations. Other solvers and experiments do not count."""
    rows = [
        cell(experiment, "solver_mse", method, (factor * nfe) ** -4.0, variant=solver, at=nfe)
        for experiment, solver, factors in (
            ("solver_error", "midpoint", (2, 1)),
            ("solver_error", "rk4", (4, 1)),
            ("exact_paths", "midpoint", (4, 1)),
        )
        for method, factor in zip(("fm_ot", "fm_vp"), factors)
        for nfe in (8, 16, 32, 64)
    ]
    assert answers(claims.nfe_at_equal_error(table(rows))) == pytest.approx([0.5])


def in_training(metric, method, values):
    return [cell("during_training", metric, method, value, at=step) for step, value in zip((100, 200, 300, 400), values)]


def test_at_every_stage_of_training_is_the_worst_stage():
    rows = in_training("feature_frechet_in_training", "fm_ot", [4, 2, 1, 3])
    rows += in_training("feature_frechet_in_training", "fm_vp", [8, 4, 4, 2])
    rows += in_training("feature_frechet_in_training", "score_vp", [16, 5, 8, 8])
    assert answers(claims.frechet_in_training_ot_to_diffusion(table(rows))) == pytest.approx([1.5])
    assert answers(claims.frechet_in_training_diffusion_to_score(table(rows))) == pytest.approx([0.8])


def test_a_rise_is_against_the_state_before_and_both_must_rise():
    rows = in_training("feature_frechet_in_training", "score_vp", [8, 4, 6, 2])
    rows += in_training("feature_frechet_in_training", "scoreflow_vp", [8, 10, 4, 2])
    assert answers(claims.frechet_rise_in_training(table(rows))) == pytest.approx([1.25])
    falling = in_training("feature_frechet_in_training", "scoreflow_vp", [8, 4, 2, 1])
    assert answers(claims.frechet_rise_in_training(table(rows[:4] + falling))) == pytest.approx([0.5])


def test_the_span_of_the_cost_leaves_out_the_first_tenth():
    rows = in_training("nfe_in_training", "fm_ot", [900, 10, 12, 11]) + in_training("nfe_in_training", "fm_vp", [1, 90, 100, 120])
    rows += in_training("nfe_in_training", "score_vp", [1, 100, 300, 200])
    assert answers(claims.nfe_spread_in_training_flow_matching(table(rows))) == pytest.approx([4 / 3])
    assert answers(claims.nfe_spread_in_training_score_to_flow_matching(table(rows))) == pytest.approx([3 / (4 / 3)])


def test_upsampling():
    rows = [cell("upsampling", "psnr", method, v) for method, v in (("fm_ot", 20), ("regression", 23))]
    rows += [cell("upsampling", "feature_frechet", method, v, floor=0.2) for method, v in (("fm_ot", 1), ("regression", 4))]
    assert answers(claims.upsampling_psnr_lead_of_regression(table(rows))) == [3]
    assert answers(claims.upsampling_frechet_ratio(table(rows))) == [0.25]


def board(metric, method, value, **more):
    return cell("toy_2d", metric, method, value, dataset="checkerboard", **more)


def test_likelihoods_on_the_board_against_flow_matching_on_the_same_path():
    rows = [board("nll", m, v) for m, v in (("fm_vp", 3.6), ("ddpm_vp", 3.7), ("scoreflow_vp", 4.0), ("fm_ot", 9.0))]
    assert answers(claims.board_nll_ddpm_less_flow_matching(table(rows))) == pytest.approx([0.1])
    assert answers(claims.board_nll_scoreflow_less_flow_matching(table(rows))) == pytest.approx([0.4])


def test_few_evaluations_on_the_board_are_four_and_eight_each():
    def rows(at_4, at_8):
        cells = {4: at_4, 8: at_8, 20: (9.0, 1.0)}
        return [
            board("off_board", m, v, variant=solver, at=nfe, floor=0.0)
            for nfe, values in cells.items()
            for solver in ("midpoint", "dopri5")
            for m, v in zip(("fm_ot", "fm_vp"), values if solver == "midpoint" else (5.0, 1.0))
        ]

    assert answers(claims.low_nfe_off_board_ratio(table(rows((0.2, 0.4), (0.1, 0.4))))) == pytest.approx([0.5])
    assert answers(claims.low_nfe_off_board_ratio(table(rows((0.2, 0.4), (0.6, 0.4))))) == pytest.approx([1.5])


def test_the_pattern_must_show_half_way_and_at_three_quarters():
    def rows(half, later):
        return [
            cell("exact_paths", "marginal_off_board", m, v, at=time)
            for time, values in ((0.25, (9, 1)), (0.5, half), (0.75, later), (0.9, (9, 1)))
            for m, v in zip(("fm_ot", "fm_vp"), values)
        ]

    assert answers(claims.midway_off_board_ratio(table(rows((0.4, 0.8), (0.1, 0.8))))) == pytest.approx([0.5])
    assert answers(claims.midway_off_board_ratio(table(rows((0.4, 0.8), (0.8, 0.4))))) == pytest.approx([2.0])


def test_paths_without_a_network():
    rows = [
        cell("exact_paths", metric, method, value)
        for metric, values in {"direction_cosine": (1.0, 0.3), "straightness": (2.0, 8.0), "overshoot_share": (0.0, 0.4)}.items()
        for method, value in zip(("fm_ot", "fm_vp"), values)
    ]
    assert answers(claims.direction_cosine_ot(table(rows))) == [1.0]
    assert answers(claims.direction_cosine_diffusion(table(rows))) == [0.3]
    assert answers(claims.straightness_ratio(table(rows))) == [0.25]
    assert answers(claims.overshoot_diffusion_less_ot(table(rows))) == [0.4]


def test_noise_is_read_off_the_networks_paths():
    rows = [
        cell("solver_error", metric, method, value)
        for metric, values in {"noise_left_deviation": (0.05, 0.4), "noise_left_halfway": (0.5, 0.8)}.items()
        for method, value in zip(("fm_ot", "fm_vp"), values)
    ]
    assert answers(claims.ot_deviation_from_linear_images(table(rows))) == [0.05]
    assert answers(claims.diffusion_noise_left_over_ot_images(table(rows))) == pytest.approx([1.6])


def test_a_gap_that_is_noise_has_slope_minus_one_half_and_a_bias_has_not():
    noise = [cell("gradients", "gradient_gap", "fm_ot", n**-0.5, n=n, at=n) for n in (100, 400, 1600)]
    biased = [cell("gradients", "gradient_gap", "fm_vp", 0.1 + n**-0.5, n=n, at=n) for n in (100, 400, 1600)]
    assert answers(claims.gradient_gap_slope_ot(table(noise))) == pytest.approx([-0.5])
    assert answers(claims.gradient_gap_slope_diffusion(table(biased)))[0] > -0.3


def test_theorems_are_judged_by_the_worst_path():
    rows = [
        cell("theorems", metric, method, value)
        for metric, values in {"continuity_residual": (1e-14, 1e-3, 1e-15), "conditional_flow_gap": (1e-14, 1e-15, 1e-2)}.items()
        for method, value in zip(("fm_ot", "fm_vp", "fm_ve"), values)
    ]
    assert answers(claims.marginal_field_residual(table(rows))) == [1e-3]
    assert answers(claims.conditional_field_gap(table(rows))) == [1e-2]


def test_published_numbers():
    rows = [
        cell("published_numbers", "training_images", m, v, dataset="imagenet128")
        for m, v in (("fm_ot", 7.0), ("guided_diffusion", 10.0))
    ]
    assert answers(claims.training_images_ratio(table(rows))) == pytest.approx([0.7])
    gaps = [cell("published_numbers", "table_gap", "fm_vp", v, dataset=d) for d, v in (("cifar10", 0.01), ("imagenet32", 0.03))]
    assert answers(claims.largest_table_gap(table(gaps))) == [0.03]
    rows = [
        cell("table1", metric, "fm_ot", v, dataset=d) for metric, v in (("fid", 20.9), ("nll", 2.9)) for d in ("imagenet128",)
    ]
    rows += [cell("table1", metric, "fm_ot", 1.0, dataset="cifar10") for metric in ("fid", "nll")]
    assert answers(claims.imagenet128_fid(table(rows))) == [20.9] and answers(claims.imagenet128_nll(table(rows))) == [2.9]


def test_what_was_not_measured_is_missing():
    with pytest.raises(MissingRows):
        claims.training_images_ratio(table([cell("table1", "nfe", "fm_ot", 60)]))


def test_with_two_image_sets_claims_are_judged_on_the_papers():
    rows = [
        cell("table1", "nfe", method, value, dataset=dataset)
        for dataset, values in {"cifar10": (60, 80), "fashion_mnist": (50, 100)}.items()
        for method, value in zip(("fm_ot", "fm_vp"), values)
    ]
    assert answers(claims.nfe_ratio_ot_to_diffusion(table(rows).assign(level="gpu"))) == [0.75]
    only = [row for row in rows if row["dataset"] == "fashion_mnist"]
    assert answers(claims.nfe_ratio_ot_to_diffusion(table(only).assign(level="gpu"))) == [0.5]


def test_ratios_and_ranks_of_sample_quality():
    five = {"fm_ot": [2.0], "fm_vp": [1.0], "score_vp": [4.0], "ddpm_vp": [1.5], "scoreflow_vp": [9.0]}
    rows = [*table1("feature_frechet", five, floor=0.1), cell("table1", "feature_frechet", "data", 0.1, floor=0.1)]
    assert answers(claims.rank_frechet(table(rows))) == [3], "data and noise are no rivals"
    found = claims.frechet_ratio_diffusion_to_score(table(rows))
    assert answers(found) == [0.25] and found["excess"].tolist() == pytest.approx([3.9])


def test_the_spread_of_evaluations_needs_two_data_sets():
    rows = [
        cell("table1", "nfe", method, value, dataset=dataset)
        for dataset, values in {"cifar10": (60, 90, 100, 50), "fashion_mnist": (50, 100, 300, 200)}.items()
        for method, value in zip(("fm_ot", "fm_vp", "score_vp", "scoreflow_vp"), values)
    ]
    # the paper has this size for one method alone
    rows.append(cell("table1", "nfe", "fm_ot", 55, dataset="imagenet128"))
    assert answers(claims.nfe_spread_flow_matching(table(rows))) == pytest.approx([1.2])
    assert answers(claims.nfe_spread_score_matching(table(rows))) == [3.0]
    assert answers(claims.nfe_spread_scoreflow(table(rows))) == [4.0]
    with pytest.raises(MissingRows, match="a second image data set"):
        claims.nfe_spread_flow_matching(table([row for row in rows if row["dataset"] == "cifar10"]))
