"""What a job asks of a cluster: its line of a table, and by level what no line says."""

import pytest
import yaml

from common.errors import SettingsError
from common.runs import plan as plan_of
from common.runs.entries import entries
from common.runs.plan import MEMORY_MB, MINUTES, plan
from common.runs.resources import forecast_file, read_table, resources
from common.runs.settings import ROOT
from common.runs.workflow import papers

FALLBACK = {"gpu": 1, "mem_mb": 16000, "runtime": 240}


def config(level, **more):
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text()) | {"level": level} | more


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table and returns its path."""

    def write(text):
        (tmp_path / "table.yaml").write_text(text)
        return str(tmp_path / "table.yaml")

    return write


def test_a_line_says_what_it_says_and_the_rest_falls_back():
    lines = {"train_cifar10_*": {"gpu": 4, "runtime": 600}, "ncsn_*": {"mem_mb": 8000}}
    assert resources("train_cifar10_fm_ot_seed0", lines, FALLBACK) == {"gpu": 4, "mem_mb": 16000, "runtime": 600}
    assert resources("ncsn_samples_cifar10_seed3", lines, FALLBACK) == {"gpu": 1, "mem_mb": 8000, "runtime": 240}
    assert resources("ncsnv2_ladders_seed0", lines, FALLBACK) == resources("ncsnv2_ladders_seed0", {}, FALLBACK) == FALLBACK


def test_of_several_lines_that_fit_the_first_counts():
    lines = {"train_*_seed0": {"gpu": 2}, "train_*": {"gpu": 4, "runtime": 60}}
    assert resources("train_digits_fm_ot_seed0", lines, FALLBACK) == {"gpu": 2, "mem_mb": 16000, "runtime": 240}
    assert resources("train_digits_fm_ot_seed1", lines, FALLBACK) == {"gpu": 4, "mem_mb": 16000, "runtime": 60}


def test_the_plan_asks_by_level_without_a_table(monkeypatch):
    monkeypatch.setattr(plan_of, "forecast_file", lambda level: None)
    jobs = {job.name: job.resources for job in plan(["flow_matching"], config("gpu"))}
    assert jobs["train_cifar10_fm_ot_seed0"] == {"gpu": 1, "mem_mb": MEMORY_MB["gpu"], "runtime": MINUTES["gpu"]}
    assert jobs["flow_matching_gradients_seed0"] == {"gpu": 0, "mem_mb": MEMORY_MB["gpu"], "runtime": MINUTES["gpu"]}
    assert jobs["features_cifar10_seed0"]["mem_mb"] == 4000, "of its own entry"


def test_the_plan_asks_what_the_forecast_says_unless_a_table_is_named(table):
    own = read_table(forecast_file("gpu"))["train_cifar10_fm_ot_seed*"]
    jobs = {job.name: job.resources for job in plan(["flow_matching"], config("gpu"))}
    assert jobs["train_cifar10_fm_ot_seed3"] == {"gpu": 1, **own}
    named = config("gpu", resources=table("features_*: {runtime: 20}\n"))
    jobs = {job.name: job.resources for job in plan(["flow_matching"], named)}
    assert jobs["train_cifar10_fm_ot_seed3"] == {"gpu": 1, "mem_mb": MEMORY_MB["gpu"], "runtime": MINUTES["gpu"]}
    assert forecast_file("laptop") is None


def test_only_trainings_that_can_share_a_batch_get_several_gpus(table):
    for text, problem in (
        ("flow_matching_table1_cifar10_seed0: {gpu: 2}", "flow_matching_table1_cifar10_seed0: gpu: 2: this job computes on one"),
        ("train_cifar10_fm_ot_seed1: {gpu: 3}", r"train_cifar10_fm_ot_seed1: gpu: 3: does not divide its whole batch of 128"),
    ):
        with pytest.raises(SettingsError, match=rf"table.yaml: {problem}"):
            plan(["flow_matching"], config("gpu", resources=table(text)))
    plan(["flow_matching"], config("gpu", resources=table("train_cifar10_fm_ot_seed1: {gpu: 4}")))


@pytest.mark.parametrize("paper", papers())
def test_what_may_share_is_what_common_s_own_fit_trains(paper):
    for name, entry in entries(f"replications.{paper}").items():
        source = (ROOT / "replications" / paper / "experiments" / f"{name}.py").read_text()
        assert entry.shares == (entry.first and "from common.learning.fit import fitted" in source), name


def test_the_plan_asks_what_the_table_says_and_nothing_else_changes(table, monkeypatch):
    file = table("train_cifar10_fm_ot_*: {gpu: 8, mem_mb: 90000, runtime: 5}\nfeatures_*: {runtime: 20}\n")
    monkeypatch.setattr(plan_of, "forecast_file", lambda level: None)
    before, after = (plan(["flow_matching"], config("gpu", **more)) for more in ({}, {"resources": file}))
    changed = {new.name: new.resources for old, new in zip(before, after) if old != new}
    trained = {f"train_cifar10_fm_ot_seed{seed}": {"gpu": 8, "mem_mb": 90000, "runtime": 5} for seed in range(5)}
    features = {name for name in changed if name.startswith("features_")}
    assert len(features) == 10 and {name: changed[name] for name in changed if name not in features} == trained
    assert all(changed[name] == {"gpu": 1, "mem_mb": 4000, "runtime": 20} for name in features)
    assert all(old._replace(resources={}) == new._replace(resources={}) for old, new in zip(before, after)), "finished jobs stand"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train_*: {gpus: 2}", ["table.yaml: train_*.gpus: unknown key 'gpus'", "did you mean 'gpu'"]),
        ("train_*: {gpu: -1}", ["table.yaml: train_*.gpu", "greater than or equal to 0", "got -1"]),
        ("train_*: {runtime: 0}", ["table.yaml: train_*.runtime", "greater than 0", "got 0"]),
        ("train_*: {runtime: 2h}", ["table.yaml: train_*.runtime", "got '2h'"]),
        ("- train", ["table.yaml: must map jobs to what they ask"]),
        (
            "train_cifar10_fm_to_seed0: {}",
            ["fm_to_seed0: no job of this level has such a name", "did you mean 'train_cifar10_fm_ot_"],
        ),
        ("trian_*: {gpu: 2}", ["table.yaml: trian_*: no job of this level has such a name"]),
    ],
)
def test_a_mistake_in_the_table_is_named(table, text, words):
    with pytest.raises(SettingsError) as error:
        plan(["flow_matching"], config("gpu", resources=table(text)))
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"resources: .*none\.yaml is not there; write it, or leave `resources` out"):
        read_table(str(tmp_path / "none.yaml"))
    assert read_table(None) == {}
