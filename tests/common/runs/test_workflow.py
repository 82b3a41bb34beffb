import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml

from common.errors import SettingsError
from common.runs import dependencies, workflow
from common.runs.settings import ROOT


def config(**changes):
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text()) | changes


def test_default_config_fits_its_schema_and_chooses_every_paper():
    assert workflow.check_config(config()) == workflow.papers() != []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"level": "lapto"}, ["config.yaml", "level", "'lapto'", "did you mean 'laptop'"]),
        ({"levle": "smoke"}, ["config.yaml", "unknown key 'levle'", "did you mean 'level'"]),
        ({"papers": ["flow_matchin"]}, ["papers", "no paper 'flow_matchin'", "did you mean 'flow_matching'"]),
        ({"base_seed": -1}, ["base_seed", "-1", "minimum"]),
        ({"seeds": {"smoke": 1, "laptop": 3, "gpu": 3, "paper": 0}}, ["seeds.paper", "0", "minimum"]),
    ],
)
def test_bad_config_is_answered_with_key_value_and_remedy(changes, words):
    with pytest.raises(SettingsError) as error:
        workflow.check_config(config(**changes))
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize("words", [["-n"], ["--cores", "2", "--dry-run"], ["ncsn", "-np"], ["--dryrun"]])
def test_a_dry_run_is_told_from_its_words(words):
    assert workflow.dry_run(words)


@pytest.mark.parametrize("words", [["--cores"], ["ncsn", "--cores", "4"], ["--config", "level=gpu"], ["-c", "1"], ["--notemp"]])
def test_other_calls_are_no_dry_runs(words):
    assert not workflow.dry_run(words)


def test_sources_of_a_job_are_what_it_imports_and_nothing_else():
    sources = dependencies.job_sources("common", "train")
    assert (
        "common/dynamics/paths.py" in sources
        and "common/learning/training/loop.py" in sources
        and "common/runs/cli.py" in sources
    )
    assert "common/experiments/train.py" in sources
    foreign = ("table1", "figures", "claims", "common/dynamics/likelihood.py", "report/")
    assert not [source for source in sources if any(part in source for part in foreign)]


def test_a_page_is_drawn_anew_when_its_walkthrough_changes():
    assert "replications/flow_matching/walkthrough.py" in workflow.report_sources(["flow_matching"])
    assert not [file for file in workflow.report_sources(["ffjord"]) if "flow_matching/walkthrough" in file]


def test_the_workflow_reads_without_importing_torch():
    code = "import sys, common.runs.workflow; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_one_paper_may_be_named_without_brackets():
    assert workflow.check_config(config(papers="flow_matching")) == ["flow_matching"]
    with pytest.raises(SettingsError, match="there is no paper 'flow_matchin'"):
        workflow.check_config(config(papers="flow_matchin"))


def test_failures_say_which_why_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = next(job for job in workflow.plan(["flow_matching"], config(level="smoke")) if job.name == "flow_matching_table1")
    assert workflow.failures([job], "smoke", 0.0) == ""
    folder = tmp_path / job.runs[0].folder
    folder.mkdir(parents=True)
    (folder / "failure.json").write_text('{"message": "too few images"}')
    (tmp_path / job.log).parent.mkdir(parents=True)
    (tmp_path / job.log).write_text("\n".join(f"line {number}" for number in range(20)))
    said = workflow.failures([job], "smoke", 0.0)
    assert f"failed: {job.runs[0].folder}\n  too few images" in said and "    line 19\n" in said and "line 11\n" not in said
    assert said.endswith("snakemake --cores --config level=smoke")
    (folder / "metrics.csv").write_text("old")
    workflow.age_failed([job])
    assert (folder / "metrics.csv").stat().st_mtime < 10**6


def test_a_job_that_was_ended_from_outside_is_named(tmp_path, monkeypatch):
    """It leaves no reason: what tells is a log of this call and a run that is not done."""
    monkeypatch.chdir(tmp_path)
    job = next(job for job in workflow.plan(["flow_matching"], config(level="smoke")) if job.name == "flow_matching_table1")
    (tmp_path / job.log).parent.mkdir(parents=True)
    (tmp_path / job.log).write_text("step 30/60\n")
    for run in job.runs:
        assert "broken off: flow_matching_table1: cancelled, killed" in (said := workflow.failures([job], "smoke", 100.0))
        assert said.count("broken off") == 1 and "    step 30/60\n" in said
        (tmp_path / run.folder).mkdir(parents=True)
        (tmp_path / run.folder / "metrics.csv").write_text("")
    assert workflow.failures([job], "smoke", 100.0) == "", "all runs are done"
    os.utime(tmp_path / job.runs[0].folder / "metrics.csv", (50, 50))
    assert "broken off" in workflow.failures([job], "smoke", 100.0), "what is there is of an earlier call"
    os.utime(tmp_path / job.log, (50, 50))
    assert workflow.failures([job], "smoke", 100.0) == "", "a job that waited for another has not started"


def test_a_page_alone_knows_of_no_first_page_unless_there_is_one(tmp_path):
    def job(targets):
        call = SimpleNamespace(dag_settings=SimpleNamespace(targets=targets))
        return workflow.page_job("flow_matching", "smoke", str(tmp_path), call)(None)

    assert job({"flow_matching"}).endswith("--papers flow_matching")
    assert all(job(targets).endswith("--whole") for targets in (None, {"all"}, {"all", "flow_matching"}))
    (tmp_path / "index.html").write_text("")
    assert job({"flow_matching"}).endswith("--whole")
