"""A finished run is kept if nothing that it was made from has changed, and made again otherwise."""

import json
import shutil

import pytest

from common.runs import cli, kept
from common.runs.folders import digest
from common.runs.settings import ROOT

WORDS = ["exact_paths", "gradients", "--level", "smoke", "--seed", "0"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return a folder with one finished run of each of two experiments."""
    folder = tmp_path_factory.mktemp("results")
    assert cli.main("replications.flow_matching", [*WORDS, "--results", str(folder)]) == 0
    return folder


@pytest.fixture
def again(results, tmp_path, monkeypatch):
    """Return a function that calls again in a copy of the results, and says which runs were made anew."""
    copy = tmp_path / "results"
    shutil.copytree(results, copy)
    monkeypatch.setenv(kept.KEEP, "1")
    records = sorted(copy.rglob("run.json"))

    def call(*words):
        before = {record: record.stat().st_ino for record in records}
        assert cli.main("replications.flow_matching", [*WORDS, "--results", str(copy), *words]) == 0
        return {record.parents[2].name for record in records if record.stat().st_ino != before[record]}

    call.folder = copy / "smoke" / "flow_matching"
    return call


def test_a_run_says_what_it_was_made_from(results):
    info = json.loads((results / "smoke/flow_matching/gradients/default/seed0/run.json").read_text())
    files = info["made_from"]["code"]["files"]
    assert "replications/flow_matching/experiments/gradients.py" in files and "common/dynamics/oracles.py" in files
    assert all((ROOT / file).is_file() for file in files) and info["made_from"]["inputs"] == {}


def test_what_stands_is_kept_and_looks_new(again):
    table = again.folder / "gradients/default/seed0/metrics.csv"
    old = table.stat().st_mtime
    assert again() == set()
    assert table.stat().st_mtime > old


def test_without_the_workflow_a_person_gets_what_was_asked_for(again, monkeypatch):
    monkeypatch.delenv(kept.KEEP)
    assert again() == {"exact_paths", "gradients"}


@pytest.mark.parametrize("what", ["missing", "damaged", "failed", "old", "code", "input"])
def test_a_run_that_does_not_stand_is_made_again_and_the_other_is_not(again, what, monkeypatch):
    folder = again.folder / "gradients/default/seed0"
    record = folder / "run.json"
    info = json.loads(record.read_text())
    if what == "missing":
        (folder / "metrics.csv").unlink()
    elif what == "damaged":
        (folder / "metrics.csv").write_text("a,b\n")
    elif what == "failed":
        (folder / "failure.json").write_text("{}")
    elif what == "old":
        record.write_text(json.dumps({key: value for key, value in info.items() if key != "made_from"}))
    else:
        if what == "code":
            info["made_from"]["code"]["digest"] = "0" * 64
        else:
            info["made_from"]["inputs"] = {str(again.folder / "exact_paths/default/seed0"): "0" * 64}
        record.write_text(json.dumps(info))
    assert again() == {"gradients"}


def test_another_base_seed_makes_everything_again(again):
    assert again("--base-seed", "99") == {"exact_paths", "gradients"}


def test_inputs_are_noted_and_a_changed_module_is_noticed(tmp_path, monkeypatch):
    taken = tmp_path / "model"
    taken.mkdir()
    (taken / "run.json").write_text("{}")
    made = kept.made_from([taken, taken])
    assert made["inputs"] == {str(taken): digest(taken / "run.json")}
    module = tmp_path / "module.py"
    module.write_text("a = 1\n")
    monkeypatch.setattr(kept, "ROOT", tmp_path)
    before = kept._of(["module.py"])
    module.write_text("a = 2\n")
    assert kept._of(["module.py"]) != before
