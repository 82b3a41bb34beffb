"""Sizes of FFJORD's experiments and the trainings of its runs against counts by hand."""

import pytest

from common.runs.settings import experiments, resolve
from replications.ffjord import sizes

PACKAGE = "replications.ffjord"
SETS = {"densities_2d": ["data=eight_gaussians"]}


def size_of(experiment, *overrides, level="laptop"):
    return getattr(sizes, experiment)(resolve(PACKAGE, experiment, level, overrides))


def trainings_of(experiment, *overrides, level="laptop"):
    return sizes.TRAININGS[experiment](resolve(PACKAGE, experiment, level, overrides))


@pytest.mark.parametrize("level", ["smoke", "laptop", "gpu", "paper"])
@pytest.mark.parametrize("experiment", experiments(PACKAGE))
def test_every_experiment_has_a_size(experiment, level):
    found = size_of(experiment, *SETS.get(experiment, []), level=level)
    assert found.calls > 0
    assert found.samples > 0


def test_estimates_and_solves_are_added_up():
    chosen = ["dimensions=4", "widths=[2, 3]", "matrices=5", "probes=7", "points=1", "flow.hidden=[10]"]
    chosen += ["solver.rtol=1e-5", "solver.atol=1e-5"]
    found = size_of("estimators", *chosen, "solves=11")
    # two noises; both orders of the factors; a probe's product beside the value's, through 2-10-2
    assert found.samples == 2 * 5 * 7 * (16 + 4 + 16 + 9) + 2 * 11 * 26 * 2 * 40
    assert found.calls == 2 * 2 * 2 + 2 * 11 * 26


def test_the_exact_trace_takes_a_product_for_every_dimension():
    chosen = ["dimensions=[3]", "points=100", "flow.hidden=[10]"]
    tight = [f"{solver}.{key}=1e-5" for solver in ("solver", "counted") for key in ("rtol", "atol")]
    found = size_of("dimension", *chosen, *tight)
    # before and after: a gradient by a probe is what a training does, 3 x 2 products; the exact trace takes 1 + 3
    assert found.samples == pytest.approx(2 * 100 * (6 + 4) / 6)
    assert found.calls == 2 * 2 * 26 / (3 * 26)


def test_table_rows_are_solved_chunk_by_chunk_and_no_more_than_there_are():
    chosen = ["data=breast_cancer", "validation_rows=10", "chunk=50", "solver.rtol=1e-5", "test_solver.rtol=1e-5", "probes=4"]
    rows = {n: size_of("tables", *chosen, f"test_rows={n}") for n in (50, 100, 114, 1000)}
    assert rows[1000] == rows[114]
    # two states with the exact trace, four tests with probes, two states of rivals of 10, 10 and 5 layers: a chunk more of each
    assert rows[100].calls - rows[50].calls == pytest.approx(((2 + 4) * 26 + 2 * 25) / (3 * 26))
    exact, probed, evaluation = 2 * (1 + 21), 4 * 2, 2 * 21 * 64
    couplings = 2 * 10 * (10 * 64 + 64 * 64 + 64 * 21) + 10 * 21 * 21
    maf = 5 * (21 * 64 + 64 * 64 + 64 * 42)
    both, trained = (exact + probed) * 26 * evaluation + 2 * (couplings + maf), 3 * 2 * 26 * evaluation
    assert rows[100].samples - rows[50].samples == pytest.approx(50 * both / trained)


def test_an_image_is_solved_by_every_probe_of_every_model():
    none = ["exact_images=0", "watched_images=1", "kept_images=1", "samples=1", "batch=10"]
    alike = "models.single_scale.flow={shape: [1, 8, 8], widths: [12, 12], scales: null}"
    ten, twenty = (size_of("images", *none, alike, "probes=3", f"test_images={n}") for n in (10, 20))
    # the laptop's evaluation at 1e-4 takes 2 + 6 x 3 evaluations, its training's two steps eight and the way back
    assert twenty.samples - ten.samples == pytest.approx(2 * 10 * (3 * 20 + 8) / (3 * 8))
    assert twenty.calls - ten.calls == pytest.approx(2 * (3 * 20 + 8) / (3 * 8))


