"""Every planned run leaves a row; nothing is dropped in silence."""

import json

import fabricate
import pandas as pd
import pytest

from common.errors import CheckpointError, RetraceError
from common.measure.claims import CLAIM_COLUMNS
from common.runs import cli
from common.runs.folders import COLUMNS
from report.__main__ import main
from report.collect import NOT_RUN, collect, judge_all, load_papers, read_plan


def gather(results, plan):
    return collect(fabricate.LEVEL, read_plan(plan), results)


def test_finished_failed_and_missing_runs(tree):
    _, results, plan = tree
    found = gather(results, plan)
    assert (len(found.runs), [run.status for run in found.unfinished]) == (6, ["failed", "not run"])
    failed, missing = found.metrics[found.metrics.status != "ok"].to_dict("records")
    assert (failed["paper"], failed["experiment"], failed["dataset"], failed["seed"]) == ("score_paper", "evaluate", "moons", 0)
    assert failed["status"] == "failed" and fabricate.HOSTILE in failed["message"]
    # nothing but the path says what this run would have been
    assert (missing["paper"], missing["experiment"], missing["variant"], missing["seed"]) == ("score_paper", "train", "moons", 1)
    assert (missing["status"], missing["message"], missing["level"]) == ("not run", NOT_RUN, fabricate.LEVEL)


def test_a_missing_model_names_no_paper(tree):
    _, results, _ = tree
    folder = results / fabricate.LEVEL / "models" / "digits-mlp-fm_ot" / "seed2"
    (run,) = collect(fabricate.LEVEL, [folder], results).unfinished
    assert (run.paper, run.experiment, run.variant, run.seed) == ("", "models", "digits-mlp-fm_ot", 2)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [("run.json", "{", "run.json"), ("metrics.csv", "a,b\n", "metrics.csv"), ("run.json", '{"level": "smoke"}', "'smoke'")],
)
def test_an_unreadable_or_foreign_run_counts_as_failed(tree, file, text, words):
    _, results, plan = tree
    folder = read_plan(plan)[0]
    (folder / file).write_text(text)
    found = gather(results, plan)
    (run,) = [run for run in found.unfinished if run.folder == folder]
    assert run.status == "failed" and words in run.message and (run.paper, run.seed) == ("flow_paper", 0)
    assert len(found.runs) == 5


@pytest.mark.parametrize("text", ["{", "[]", '{"seed": "x"}'])
def test_an_unreadable_failure_is_still_a_failure(tree, text):
    _, results, plan = tree
    folder = next(folder for folder in read_plan(plan) if (folder / "failure.json").is_file())
    (folder / "failure.json").write_text(text)
    (run,) = [run for run in gather(results, plan).unfinished if run.folder == folder]
    assert run.status == "failed" and "failure.json" in run.message


def test_a_run_on_a_users_own_file_says_whose_it_would_have_been(tree):
    _, results, _ = tree
    folder = results / fabricate.LEVEL / "own" / "survey" / "bring_your_own" / "digits-mine" / "seed3"
    (run,) = collect(fabricate.LEVEL, [folder], results).unfinished
    assert (run.paper, run.experiment, run.variant, run.seed) == ("survey", "bring_your_own", "digits-mine", 3)


def test_a_failed_attempt_counts_and_not_what_was_finished_before_it(tree):
    _, results, plan = tree
    folder = read_plan(plan)[0]
    (folder / "failure.json").write_text(json.dumps({"message": "of the last try"}))
    found = gather(results, plan)
    assert folder not in [run.path for run in found.runs]
    assert "of the last try" in [run.message for run in found.unfinished]


@pytest.mark.parametrize("file", ["metrics.csv", "arrays.npz"])
def test_a_file_that_rotted_is_named(tree, file):
    """One bit, or the second half, is enough."""
    _, results, plan = tree
    folder = read_plan(plan)[0]
    content = bytearray((folder / file).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / file).write_bytes(content)
    if file == "metrics.csv":
        (run,) = [run for run in gather(results, plan).unfinished if run.folder == folder]
        assert run.status == "failed" and "metrics.csv: is not what its run wrote" in run.message
    else:
        run = next(run for run in gather(results, plan).runs if run.path == folder)
        with pytest.raises(CheckpointError, match=r"arrays\.npz: is not what its run wrote .* delete .* and run again"):
            _ = run.arrays


