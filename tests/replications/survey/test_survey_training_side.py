"""Objectives by their trainings, on untrained networks: whose weights are asked, what is measured, what ends in a row."""

import math

import pytest
from ncsnv2_stand_ins import STATES
from survey_stand_ins import SECONDS, context_of, small_data

from common.errors import SettingsError
from common.learning.models import load_denoiser
from common.runs.entries import entries
from common.runs.levels import LEVELS
from common.runs.settings import resolve
from replications.survey.experiments import training_side

PACKAGE = "replications.survey"
SMALL = [
    "batches=2",
    "batch=4",
    "samples=4",
    "test_images=2",
    "nodes=3",
    "tolerance=1",
    "states=[0.5, 1]",
    "early=0.5",
    "nfe=3",
    "edges=[0, 0.3, 1]",
]


def by(rows, metric, *labels):
    found = [row for row in rows if row["metric"] == metric]
    keys = [tuple(row.get(label) for label in labels) for row in found]
    assert len(set(keys)) == len(keys), f"{metric} twice"
    return dict(zip(keys, found))


@pytest.fixture
def run_of(tmp_path, monkeypatch):
    small_data(monkeypatch)
    monkeypatch.setattr(training_side, "find_weights", lambda what: None)

    def run(level, *overrides):
        settings = resolve(PACKAGE, "training_side", level, [*SMALL, *overrides])
        training_side.check(settings)
        context = context_of("training_side", level, tmp_path)
        return settings, context, training_side.run(settings, context)

    return run


@pytest.mark.parametrize(
    ("level", "data"), [("smoke", "digits"), ("gpu", "fashion_mnist"), ("gpu", "cifar10"), ("paper", "cifar10")]
)
def test_a_run_of_every_level(level, data, run_of):
    settings, _, outcome = run_of(level, f"data={data}")
    rows, objectives = outcome.rows, set(settings.objectives)
    measured = [row for row in rows if row.get("status") != "refused"]
    assert all(math.isfinite(row["value"]) for row in measured) and {row["dataset"] for row in rows} == {data}
    assert {method for method, _ in by(rows, "gradient_noise_total", "method", "variant")} == objectives
    assert {variant for _, variant in by(rows, "noise_scale", "method", "variant")} == {"early", "trained"}
    shares = by(rows, "gradient_noise_share", "method", "variant", "at")
    for method in objectives:
        of_method = [row for key, row in shares.items() if key[:2] == (method, "early")]
        assert sum(row["value"] for row in of_method) == pytest.approx(1) == sum(row["floor"] for row in of_method)
    curves = by(rows, "feature_frechet", "method", "at")
    assert {method for method, at in curves if at == 4} == objectives
    assert all(curves[method, 2]["seconds"] == SECONDS / 2 and curves[method, 4]["seconds"] == SECONDS for method in objectives)
    images = STATES["steps"] * STATES["batch"]
    for metric, expected in {"parameters": 7, "training_rate": images / SECONDS, "training_memory": 300}.items():
        assert [row["value"] for row in by(rows, metric, "method").values()] == [expected] * len(objectives)
    assert {row["floor"] > 0 for row in measured if row["metric"] == "feature_frechet"} == {True}
    assert {method for (method,) in by(rows, "nll", "method")} == {*settings.weighted, "uniform"}
    assert len(by(rows, "nll_difference", "method", "variant")) == 3
    assert outcome.arrays["samples_fm_ot"].dtype == "float16"


def test_one_level_is_refused(run_of):
    _, _, outcome = run_of("smoke", "objectives=[ncsn_single, fm_ot]")
    refused = [row for row in outcome.rows if row.get("status") == "refused" and row["metric"] == "feature_frechet"]
    assert {row["method"] for row in refused} == {"ncsn_single"} and all("one noise level" in row["message"] for row in refused)


def test_whose_weights(run_of, monkeypatch):
    """Gradients are those of the raw weights, samples and likelihoods those of the averaged ones, at the step that is said."""
    asked = []

    def recorded(folder, device, *file):
        asked.append((folder.parent.name, *file))
        return load_denoiser(folder, device, *file)

    monkeypatch.setattr(training_side, "load_denoiser", recorded)
    run_of("smoke", "objectives=[score_vp]", "weighted=[score_vp]")
    files = ["2-raw", "4-raw", "2", "4"]
    expected = [("digits-mlp-score_vp", f"snapshots/{file}.safetensors") for file in files]
    assert asked == [*expected, ("digits-mlp-score_vp",)]


def test_objectives_see_the_same_samples(run_of):
    """An objective's numbers do not depend on which others are measured."""
    _, _, outcome = run_of("smoke", "objectives=[ddpm_vp, score_vp, scoreflow_vp]")
    loss = by(outcome.rows, "loss", "method", "variant", "at")
    again = run_of("smoke", "objectives=[scoreflow_vp]")[2]
    alone = by(again.rows, "loss", "method", "variant", "at")
    assert {key: row["value"] for key, row in alone.items()} == {key: loss[key]["value"] for key in alone}, (
        "order does not matter"
    )


def test_good_enough():
    """Distances by hand: 8, 4, 2 after 10, 20 and 40 steps of a training of 4 s, data reading 2."""
    settings = resolve(PACKAGE, "training_side", "smoke", ["qualities=[1, 2, 0.25]"])
    curve = [
        {"metric": "feature_frechet", "method": "a", "axis": "step", "at": at, "value": value, "seconds": at / 10, "nfe": 20}
        for at, value in ((10, 8), (20, 4), (40, 2))
    ]
    floor = {"metric": "feature_frechet", "method": "data", "value": 2.0}
    refused = {"metric": "feature_frechet", "method": "b", "axis": "step", "at": 10, "value": float("nan"), "status": "refused"}
    rows = training_side.quality_rows([floor, *curve, refused], 2.0, settings)
    found = by(rows, "steps_to_quality", "method", "at")
    assert [found["a", at]["value"] for at in (1, 2)] == pytest.approx([40, 20])
    assert [found["a", at]["seconds"] for at in (1, 2)] == pytest.approx([4, 2])
    assert found["a", 0.25]["status"] == "refused" and "above 0.5" in found["a", 0.25]["message"] and len(found) == 3


@pytest.mark.parametrize("wrong", ["edges=[0, 0.5]", "edges=[0, 0.5, 0.5, 1]", "states=[0.5]", "states=[1, 0.5]", "early=2"])
def test_impossible_settings(wrong):
    with pytest.raises(SettingsError, match=wrong.partition("=")[0]):
        resolve(PACKAGE, "training_side", "smoke", [wrong])


@pytest.mark.parametrize("level", LEVELS)
def test_the_workflow_makes_the_models_that_are_measured(level):
    entry = entries(PACKAGE)["training_side"]
    for data in entry.sets(level):
        settings = resolve(PACKAGE, "training_side", level, [f"data={data}"])
        assert sorted(entry.objectives(data)) == sorted(settings.objectives) and set(settings.weighted) <= set(
            settings.objectives
        )
