"""What the workflow's rules do with a table of resources: a dry run in a tree of links."""

import os
import re
import subprocess
import sys

import pytest

from common.runs.settings import ROOT

TARGETS = [
    "results/smoke/models/digits-mlp-fm_ot/seed0/metrics.csv",
    "results/smoke/flow_matching/gradients/default/seed0/metrics.csv",
]


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    """The shell command of every job of a dry run, by the name of its log file."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("Snakefile", "common", "config", "environment.yml", "profiles", "replications", "report"):
        (tree / name).symlink_to(ROOT / name)
    (tree / "mine.yaml").write_text("train_digits: {gpu: 2}\n")
    words = ["--cores", "4", "--resources", "gpu=2", "--config", "level=smoke", "resources=mine.yaml"]
    shown = ["--dry-run", "--printshellcmds", "--quiet", "host"]
    command = [sys.executable, "-m", "snakemake", *TARGETS, *words, *shown]
    done = subprocess.run(command, cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)}, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    return {log: words for words, log in re.findall(r"(python -m .*) --wait > \S+/(\w+)\.log", said)}


def test_a_job_with_several_gpus_is_started_with_as_many_processes_and_threads(commands):
    assert commands["train_digits"].endswith("--threads 2 --gpus 2")


def test_a_job_that_the_table_does_not_name_is_as_without_it(commands):
    assert commands["flow_matching_exact_paths"].endswith("--threads 1 --gpus 0")
