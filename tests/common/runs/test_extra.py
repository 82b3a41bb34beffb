"""A user's own files in the workflow: what the configuration may say, and which jobs come of it."""

from pathlib import Path

import pytest
import yaml

from common.errors import SettingsError
from common.runs.entries import entries
from common.runs.extra import extra_files
from common.runs.levels import LEVELS
from common.runs.plan import measured, plan, requested, runs_by_paper
from common.runs.settings import ROOT
from common.runs.workflow import check_config
from replications.__main__ import check_one

YOURS = "survey_bring_your_own"


def config(level, **more):
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text()) | {"level": level, **more}


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine.py", "deep/other.py", "deep/mine.py"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("SAMPLERS = {}\n")
    return ["mine.py", "deep/other.py"]


def test_one_file_or_several(files):
    assert extra_files({}) == extra_files({"extra": None}) == []
    assert extra_files({"extra": "mine.py"}) == ["mine.py"]
    assert extra_files({"extra": files}) == files


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("gone.py", None, "gone.py: there is no such file here"),
        ("text.txt", "x = 1", "text.txt: must be a Python file"),
        ("my sampler.py", "x = 1", "my sampler.py: must be a Python file"),
        ("a,b.py", "x = 1", "a,b.py: must be a Python file"),
        ("a-b.py", "x = 1", "a-b.py: must be a Python file"),
        ("wrong.py", "x = 1\ndef f(:\n", "wrong.py, line 2: is not Python"),
        ("bytes.py", b"\xff", "bytes.py: cannot be read"),
        ("zero.py", b"x = 1\0", "zero.py.*: is not Python"),
        (["mine.py", "deep/mine.py"], None, "mine.py and deep/mine.py: files of one name"),
    ],
)
def test_files_that_cannot_be_read_are_named(name, text, message, files):
    if text is not None:
        Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError, match=message):
        extra_files({"extra": name})


def test_nothing_changes_without_a_file(files):
    """No job of the level knows that there could be one."""
    for level in LEVELS:
        without = {job.name: job for job in plan(["survey"], config(level))}
        assert not [name for name in without if YOURS in name]
        having = {job.name: job for job in plan(["survey"], config(level, extra=files))}
        assert {name: job for name, job in having.items() if YOURS not in name} == without
        assert any(YOURS in name for name in having)


def test_models_of_an_experiment_that_is_not_run_are_not_trained(monkeypatch, files):
    """Nor is the network of the features."""
    table = {"mine": entries("replications.survey")["bring_your_own"].model_copy(update={"models": ["ladder_ve"]})}
    monkeypatch.setattr("common.runs.plan.entries", lambda package: table)
    assert requested(["survey"], "laptop") == {} and measured(["survey"], "laptop") == []
    assert requested(["survey"], "laptop", files) == {"digits": ["ladder_ve"]} and measured(["survey"], "laptop", files) == [
        "digits"
    ]


def test_the_jobs_of_files_on_a_cpu(files):
    """One process makes all runs; each file is an input, and what the runs are is on the command line."""
    jobs = plan(["survey"], config("laptop", extra=files))
    [job] = [job for job in jobs if YOURS in job.name]
    assert job.inputs["extra"] == files and "--sweep data=digits --sweep file=mine.py,deep/other.py" in job.command
    root = "results/laptop/own/survey/bring_your_own"
    assert {run.folder for run in job.runs} == {
        f"{root}/digits-{name}/seed{seed}" for name in ("mine", "other") for seed in range(5)
    }
    assert any("digits-mlp-fm_ot" in file for file in job.inputs["models"]) and job.inputs["features"]
    assert {run.folder for run in job.runs} <= set(runs_by_paper(["survey"], jobs)["survey"]), "the page asks for them"


def test_the_jobs_of_files_on_a_gpu(files):
    jobs = {job.name: job for job in plan(["survey"], config("gpu", extra=files))}
    job = jobs[f"{YOURS}_cifar10_other_seed1"]
    assert job.inputs["extra"] == ["deep/other.py"] and len(job.runs) == 1 and "--sweep file=deep/other.py" in job.command


def test_the_configuration(files, monkeypatch):
    """A paper that takes files must be among the chosen ones."""
    monkeypatch.setattr("common.runs.workflow.papers", lambda: ["flow_matching", "survey"])
    assert check_config(config("smoke", extra="mine.py")) == ["flow_matching", "survey"]
    assert check_config(config("smoke", extra=files)) == ["flow_matching", "survey"]
    with pytest.raises(SettingsError, match="none of flow_matching takes files of your own"):
        check_config(config("smoke", extra=files, papers=["flow_matching"]))
    with pytest.raises(SettingsError, match="extra"):
        check_config(config("smoke", extra=3))
    with pytest.raises(SettingsError, match=r"gone\.py"):
        check_config(config("smoke", extra="gone.py"))


def test_the_check_before_a_run_tries_each_file(files, monkeypatch):
    """On a data set's every file, and none where there are none."""
    monkeypatch.setattr("replications.survey.experiments.bring_your_own.check", lambda settings: None)
    check_one("replications.survey", "bring_your_own", "smoke")
    with pytest.raises(SettingsError, match=r"^mine\.py: nothing is recognised"):
        check_one("replications.survey", "bring_your_own", "smoke", files)
