"""The whole workflow at smoke level in a copy of the tree: it runs, stops when done, reruns what an edit touches."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from common.runs.settings import ROOT

SMOKE = ["--config", "level=smoke", "papers=[flow_matching]"]  # one paper shows what the workflow does
GRADIENTS = "flow_matching_exact_paths"  # the job whose process does them


def snakemake(tree, *words):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *words]
    return subprocess.run(command, cwd=tree, env=os.environ | {"PATH": path}, capture_output=True, text=True)


def files_of_the_tree():
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    for name in files_of_the_tree():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    config = folder / "config/config.yaml"
    one_seed = config.read_text().replace("smoke: 2", "smoke: 1")
    assert one_seed != config.read_text()
    config.write_text(one_seed)
    done = snakemake(folder, "all", "flow_matching", *SMOKE)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def dry_run(tree, target="all"):
    """Return the jobs that a call would run now: rule name -> count."""
    done = snakemake(tree, target, *SMOKE, "--dry-run")
    assert done.returncode == 0, done.stderr[-2000:]
    # the table "Job stats": a line of dashes, a line per rule, the total
    table = re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, flags=re.MULTILINE)
    return {rule: int(count) for rule, count in table if rule not in ("all", "total")}


def edited(file, text):
    """Change a file's content for the duration of a test."""
    old = file.read_text()

    class Edit:
        def __enter__(self):
            file.write_text(text(old))

        def __exit__(self, *_):
            file.write_text(old)

    return Edit()


def test_every_planned_run_is_in_the_tables(tree):
    planned = (tree / "results/smoke/runs.txt").read_text().split()
    assert planned and all((tree / run / "metrics.csv").is_file() for run in planned)
    metrics = pd.read_csv(tree / "results/smoke/metrics.csv")
    assert set(metrics.status) == {"ok"} and set(metrics.level) == {"smoke"}
    claims = pd.read_csv(tree / "results/smoke/claims.csv")
    assert set(claims.verdict) == {"not run"}, "smoke judges nothing: every claim needs a higher level"
    judged = claims[(claims.level == "laptop") & (claims.paper == "flow_matching")]
    assert set(judged[judged.n_seeds == 0].claim) == set(), "every statistic finds its rows"
    page = (tree / "report/build/smoke/flow_matching/index.html").read_text()
    assert len(page) > 100_000
    assert "could not be drawn" not in page and "could not be made" not in page, "every figure and table of a smoke run is there"
    findings = re.findall(r'<section class="finding".*?</section>', page, re.S)
    assert sum("<figure" in finding for finding in findings) >= len(findings) - 1, "figures stand in their findings"


def test_snakemakes_own_report_has_pages_and_tables_with_their_captions(tree):
    done = snakemake(tree, "--report", "snakemake.html", *SMOKE)
    assert done.returncode == 0, done.stderr[-2000:]
    text = (tree / "snakemake.html").read_text()
    (tree / "snakemake.html").unlink()
    # as the page's script finds them: JSON in the page
    for part in ("Pages", "Tables", "index.html", "metrics.csv", "claims.csv", "Every measured number of level smoke"):
        assert part in text, part


def test_a_second_call_has_nothing_to_do(tree):
    assert dry_run(tree) == {}


@pytest.mark.parametrize("target", ["all", "flow_matching"])
def test_a_deleted_run_is_made_again_though_the_page_exists(tree, target):
    run, away = tree / "results/smoke/flow_matching/gradients/default", tree / "away"
    run.rename(away)
    try:
        jobs = set(dry_run(tree, target))
    finally:
        away.rename(run)
    assert jobs - {"flow_matching"} == {GRADIENTS, "flow_matching_page"} | ({"report"} if target == "all" else set())


def test_with_all_results_deleted_everything_is_made_again(tree):
    (tree / "results").rename(tree / "away")
    try:
        jobs = set(dry_run(tree))
    finally:
        shutil.rmtree(tree / "results", ignore_errors=True)
        (tree / "away").rename(tree / "results")
    assert {"train_digits", "features_digits", "flow_matching_table1", "flow_matching_exact_paths", "report"} <= jobs


