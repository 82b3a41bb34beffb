import pytest

from common.runs.entries import entries
from common.runs.plan import runs_of
from common.runs.settings import resolve
from replications.survey import sizes

PACKAGE = "replications.survey"
FILE = """
from common.dynamics.paths import vp
from common.learning.objectives import Objective


def step(model, x, t, t_next, noise):
    return model.denoised(x, t), x


STEPS = {"mine": step, "other": step}
OBJECTIVES = {"own": Objective(vp(), "noise", "one")}
"""


def settings_of(experiment, level, *overrides):
    return resolve(PACKAGE, experiment, level, overrides)


def is_size(found, calls, samples):
    return (found.calls, found.samples) == (pytest.approx(calls), pytest.approx(samples))


def alone(settings):
    """Return the settings of `learned` without the training set's exact score."""
    return settings.model_copy(update={"empirical": {}})


@pytest.mark.parametrize("level", ["laptop", "gpu"])
def test_every_experiment_has_a_size(level):
    for experiment, entry in entries(PACKAGE).items():
        for run in runs_of(PACKAGE, experiment, level, [0], entry.model_copy(update={"extra": ""}))[:1]:
            found = getattr(sizes, experiment)(settings_of(experiment, level, *(f"{key}={it}" for key, it in run.values.items())))
            assert found.calls > 0 and found.samples > 0


def test_cells_have_their_budgets():
    """Of a network of all times every sampler at each budget: Euler-Maruyama and DDIM at 5, RK45 at its tolerance."""
    settings = settings_of("learned_2d", "smoke", "objectives=[fm_ot]", "budgets.tolerances={rk45: [1.0]}")
    assert is_size(sizes.learned_2d(settings), 5 + 5 + 10, 50 * (5 + 5 + 10))


def test_a_network_of_noise_levels_runs_the_cells_that_it_can():
    """Ten levels: DDIM at no more evaluations than these, RK45 at no tolerance."""
    budgets = "budgets={samplers: [ddim, rk45], nfe: [5, 10, 20], tolerances: {rk45: [0.1]}, choices: {snr: {}}}"
    settings = settings_of("learned", "laptop", "objectives=[ncsn]", budgets)
    assert is_size(sizes.learned(alone(settings)), 15, 15 * 150)


def test_models_and_batches_add_up():
    one, three, split = (
        settings_of("learned", "laptop", f"objectives=[{of}]", f"batch={batch}")
        for of, batch in (("fm_vp", 1000), ("fm_vp, ddpm_vp, fm_vp", 1000), ("fm_vp", 50))
    )
    found = sizes.learned(alone(one))
    assert is_size(sizes.learned(alone(three)), 3 * found.calls, 3 * found.samples)
    assert is_size(sizes.learned(alone(split)), 3 * found.calls, found.samples)
    oracle = sizes.learned(one.model_copy(update={"objectives": []}))
    assert oracle.samples > 0
    assert is_size(sizes.learned(one), found.calls + oracle.calls, found.samples + oracle.samples)


def test_a_mixture_costs_by_modes_and_dimensions_and_its_comparison_by_frequencies():
    """A velocity alone on no path runs Euler of the samplers asked, and a solve ends where it ends on a path."""
    budgets = "budgets={samplers: [euler, ddim], nfe: [20], tolerances: {}, choices: {snr: {}}}"
    found = sizes.exact(settings_of("exact", "gpu", "dimensions=[16]", "paths=[ot]", budgets))
    flow, cells = sizes.solve(1e-7), 3
    assert is_size(found, flow + 20 * cells + cells, 20_000 * 16 * (5 * (flow + 20 * cells) + 256 * cells))


def test_gradients_states_and_likelihoods_of_a_training_add_up():
    """Digits: 8 bins and 8 batches at two states, 20 evaluations at 5 states; 3 likelihoods of 20 images in 64 dimensions."""
    settings = settings_of("training_side", "laptop", "objectives=[fm_ot]")
    gradients, sampled, nodes, solved = 3 * 2 * 8 * 8, 5 * 20, 24, 100
    expected = gradients * 32 + sampled * 300 + 3 * 20 * (solved + nodes * 64)
    assert is_size(sizes.training_side(settings), gradients + sampled + 3 * (solved + nodes), expected)


def test_a_single_noise_level_has_no_samples():
    one = settings_of("training_side", "laptop", "objectives=[ncsn_single]", "weighted=[]")
    assert is_size(sizes.training_side(one), 3 * 2 * 8, 3 * 2 * 8 * 32)


def test_a_network_of_ten_noise_levels_is_sampled_over_these():
    ten = settings_of("training_side", "laptop", "objectives=[ncsn]", "weighted=[]", "nfe=20")
    gradients = sizes.training_side(ten.model_copy(update={"states": []}))
    found = sizes.training_side(ten)
    assert is_size(found, gradients.calls + 5 * 10, gradients.samples + 5 * 10 * 300)


def test_points_of_the_identities_are_work_and_no_calls():
    few, many = (sizes.identities(settings_of("identities", level)) for level in ("laptop", "gpu"))
    assert is_size(many, few.calls, 10 * few.samples)


def test_own_objectives_run_as_learned_and_own_samplers_on_every_model(tmp_path):
    (tmp_path / "mine.py").write_text(FILE)
    more = ["budgets.samplers=[ddim]", "budgets.nfe=[5, 10]", "budgets.more={}", "batch=150"]
    found = sizes.bring_your_own(settings_of("bring_your_own", "laptop", f"file={tmp_path / 'mine.py'}", *more))
    models = 1 + 8 + 1
    assert is_size(found, 15 * (1 + 2 * models), 150 * 15 * (1 + 2 * models))
    without = sizes.bring_your_own(settings_of("bring_your_own", "laptop", *more))
    assert is_size(without, 15 * (1 + models), 150 * 15 * (1 + models))
