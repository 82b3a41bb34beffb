"""Models that nobody has trained: made when they are asked for, by the run that would train them."""

import json

import pytest

from common.errors import RetraceError
from common.evaluation.rehearsal import place, rehearsed, schedules
from common.learning.data.stand_ins import stand_ins
from common.learning.models import load_denoiser
from common.learning.nets.mlp import parameter_count
from common.learning.training import run as run_of
from common.measure.features import read_feature_net
from common.runs.experiment import load
from common.runs.settings import resolve


@pytest.fixture
def context():
    with stand_ins(20), place("common", "train", "smoke") as context:
        yield context


def steps_fail(*_, **__):
    raise AssertionError("a step was taken")


def test_a_model_is_there_when_it_is_asked_for_and_was_not_trained(context, monkeypatch):
    monkeypatch.setattr(run_of, "train", steps_fail)
    folder = context.model("digits", "fm_ot")
    assert folder == context.results / "smoke" / "models" / "digits-mlp-fm_ot" / "seed0"
    settings = resolve("common", "train", "smoke", ["data=digits", "objective=fm_ot"])
    fresh = load("common", "train").description(settings).build(0)
    model = load_denoiser(folder)
    assert model.path.name == "ot" and parameter_count(model) == parameter_count(fresh)
    # the output layer starts at zero, and has stayed there
    assert not model.backbone.leave.weight.any()
    assert run_of.train is steps_fail
    assert context.taken == [folder]


def test_it_is_made_once(context, monkeypatch):
    folder = context.model("digits", "fm_ot")
    monkeypatch.setattr("common.evaluation.untrained.make", steps_fail)
    assert context.model("digits", "fm_ot") == folder


def test_a_papers_own_model_is_made_by_its_run():
    with stand_ins(20), place("ncsn", "samples", "smoke") as context:
        folder = context.model("digits", "ncsn", backbone="refinenet")
        assert (folder / "weights.safetensors").is_file()


def test_a_feature_network_is_made_in_a_step(context):
    folder = context.features("digits")
    assert json.loads((folder / "run.json").read_text())["settings"]["steps"] == 1
    net = read_feature_net(folder)
    assert net.convolutions[0].weight.shape[1] == 1 and len(net.classify.bias) == 10


def test_settings_may_be_altered():
    def wider(settings):
        return settings.model_copy(update={"backbone": settings.backbone.model_copy(update={"width": 6})})

    with stand_ins(20), place("common", "train", "smoke", wider) as context:
        assert load_denoiser(context.model("digits", "fm_ot")).backbone.leave.weight.shape == (64, 6)


def test_a_model_that_no_run_trains_is_missing_as_ever(context):
    with pytest.raises(RetraceError, match="digits-mlp-nothing"):
        context.model("digits", "nothing")


def test_a_run_whose_settings_say_of_no_training_is_not_begun():
    settings = resolve("replications.ncsn", "mixture", "smoke")
    assert not list(schedules(settings))
    with place("ncsn", "mixture", "smoke") as context, pytest.raises(RetraceError, match="ncsn mixture: trains nothing"):
        rehearsed(steps_fail, settings, context, 2)
