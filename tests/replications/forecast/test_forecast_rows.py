"""The table of counted work: written, merged, read, and what is wrong with it named."""

import pytest

from common.errors import RetraceError
from common.measure.work import Size, Work
from common.runs import workflow
from common.runs.plan import plan
from replications.forecast import rows
from replications.forecast.rows import REST, TRAINING, Row, file_of, merge, read
from replications.forecast.runs import Planned, configured, planned
from replications.forecast.sizes import schedules, size

ONE = Row("p", "e", "v", TRAINING, "name", 10, 100, 4, 1.0, 2.5e9, 3e12, 4.0, 1.25, "mark")
OTHER = Row("p", "e", "w", REST, "", 0, 0, 0, 1.0, 2.0, 3.0, 0.0, 1.0, "mark")


def test_rows_come_back_as_they_were(tmp_path):
    merge("gpu", [OTHER, ONE], tmp_path)
    assert read("gpu", tmp_path) == (ONE, OTHER)
    assert ONE.work == Work(1.0, 2.5e9, 3e12)


def test_new_rows_take_the_place_of_the_same_run_s(tmp_path):
    merge("gpu", [ONE, OTHER], tmp_path)
    merge("gpu", [ONE._replace(part=REST, flops=1.0)], tmp_path)
    assert read("gpu", tmp_path) == (ONE._replace(part=REST, flops=1.0), OTHER)


def test_a_level_that_was_not_counted_has_none(tmp_path):
    assert read("paper", tmp_path) == ()


def test_a_broken_line_is_named(tmp_path):
    merge("gpu", [ONE], tmp_path)
    file = file_of("gpu", tmp_path)
    file.write_text(file.read_text().replace("2.5e+09", "many"))
    read.cache_clear()
    with pytest.raises(RetraceError, match=r"gpu.csv, line 2: .*many.*count --level gpu"):
        read("gpu", tmp_path)


@pytest.mark.parametrize("level", ["smoke", "laptop", "gpu", "paper"])
def test_the_runs_are_those_of_the_workflow(level):
    config = {**configured(), "level": level}
    jobs = plan(workflow.papers(), config)
    found = list(planned(level, workflow.papers(), config["seeds"][level]))
    assert sum(len(run.seeds) for run in found) == sum(len(job.runs) for job in jobs)
    assert len({run.key for run in found}) == len(found)
    if level == "gpu":
        wanting = {job.target for job in jobs if job.resources["gpu"]}
        assert {run.paper for run in found if run.gpu} == wanting


def test_rows_are_those_of_an_experiment_or_of_one_of_its_runs(monkeypatch):
    monkeypatch.setattr(rows, "read", lambda level: (ONE, OTHER, ONE._replace(experiment="f")))
    assert rows.of("gpu", "p", "e") == [ONE, OTHER]
    assert rows.of("gpu", "p", "e", "w") == [OTHER]
    assert rows.of("gpu", "p", "e", "") == []


@pytest.fixture(scope="module")
def models():
    """The model that each run of the gpu level takes."""
    return {run.key: run.takes for run in planned("gpu", workflow.papers(), 1)}


def test_runs_take_the_first_shared_model_of_their_data(models):
    assert models["flow_matching", "table1", "cifar10"] == ("common", "train", "cifar10-fm_ot")
    assert models["gotta_go_fast", "learned", "fashion_mnist"] == ("common", "train", "fashion_mnist-ddpm_vp")


def test_runs_take_a_paper_s_own_model_of_their_data_and_kind(models):
    assert models["ncsn", "samples", "cifar10"] == ("ncsn", "train_refinenet", "cifar10-ncsn")
    assert models["ncsnv2", "losses", "fashion_mnist"] == ("ncsnv2", "train_refinenet", "fashion_mnist-ncsnv2")
    # the first of all kinds is a ResNet
    assert models["neural_ode", "solver_control", "fashion_mnist"] == ("neural_ode", "train_classifier", "fashion_mnist-ode_net")


def test_another_paper_s_model_is_that_paper_s():
    found = {run.key: run.takes for run in planned("paper", ["gotta_go_fast"], 1)}
    assert found["gotta_go_fast", "published", "cifar10"] == ("score_sde", "train_ncsnpp", "cifar10-ddpmpp_vp")


def test_what_trains_its_own_takes_none_and_every_model_is_a_run(models):
    assert models["ffjord", "images", "cifar10"] is None
    assert models["common", "train", "cifar10-fm_ot"] is None
    assert {model for model in models.values() if model} <= set(models)


def test_a_level_s_trainings_and_size_are_those_of_the_paper():
    manifold = Planned("replications.ncsn", "manifold", {"data": "cifar10"}, "paper")
    assert schedules(manifold) == [manifold.settings.train] * 4
    assert size(manifold) == Size(1, 1)


def test_a_feature_network_s_steps_are_three_evaluations_each_and_not_counted_as_a_training():
    features = Planned("common", "features", {"data": "cifar10"}, "gpu")
    steps, batch = features.settings.steps, features.settings.batch
    assert size(features) == Size(3 * steps, 3 * steps * batch)
    assert schedules(features) == []
    shared = Planned("common", "train", {"data": "cifar10", "objective": "fm_ot"}, "gpu")
    assert (schedules(shared), size(shared)) == ([shared.settings.train], Size(1, 1))
