"""The sizes of Gotta Go Fast's experiments against counts by hand."""

import pytest
from sized import is_size

from common.evaluation.size import solve
from common.runs.settings import resolve
from replications.gotta_go_fast import sizes
from replications.gotta_go_fast.sizes import chosen

PACKAGE = "replications.gotta_go_fast"


def resolved(experiment, *overrides, level="laptop"):
    return resolve(PACKAGE, experiment, level, overrides)


def few_models(*names, level="laptop", experiment="learned"):
    """Return settings of the learned samplers on some of their models."""
    changed = ("samples=100", "batch=50", "full=500", "corrected=300", "tolerances=[0.1, 0.01]", "ablations=[default, lamba]")
    more = ("ablation_samples=40", "ablation_tolerance=0.1", "states=[0.5]", "state_tolerance=0.05", "flow_tolerance=1.0e-5")
    settings = resolved(experiment, *changed, *more, "shelf={srk: [0.1, 0.02]}", level=level)
    return settings.model_copy(update={"models": {name: settings.models[name] for name in names}})


def by_hand(methods):
    """Return the size of one such model with so many samplers at every tolerance."""
    wide = 500 + 300 + solve(1e-5) + methods * (chosen(0.1) + chosen(0.01)) + chosen(0.1) + chosen(0.02)
    narrow = 2 * chosen(0.1) + 2 * chosen(0.05)
    return 2 * wide + narrow, 100 * wide + 40 * narrow


def test_learned_by_path():
    assert is_size(sizes.learned(few_models("score_ve")), *by_hand(2))
    assert is_size(sizes.learned(few_models("ddpm_vp")), *by_hand(3))
    both = [one + other for one, other in zip(by_hand(2), by_hand(3))]
    assert is_size(sizes.learned(few_models("ddpm_vp", "score_ve")), *both)


def test_published_is_measured_as_the_learned_are():
    for name, methods in (("ncsnpp_ve", 2), ("ddpmpp_deep_vp", 3)):
        assert is_size(sizes.published(few_models(name, level="paper", experiment="published")), *by_hand(methods))


def test_no_states_take_nothing():
    settings = few_models("score_ve")
    less = sizes.learned(settings.model_copy(update={"states": []}))
    assert sizes.learned(settings).samples - less.samples == pytest.approx(2 * chosen(0.05) * 40)


def test_fewer_samples_are_never_more_than_all():
    settings = few_models("score_ve").model_copy(update={"ablation_samples": 1000})
    assert sizes.learned(settings) == sizes.learned(settings.model_copy(update={"ablation_samples": 100}))


def test_toy():
    changed = ("samples=20", "few=10", "dim=32", "tolerances=[0.1, 0.5]", "full=100", "ablations=[default]", "dimensions=[8, 32]")
    more = ("sigma_maxes=[50, 380]", "sigma_tolerances=[0.1]", "ablation_tolerance=0.1", "dimension_tolerance=0.1")
    settings = resolved("exact_toy", *changed, *more).model_copy(update={"shelf": {"srk": [0.3, 0.1], "heun": [0.1]}})
    by_tolerance, shelf = chosen(0.1) + chosen(0.5), chosen(0.3) + 2 * chosen(0.1)
    # three samplers at each tolerance on VP, two on VE; three of the shelf on VP alone
    wide = 2 * (100 + solve(1e-5)) + (3 + 2) * by_tolerance + 2 * (100 + 2 * chosen(0.1))
    narrow = 2 * chosen(0.1) + shelf
    by_dimension = 2 * chosen(0.1)
    found = sizes.exact_toy(settings)
    assert found.samples == pytest.approx(wide * 20 * 32 + narrow * 10 * 32 + by_dimension * 10 * (8 + 32))
    assert found.calls == pytest.approx(wide + narrow + 2 * by_dimension)
    on_both = sizes.exact_toy(settings.model_copy(update={"shelf_on": ["vp", "ve"]}))
    assert on_both.samples - found.samples == pytest.approx(shelf * 10 * 32)


def test_a_smaller_tolerance_takes_more():
    assert chosen(0.01) == pytest.approx(10 * chosen(1))
    assert 60 < chosen(0.5) < 70