def test_jobs_run_with_the_python_of_this_snakemake_without_activation(tree):
    run = "results/smoke/flow_matching/gradients/default/seed0"
    shutil.rmtree(tree / run)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", f"{run}/metrics.csv", *SMOKE]
    done = subprocess.run(command, cwd=tree, env=os.environ | {"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert done.returncode == 0 and (tree / run / "metrics.csv").is_file(), done.stderr[-2000:]


def test_an_edit_reruns_what_imports_the_file_and_nothing_else(tree):
    with edited(tree / "common/dynamics/likelihood.py", lambda text: text + "\n# edited\n"):
        jobs = set(dry_run(tree))
    assert {"flow_matching_toy_2d", "flow_matching_table1", "report"} <= jobs
    untouched = ("features", "flow_matching_exact_paths", "flow_matching_solver_error")
    assert not [job for job in jobs if "train" in job or job in untouched]
    with edited(tree / "replications/flow_matching/figures.py", lambda text: text + "\n# edited\n"):
        assert set(dry_run(tree)) == {"flow_matching_page", "report"}


def test_a_changed_setting_reruns_its_experiment_and_what_follows(tree):
    file = tree / "replications/flow_matching/settings.yaml"
    with edited(file, lambda text: text.replace("    starts: 32\n", "    starts: 33\n")):
        jobs = set(dry_run(tree))
    assert "flow_matching_solver_error" in jobs
    assert not [job for job in jobs if "train" in job or job in ("flow_matching_table1", "flow_matching_toy_2d")]


def test_a_failing_experiment_leaves_a_row_and_a_report_and_a_nonzero_exit(tree):
    file = tree / "replications/flow_matching/experiments/solver_error.py"
    start = "def run(settings: Settings, context: Context) -> Outcome:\n"
    first = tree / "results/smoke/flow_matching/gradients/default"
    shutil.rmtree(first)  # a first run fails in another way than a rerun: nothing is there before it
    other = tree / "replications/flow_matching/experiments/gradients.py"
    with (
        edited(file, lambda text: text.replace(start, start + '    raise ValueError("<b>boom</b>")\n')),
        edited(other, lambda text: text.replace(start, start + '    raise ValueError("none before")\n')),
    ):
        done = snakemake(tree, *SMOKE)
    assert done.returncode != 0
    metrics = pd.read_csv(tree / "results/smoke/metrics.csv")
    assert set(metrics[metrics.experiment == "gradients"].message) == {"ValueError: none before"}
    metrics = metrics[metrics.experiment != "gradients"]
    failed = metrics[metrics.experiment == "solver_error"]
    assert set(failed.status) == {"failed"} and failed.message.str.contains("boom").all() and len(failed) == 1
    assert set(metrics[metrics.experiment != "solver_error"].status) == {"ok"}, "other runs keep their rows"
    page = (tree / "report/build/smoke/index.html").read_text()
    assert "&lt;b&gt;boom" in page and "<b>boom" not in page
    finished = tree / "results/smoke/flow_matching/solver_error/digits/seed0"
    said = done.stderr
    assert f"failed: {finished.relative_to(tree)}" in said and "ValueError: <b>boom</b>" in said and "Traceback" in said
    assert "the end of results/smoke/logs/flow_matching/flow_matching_solver_error.log" in said
    assert "After mending the cause: snakemake --cores --config level=smoke" in said
    assert said.count("metrics.csv") < 20, "no pages of file lists"
    assert (finished / "metrics.csv").is_file() and (finished / "failure.json").is_file(), "what was finished before stays"
    # the cause mended, the next call would run the failed job again, and no training
    again = dry_run(tree)
    assert again["flow_matching_solver_error"] == again[GRADIENTS] == 1 and not [job for job in again if "train" in job]


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (["--config", "level=smok"], ["'smok' is not a level", "did you mean 'smoke'"]),
        (["--config", "levle=smoke"], ["unknown key 'levle'", "did you mean 'level'"]),
        (["--config", "papers=[flow_matchin]"], ["there is no paper 'flow_matchin'", "did you mean 'flow_matching'"]),
    ],
)
def test_bad_configuration_is_named_before_any_job(tree, words, messages):
    done = snakemake(tree, "--dry-run", *words)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert all(message in said for message in messages), said


def test_bad_settings_stop_the_workflow_before_any_compute(tree):
    file = tree / "common/settings.yaml"
    with edited(file, lambda text: text.replace("{steps: 60, batch: 64", "{stpes: 60, batch: 64")):
        done = snakemake(tree, *SMOKE)
    assert done.returncode != 0
    message = "settings.yaml: train.smoke.train.stpes: unknown key 'stpes'; did you mean 'steps'?"
    assert message in done.stderr, done.stderr[-3000:]
    assert "Finished jobid" not in done.stderr


def test_of_a_job_with_several_runs_only_the_missing_one_is_made_again(tree):
    def started(objective):
        return json.loads((tree / f"results/smoke/models/digits-mlp-{objective}/seed0/run.json").read_text())["started"]

    gone = tree / "results/smoke/models/digits-mlp-fm_ot/seed0"
    before = {objective: started(objective) for objective in ("fm_ot", "fm_vp", "score_vp")}
    time.sleep(1.1)  # a start is noted to the second
    shutil.rmtree(gone)
    target = f"{gone.relative_to(tree)}/metrics.csv"
    done = snakemake(tree, target, *SMOKE)
    assert done.returncode == 0, done.stderr[-2000:]
    after = {objective: started(objective) for objective in before}
    assert after["fm_ot"] != before["fm_ot"] and {**after, "fm_ot": ""} == {**before, "fm_ot": ""}
    assert dry_run(tree, target) == {}, "what was kept is as new as what was made"
    done = snakemake(tree, target, "--forceall", *SMOKE)
    assert done.returncode == 0 and not set(after.values()) & {started(objective) for objective in before}, "made anew when told"
