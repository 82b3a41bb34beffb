import pytest

from common.runs.entries import entries
from common.runs.plan import runs_of
from common.runs.settings import resolve
from replications.flow_matching import sizes

PACKAGE = "replications.flow_matching"
LEVELS = ("smoke", "laptop", "gpu", "paper")
SOLVE = 100  # evaluations at tolerance 1e-5


def settings_of(experiment, level, *overrides):
    return resolve(PACKAGE, experiment, level, overrides)


def is_size(found, calls, samples):
    return (found.calls, found.samples) == (pytest.approx(calls), pytest.approx(samples))


@pytest.mark.parametrize("level", LEVELS)
def test_every_run_has_a_size(level):
    for experiment, entry in entries(PACKAGE).items():
        for run in runs_of(PACKAGE, experiment, level, [0], entry):
            found = getattr(sizes, experiment)(settings_of(experiment, level, *(f"{key}={it}" for key, it in run.values.items())))
            assert found.calls > 0 and found.samples > 0


def test_a_solve_needs_ten_times_as_many_evaluations_for_five_digits():
    assert sizes.solve(1e-5) == pytest.approx(SOLVE)
    assert sizes.solve(1.0) == pytest.approx(SOLVE / 10)


def test_exact_fields_are_asked_by_solves_and_grids_and_by_every_pair_of_a_finite_set():
    solves = SOLVE + SOLVE * 10 ** (1 / 5)
    assert is_size(sizes.exact_paths(settings_of("exact_paths", "laptop")), solves + 100 + 140, 256 * (solves + 100 + 140))
    assert is_size(sizes.theorems(settings_of("theorems", "laptop")), 1, 1000 * 64)
    assert is_size(sizes.gradients(settings_of("gradients", "laptop")), 4 * 40, 40 * (64 + 256 + 1024 + 4096))


def test_the_table_takes_samples_and_every_draw_of_test_images():
    """Digits: exact divergences in 64 dimensions; 300 images once, 25 of them three times more; 5 models."""
    items, nodes = 300 + 3 * 25, 24
    expected = 5 * (1000 * SOLVE + items * SOLVE + nodes * 64 * items)
    assert is_size(sizes.table1(settings_of("table1", "laptop")), 5 * (2 * SOLVE + SOLVE + nodes), expected)


def test_an_estimated_divergence_costs_a_product_at_every_evaluation_and_allows_one_draw():
    found = sizes.table1(settings_of("table1", "gpu", "data=cifar10"))
    assert is_size(found, 5 * (20 * SOLVE + 2 * 2 * SOLVE), 5 * (10_000 * SOLVE + 2 * SOLVE * 1000))


def test_more_samples_are_more_work_and_as_many_calls_where_they_are_solved_together():
    once = sizes.solver_error(settings_of("solver_error", "laptop"))
    twice = sizes.solver_error(settings_of("solver_error", "laptop", "samples=2000"))
    fixed = (8 + 12 + 20) * 2 + (8 + 12 + 20 + 40 + 60 + 100)
    assert twice.calls == once.calls
    assert twice.samples - once.samples == pytest.approx(3 * 1000 * fixed)


def test_batches_are_calls_of_their_own():
    found = sizes.upsampling(settings_of("upsampling", "laptop", "batch=225"))
    assert is_size(found, 2 * (SOLVE + 1), 450 * (SOLVE + 1))


def test_states_of_a_training_are_those_at_a_constant_rate_of_the_level_that_has_the_data():
    assert [sizes.kept_states(data) for data in ("digits", "cifar10", "imagenet64")] == [8, 10, 10]


def test_states_are_judged_in_turn_and_counted_each_for_fewer_objectives():
    found = sizes.during_training(settings_of("during_training", "laptop", "sampling_tolerance=1e-5"))
    assert is_size(found, 5 * 4 * 2 * SOLVE + 3 * 8 * SOLVE, 5 * 4 * 1000 * SOLVE + 3 * 8 * 100 * SOLVE)


def test_objectives_multiply_all_that_is_done_with_a_model():
    five, one = (sizes.toy_2d(settings_of("toy_2d", "laptop", *more)) for more in ([], ["objectives=[fm_ot]"]))
    assert is_size(five, 5 * one.calls, 5 * one.samples)


def test_upsampling_trains_two_networks_and_no_other_experiment_any():
    found = settings_of("upsampling", "paper")
    assert sizes.TRAININGS["upsampling"](found) == [found.train] * 2
    assert set(sizes.TRAININGS) == {"upsampling"}
