"""Sizes of Neural ODEs' experiments against counts by hand."""

import pytest

from common.runs.settings import experiments, resolve
from replications.neural_ode import sizes
from replications.neural_ode.sizes import dopri5

PACKAGE = "replications.neural_ode"


def size_of(experiment, *overrides, level="laptop"):
    return getattr(sizes, experiment)(resolve(PACKAGE, experiment, level, overrides))


@pytest.mark.parametrize("level", ["smoke", "laptop", "gpu", "paper"])
@pytest.mark.parametrize("experiment", experiments(PACKAGE))
def test_every_experiment_has_a_size(experiment, level):
    found = size_of(experiment, level=level)
    assert found.calls > 0
    assert found.samples > 0


def test_a_thousandth_of_the_tolerance_takes_four_times_the_steps():
    assert dopri5(1e-5) == 2 + 6 * 4
    assert dopri5(1e-8) == 2 + 6 * 14


def test_a_density_costs_a_solve_for_each_cnf_beside_a_training_of_all_of_them():
    # nine CNFs; a trained sample is evaluated at four stages of every step
    plain = size_of("density_matching", "samples=1000", "solver_steps=4", "tolerance=1e-5")
    assert plain.calls == 9 * 26 / 16
    assert plain.samples == 1000 * 26 / 16
    double = size_of("density_matching", "samples=2000", "solver_steps=4", "tolerance=1e-5")
    assert (double.calls, double.samples) == (plain.calls, 2 * plain.samples)
    finer = size_of("density_matching", "samples=1000", "solver_steps=8", "tolerance=1e-5")
    assert (finer.calls, finer.samples) == (plain.calls / 2, plain.samples / 2)


def test_a_classifier_is_tested_batch_by_batch_and_its_probe_solved_at_a_tolerance_of_its_own():
    chosen = ["tolerance=1e-5", "probe_tolerance=1e-8", "probe_images=10", "test_batch=200"]
    found = size_of("train_classifier", "kind=ode_net", *chosen)
    # 450 digits
    assert found.calls == (3 * 26 + 86) / 26
    assert found.samples == pytest.approx(450 + 10 * 86 / 26)
    assert size_of("train_classifier", "kind=resnet", *chosen).samples == 450


def test_control_counts_solvers_losses_tolerances_and_turns():
    few = ["images=1", "timed_images=1", "reference_tolerance=1e-5", "tolerances=[1e-5, 1e-8]", "gradient_tolerance=1e-5"]
    found = size_of("solver_control", *few, "repeats=4", "solvers=[dopri5, vode, lsoda]", "backward_tolerances=[1e-5]")
    forward, turns = 26 + 86, 5
    # of three solvers, with two losses each, a solve and an adjoint's; timed gradients by the adjoint and through the solver
    assert found.samples == 26 + forward + 3 * 2 * 26 * (1 + 3) + turns * (forward + 26 * (1 + 3 + 3))


def test_events_are_read_off_all_nodes_of_both_solves():
    plain = size_of("poisson_events", "judged_steps=100", "solver_steps=10", "test_sequences=50", "train_sequences=5")
    assert plain.calls == 4 * 110 / 40
    assert plain.samples == 50 * (110 + 30) / (5 * 25)


def test_practice_counts_both_ways_of_keeping_and_both_ways_of_a_solve():
    chosen = ["images=1", "steps=[2, 3]", "output_times=[2, 4]", "test_tolerances=[1e-5]", "test_batch=450"]
    found = size_of("solver_practice", *chosen, "batches=[1, 10]", "batch_tolerances=[1e-5]", "reverse_tolerances=[1e-5, 1e-8]")
    # Euler steps of two methods and of two solves; there and back; all digits; ten images alone, then one and ten together
    assert found.samples == 2 * 5 + 32 + 34 + 2 * (26 + 86) + 450 * 26 + (10 + 1 + 10) * 26


def test_samples_and_grids_of_maximum_likelihood():
    chosen = ["test_points=100", "tolerance=1e-5", "tight_tolerance=1e-8", "solver_steps=4", "grid=10"]
    found = size_of("maximum_likelihood", *chosen)
    # three solves at either tolerance, one of 1500 particles, and from each of the six times to the base
    assert found.samples == pytest.approx((100 * 3 * (26 + 86) + 1500 * 26 + 100 * 3.05 * 26) / 16)
    assert found.calls == pytest.approx(2 * (3 * (26 + 86) + 26 + 3.05 * 26) / 16)


def test_forecasts_by_every_state_of_the_rivals():
    chosen = ["observations=[100]", "train_series=1", "validation_series=10", "test_series=1", "rnn.snapshots=4"]
    # two ways, of two networks where the encoder is one of three
    assert size_of("latent_spirals", *chosen).samples == pytest.approx((2 * 41 * 200 * 2 / 3 + 2 * 100 / 3) / 100)


def test_a_wide_layer_costs_the_cube_of_its_width():
    chosen = ["widths=[1, 2]", "batch=1", "grid=1", "points=1", "repeats=3"]
    small, large = (size_of("change_of_variables", *chosen, f"layer_widths=[10, {width}]").samples for width in (20, 40))
    assert large - small == 4 * (40**3 - 20**3)