def test_a_flow_on_images_has_a_field_before_and_after_each_squeeze():
    small = sizes._once(resolve(PACKAGE, "images", "laptop").models["multiscale"].flow)
    assert small.calls == 3
    # on 64 pixels twice, then on half of them, nine weights from every channel to every other
    on_whole, squeezed = 64 * 9 * (12 + 144 + 12), 16 * 9 * (4 * 12 + 144 + 12 * 4)
    last, of_time = 16 * 9 * (2 * 12 + 144 + 12 * 2), 9 * (64 * 25 + 16 * 28 + 16 * 26)
    assert small.samples == on_whole + squeezed + last + of_time


def test_posteriors_cost_their_coders_and_their_solves():
    chosen = ["latent=4", "coders={kind: mlp, hidden: [20]}", "train.snapshots=3", "test_draws=5", "test_batch=450"]
    for name in ("ffjord", "hypernetwork"):
        chosen.append(f"posteriors.{name}={{kind: ffjord, flows: 2, hidden: [10], rank: 0, amortisation: low_rank}}")
    found = size_of("posteriors", *chosen)
    coders, field = 64 * 20 + 20 * 64 + 4 * 20, 2 * 4 * 10
    images = 3 * 200 + 5 * 450
    whole = 4 * coders + 2 * (coders + 2 * 26 * (1 + 4) * field)
    # a training of the first, which has no flow
    assert found.samples == pytest.approx(images * whole / (3 * coders))
    assert found.calls == pytest.approx((3 + 5) * (6 + 2 * 2 * 26) / 3)


def test_trainings_by_dimension_model_and_posterior():
    assert [each.steps for each in trainings_of("dimension", "dimensions=[2, 4, 8, 16]", "train.steps=7")] == [7] * 4
    assert len(trainings_of("images", level="gpu")) == 6
    assert len(trainings_of("posteriors")) == 6


def test_a_density_trains_its_rivals_first_and_ffjord_once_more_with_weight_decay():
    steps = ["train.steps=7", "coupling_train.steps=5"]
    assert [each.steps for each in trainings_of("densities_2d", "data=eight_gaussians", *steps)] == [5, 5, 7, 7]
    assert [each.steps for each in trainings_of("densities_2d", "data=checkerboard", *steps)] == [5, 5, 7]


def test_a_grid_is_summed_in_two_precisions_at_every_tolerance():
    found = size_of("solver_error", "points=10", "tolerance=1e-5", "tolerances=[1e-5, 1e-4]")
    assert found.samples == pytest.approx(10 * 2 * (26 + 20) / (3 * 26))


def test_every_flow_on_the_plane_is_asked_for_points_cells_and_samples():
    one, two = 2 * 10, 1 * 5 + 5 * 2  # of a field with ten units, of a coupling with five
    chosen = ["data=eight_gaussians", "flow.hidden=[10]", "tolerance=1e-5", "tolerances=[1e-5]", "inverted=7", "counted=3"]
    chosen += ["couplings={real_nvp: {layers: 4, hidden: [5]}, glow: {layers: 4, hidden: [5], linear: false}}"]
    found = size_of("densities_2d", *chosen, "test_points=100", "grid=6", "samples=50", "train.snapshots=2")
    # two FFJORDs: test points twice and cells with the exact trace, samples without one, three gradients; one goes there and back
    each = 3 * (2 * 100 + 36) + 50 + 3 * 3 * 3 * 3
    rivals = 2 * 4 * two * (4 * 100 + 36 + 50)
    assert found.samples == pytest.approx(((2 * each + 7 * (2 + 2 * 3)) * 26 * 2 * one + rivals) / (3 * 4 * two))
