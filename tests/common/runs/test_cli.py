"""The command line, on a toy paper outside the repository and on the real one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import processes
import pytest
import yaml

from common.errors import RetraceError
from common.runs import cli
from common.runs import settings as settings_of
from common.runs.execute import held, shown_command
from common.runs.settings import ROOT

EXPERIMENT = '''"""Add a number to one and write the sum down."""

from common.errors import RetraceError
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from pydantic import PositiveInt

VARIANT = ("steps",)


class Settings(Base):
    steps: PositiveInt


def run(settings, context):
    if settings.steps == 13:
        raise RetraceError("13 is an unlucky number of steps; choose another")
    if settings.steps == 14:
        raise ValueError("a bug")
    (context.out / "training-state-00000000.pt").write_text("state")
    return Outcome([row("sum", 1 + settings.steps)])
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    root = tmp_path / "tree"
    folder = root / "toys" / "adder"
    (folder / "experiments").mkdir(parents=True)
    for package in (root / "toys", folder, folder / "experiments"):
        (package / "__init__.py").write_text("")
    (folder / "experiments" / "add.py").write_text(EXPERIMENT)
    (folder / "settings.yaml").write_text(
        yaml.safe_dump({name: {"smoke": {"steps": 2}, "laptop": {"steps": 3}} for name in ("add", "again")})
    )
    (folder / "experiments" / "again.py").write_text(EXPERIMENT)
    (root / "config").mkdir()
    (root / "config" / "config.yaml").write_text("base_seed: 7\n")
    monkeypatch.setattr(settings_of, "ROOT", root)
    monkeypatch.syspath_prepend(str(root))
    yield lambda *words: cli.main("toys.adder", [*words, "--results", str(tmp_path / "results")])
    for name in [name for name in sys.modules if name.startswith("toys")]:
        del sys.modules[name]


def test_one_run_writes_its_folder(toy, tmp_path):
    assert toy("add", "--level", "smoke", "--seed", "4") == 0
    folder = tmp_path / "results" / "smoke" / "adder" / "add" / "2" / "seed4"
    assert (folder / "metrics.csv").read_text().splitlines()[1].startswith("adder,add,,,2,,,4,sum,3.0,")
    info = json.loads((folder / "run.json").read_text())
    assert info["settings"] == {"steps": 2} and info["seed"] == 4 and info["level"] == "smoke"
    assert {"commit", "versions", "device", "threads", "seconds", "cpu_seconds", "startup_seconds", "peak_memory_mb"} <= set(info)
    assert not list(folder.glob("training-state-*")), "the training state goes when the whole call has succeeded"


def test_the_base_seed_has_one_source(toy, tmp_path, capsys):
    assert settings_of.base_seed() == 7, "config/config.yaml of the tree"
    assert toy("add", "--level", "smoke") == 0 and toy("again", "--level", "smoke", "--base-seed", "8") == 0
    seeds = {name: json.loads(next(tmp_path.rglob(f"{name}/**/run.json")).read_text())["base_seed"] for name in ("add", "again")}
    assert seeds == {"add": 7, "again": 8}
    (settings_of.ROOT / "config" / "config.yaml").write_text("base_seed: -1\n")
    assert toy("add", "--level", "smoke") == 2
    assert "config/config.yaml: base_seed: must be a whole number from 0 on; got -1" in capsys.readouterr().err


def test_several_experiments_share_one_process(toy, tmp_path, capsys):
    assert toy("add", "again", "--level", "smoke", "--seed", "0", "1") == 0
    found = sorted(str(f.parent.relative_to(tmp_path / "results" / "smoke")) for f in tmp_path.rglob("metrics.csv"))
    assert found == [f"adder/{name}/2/seed{seed}" for name in ("add", "again") for seed in (0, 1)]
    # a bad name is found before the good ones run
    assert toy("add", "agian", "--level", "laptop") == 2 and "did you mean 'again'" in capsys.readouterr().err
    assert not (tmp_path / "results" / "laptop").exists()


def test_sweeps_and_seeds_multiply(toy, tmp_path):
    assert toy("add", "--level", "smoke", "--seed", "0", "1", "--sweep", "steps=5,6") == 0
    found = sorted(str(f.parent.relative_to(tmp_path / "results")) for f in tmp_path.rglob("metrics.csv"))
    assert found == [f"smoke/adder/add/{steps}/seed{seed}" for steps in (5, 6) for seed in (0, 1)]


def test_a_sweep_may_be_of_one_experiment(toy, tmp_path):
    assert toy("add", "again", "--level", "smoke", "--sweep", "add:steps=5,6") == 0
    found = sorted(str(f.parent.relative_to(tmp_path / "results" / "smoke")) for f in tmp_path.rglob("metrics.csv"))
    assert found == [f"adder/{place}/seed0" for place in ("add/5", "add/6", "again/2")]


@pytest.mark.parametrize(("steps", "message"), [(13, "13 is an unlucky number of steps"), (14, "ValueError: a bug")])
def test_a_failed_run_leaves_its_reason_and_the_others_finish(toy, tmp_path, capsys, steps, message):
    assert toy("add", "--level", "smoke", "--sweep", f"steps={steps},7") == 1
    failed = tmp_path / "results" / "smoke" / "adder" / "add" / str(steps) / "seed0"
    finished = failed.parent.parent / "7" / "seed0"
    record = json.loads((failed / "failure.json").read_text())
    assert message in record["message"] and record["status"] == "failed" and "toys.adder add" in record["command"]
    assert not (failed / "metrics.csv").exists() and (finished / "metrics.csv").exists()
    assert list(finished.glob("training-state-*")), "a retry of the call resumes what had finished"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ad"], "toys.adder has no experiment 'ad'; did you mean 'add'"),
        (["add", "--level", "smoek"], "no level 'smoek'; did you mean 'smoke'"),
        (["add", "--set", "stpes=3"], "--set stpes=3: unknown key 'stpes'; did you mean 'steps'"),
        (["add", "--set", "steps=-3"], "--set steps=-3: Input should be greater than 0; got -3"),
        (["add", "--sweep", "steps"], "--sweep steps: expected key=value1,value2"),
        (["add", "again", "--sweep", "agian:steps=1"], "this call has no experiment 'agian'; did you mean 'again'"),
        (["add", "--sweep", "steps=1,0"], "steps=0: Input should be greater than 0"),
        (["add", "--sweep", "steps=1,2", "--out", "x"], "--out x: 2 runs cannot share one folder"),
    ],
)
def test_bad_input_is_found_before_any_run(toy, tmp_path, capsys, words, message):
    assert toy(*words) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("metrics.csv")) and not Path("x").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="unshare and tmpfs are Linux's")
def test_a_full_disk_is_found_before_any_compute(tmp_path):
    """A real disk of 1 MB, mounted where nobody else sees it."""
    script = 'mount -t tmpfs -o size=1m tmpfs "$1" && cd "$2" && "$3" -m common train --level smoke --results "$1/results"'
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(tmp_path), str(ROOT), sys.executable]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert "only 1 MB free on this disk, a run needs 64; free some space or choose another --results" in done.stderr
    assert "step" not in done.stdout, "no training has begun"


def test_torchrun_splits_every_batch_and_writes_one_folder(tmp_path):
    """Two processes of 32 images each end near one process of 64: same weights and batches, other noise."""
    words = ["train", "--level", "smoke", "--set", "data=digits", "--sweep", "objective=fm_ot,ddpm_vp", "--results"]
    one, two = tmp_path / "one", tmp_path / "two"
    said = processes.torchrun(cli.main, "common", [*words, str(two)], output=tmp_path)
    assert [text.count("wrote") for text in said] == [2, 0]
    assert processes.status(processes.start(cli.main, "common", [*words, str(one)], output=tmp_path / "o")) == 0
    assert not list(two.rglob("training-state-*"))
    # losses without heavy tails: a single image near t = 0 would decide the mean of another objective
    for objective in ("fm_ot", "ddpm_vp"):
        curves = [np.load(root / f"smoke/models/digits-mlp-{objective}/seed0/arrays.npz")["loss"] for root in (one, two)]
        assert abs(curves[1][-10:].mean() / curves[0][-10:].mean() - 1) < 0.1 and not np.array_equal(*curves)


def test_a_batch_that_torchrun_cannot_split_is_refused(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("WORLD_SIZE", "7")
    words = ["train", "--level", "smoke", "--results", str(tmp_path)]
    assert cli.main("common", words) == 1
    assert "train.batch 256 does not divide over 7 processes; choose a multiple of 7" in capsys.readouterr().err


def test_unknown_device(toy, tmp_path, capsys):
    assert toy("add", "--level", "smoke", "--device", "gpu9") == 1
    assert "--device gpu9: not a device; use auto, cpu, cuda" in capsys.readouterr().err


def test_help_lists_experiments_levels_and_examples(capsys):
    with pytest.raises(SystemExit):
        cli.main("replications.flow_matching", ["--help"])
    text = capsys.readouterr().out
    assert "table1" in text and "NLL in bits/dim, Fréchet distance and NFE" in text
    assert "laptop" in text and "two cores, no GPU" in text and "python -m replications.flow_matching" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seed", "-1"], "--seed -1: replicates are counted from 0"),
        (["--seed", "0", "0"], "--seed 0 0: a replicate is named twice"),
        (["--threads", "0"], "--threads 0: choose from 1 to"),
        (["--threads", "100000"], "--threads 100000: choose from 1 to"),
        (["--base-seed", "-3"], "--base-seed -3: must be a whole number from 0 on"),
    ],
)
def test_impossible_calls_are_answered_before_any_run(toy, tmp_path, capsys, words, message):
    assert toy("add", "--level", "smoke", *words) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("metrics.csv"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["table1", "--set", "data=../../x"], "--set data=../../x: names a folder, so it must be letters"),
        (["gradients", "--sweep", "repeats=3,3"], "sweep what names folders (nothing here), or make one call with its own --out"),
    ],
)
def test_runs_have_a_folder_each_and_none_outside(tmp_path, capsys, words, message):
    assert cli.main("replications.flow_matching", [*words, "--level", "smoke", "--results", str(tmp_path / "results")]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_sweep_over_any_setting_keeps_its_runs_apart(tmp_path):
    words = ["gradients", "--level", "smoke", "--results", str(tmp_path), "--sweep", "repeats=3,4", "--sweep", "draws=[64]"]
    assert cli.main("replications.flow_matching", words) == 0
    found = [json.loads(file.read_text())["settings"]["repeats"] for file in tmp_path.glob("smoke/own/**/run.json")]
    assert sorted(found) == [3, 4] and not (tmp_path / "smoke" / "flow_matching").exists()


@pytest.mark.parametrize("device", ["meta", "gpu9", "cuda:7"])
def test_an_impossible_device_is_named(toy, device, capsys):
    assert toy("add", "--level", "smoke", "--device", device) == 1
    assert f"--device {device}: " in capsys.readouterr().err


def test_two_processes_do_not_share_a_folder(tmp_path):
    """The second is told who is there, and leaves everything as it was; when the first has ended, it may."""
    with (
        held(tmp_path),
        pytest.raises(RetraceError, match=rf"{tmp_path}: process {os.getpid()} on .* is at work here; wait for it"),
    ):
        held(tmp_path).__enter__()
    with held(tmp_path):
        assert (tmp_path / ".held").is_file()
    assert not (tmp_path / ".held").exists()


def test_a_failing_rerun_leaves_the_finished_result(toy, tmp_path, monkeypatch):
    assert toy("add", "--level", "smoke") == 0
    (file,) = tmp_path.rglob("metrics.csv")
    before = file.read_bytes()
    assert toy("add", "--level", "smoke", "--device", "meta") == 1
    assert file.read_bytes() == before and (file.parent / "failure.json").is_file()
    assert toy("add", "--level", "smoke") == 0
    assert not (file.parent / "failure.json").exists()


def test_the_command_says_torchrun(monkeypatch):
    assert shown_command("common", ["train", "--set", "data=a b"]) == "python -m common train --set 'data=a b'"
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert shown_command("common", ["train"]) == "torchrun --nproc_per_node=4 -m common train"