def test_a_run_of_other_settings_than_the_levels_is_refused_by_name(tmp_path):
    folder = tmp_path / "smoke" / "flow_matching" / "gradients" / "default" / "seed0"
    assert cli.main("replications.flow_matching", ["gradients", "--level", "smoke", "--results", str(tmp_path)]) == 0
    assert [run.path for run in collect("smoke", [folder], tmp_path).runs] == [folder]
    elsewhere = ["gradients", "--level", "smoke", "--results", str(tmp_path), "--set", "repeats=3"]
    assert cli.main("replications.flow_matching", elsewhere) == 0
    assert [run.path for run in collect("smoke", [folder], tmp_path).runs] == [folder], "kept apart"
    (other,) = tmp_path.glob("smoke/own/flow_matching/gradients/default-*/seed0")
    assert json.loads((other / "run.json").read_text())["settings"]["repeats"] == 3
    assert cli.main("replications.flow_matching", [*elsewhere, "--out", str(folder)]) == 0
    (run,) = collect("smoke", [folder], tmp_path).unfinished
    assert run.status == "failed" and "run.json: was run with other settings than the level's own" in run.message


def test_tables_are_written_and_read_back_exactly(built):
    _, results, plan, out = built
    found = gather(results, plan)
    metrics, text = (results / fabricate.LEVEL / "metrics.csv"), (out / "metrics.csv").read_text()
    assert metrics.read_text() == text
    assert tuple(text.splitlines()[0].split(",")) == COLUMNS
    whole = pd.read_csv(metrics, keep_default_na=False)
    ok = whole[whole.status == "ok"]
    assert ok.value.astype(float).tolist() == found.metrics[found.metrics.status == "ok"].value.tolist()
    assert set(ok[ok.metric == "error"].nfe) == {"4", "8", "16", "32"}, "counts have no trailing .0"
    claims = pd.read_csv(out / "claims.csv")
    assert tuple(claims.columns) == CLAIM_COLUMNS
    assert claims.set_index("claim").verdict.to_dict() == {
        "remembered": "inconclusive",
        "broken": "inconclusive",
        "gain": "replicated",
        "identity": "holds",
        "nfe-ratio": "contradicted",
        "gain-large": "contradicted",
        "large": "not run",
    }


def test_papers_in_order_of_time(tree):
    papers, _, _ = tree
    assert [paper.id for paper in load_papers(papers)] == ["score_paper", "flow_paper"]
    assert [paper.id for paper in load_papers(papers, ["flow_paper"])] == ["flow_paper"]
    with pytest.raises(RetraceError, match="did you mean 'flow_paper'"):
        load_papers(papers, ["flow_papre"])


def test_no_papers_no_claims(tree, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert tuple(judge_all(load_papers(empty), gather(*tree[1:])).columns) == CLAIM_COLUMNS


def test_a_missing_plan_is_answered_with_the_file_and_the_remedy(tree, tmp_path, capsys):
    arguments = ["all", "--level", "laptop", "--runs", str(tmp_path / "absent.txt"), "--out", str(tmp_path / "out")]
    assert main(arguments, root=tree[0]) == 2
    assert "absent.txt" in (message := capsys.readouterr().err) and "snakemake" in message


def test_a_report_on_one_paper_leaves_the_tables_of_all_papers_alone(tree, tmp_path):
    papers, results, plan = tree
    shared = ["--level", fabricate.LEVEL, "--results", str(results), "--runs", str(plan)]
    assert main(["collect", *shared], root=papers) == 0
    before = (results / fabricate.LEVEL / "claims.csv").read_text()
    assert main(["paper", *shared, "--papers", "flow_paper", "--out", str(tmp_path / "one")], root=papers) == 0
    assert (results / fabricate.LEVEL / "claims.csv").read_text() == before
    assert set(pd.read_csv(tmp_path / "one" / "flow_paper" / "claims.csv").paper) == {"flow_paper"}


@pytest.mark.parametrize(("key", "value"), [("seed", "x"), ("seconds", None), ("settings", []), ("paper", 3)])
def test_a_mistake_in_one_run_json_costs_that_run_and_not_the_page(tree, key, value):
    _, results, plan = tree
    folder = read_plan(plan)[0]
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(info | {key: value}))
    found = gather(results, plan)
    (run,) = [run for run in found.unfinished if run.folder == folder]
    assert f"run.json: {key}: is {value!r}" in run.message and len(found.runs) == 5
