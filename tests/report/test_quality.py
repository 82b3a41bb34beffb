"""What a reader should know before trusting the numbers: everything that is wrong is said, and nothing else."""

import json
from dataclasses import replace

import fabricate
import pytest

from common.measure.paper import load_paper
from common.measure.verdicts import COARSE
from report.certainty import registered
from report.collect import collect, judge_all, load_papers, read_plan
from report.quality import SEVERITIES, concerns


@pytest.fixture
def given(tree):
    """Papers by name, claims and collection."""
    papers, results, plan = tree
    collection = collect(fabricate.LEVEL, read_plan(plan), results)
    loaded = load_papers(papers)
    return {paper.id: paper for paper in loaded}, judge_all(loaded, collection), collection


def said(given, name, claims=None, collection=None):
    papers, old_claims, old_collection = given
    paper, claims, collection = papers[name], old_claims if claims is None else claims, collection or old_collection
    mine = [run for run in collection.runs if run.info.get("paper") == name]
    found = concerns(paper, claims, collection, registered(paper, claims[claims["paper"] == name], mine))
    assert [each.severity for each in found] == sorted((each.severity for each in found), key=[*SEVERITIES].index)
    return {each.text: each for each in found}


def with_claim(claims, claim, **changes):
    claims = claims.copy()
    for key, value in changes.items():
        claims.loc[claims.claim == claim, key] = value
    return claims


def test_failed_and_missing_runs_and_a_broken_statistic(given):
    found = said(given, "score_paper")
    assert found["1 run of evaluate failed."].severity == "serious" and found["1 run of evaluate failed."].anchor == "unfinished"
    assert "1 run of train did not start." in found
    broken = found["Statistics that raised an error:"]
    assert (broken.severity, broken.claims) == ("serious", ["broken"])
    few = found["Too few replicates for a verdict:"]
    assert (few.severity, few.claims) == ("caution", ["remembered"])


def test_a_paper_in_order_has_nothing_but_its_close_verdicts_and_its_missing_registration(given):
    found = said(given, "flow_paper")
    missing, close = found.values()
    assert missing.text == "The claims were not registered before the run."
    assert close.text.startswith("Intervals that end within") and close.claims == ["gain-large"]


@pytest.mark.parametrize(
    ("changes", "severity", "words"),
    [
        ({"verdict": "fails"}, "serious", "Checks that fail"),
        ({"verdict": "not run", "reason": "its runs are missing or failed: x"}, "serious", "although this level judges them"),
        ({"verdict": "inconclusive", "reason": f"{COARSE}: what is compared"}, "caution", "do not clear"),
        ({"verdict": "inconclusive", "reason": "not finite: 1 of 5 replicates"}, "caution", "no interval"),
        ({"close": "yes"}, "note", "within their own width"),
    ],
)
def test_each_thing_that_may_be_wrong_with_a_claim(given, changes, severity, words):
    found = said(given, "flow_paper", with_claim(given[1], "identity", **changes))
    (concern,) = [each for each in found.values() if "identity" in each.claims]
    assert concern.severity == severity and words in concern.text


def test_a_claim_that_needs_a_larger_level_is_no_concern(given):
    assert not [each for each in said(given, "flow_paper").values() if "large" in each.claims]


def test_rows_that_tell_nothing(given):
    _, _, collection = given
    metrics = collection.metrics.copy()
    mine = metrics.index[(metrics.paper == "flow_paper") & (metrics.metric == "error") & (metrics.method == "a")]
    metrics.loc[mine[0], "value"] = float("nan")
    metrics.loc[mine[1], "floor"] = metrics.loc[mine[1], "value"]
    metrics.loc[mine[2], ["status", "message"]] = ["refused", "too noisy"]
    found = said(given, "flow_paper", collection=replace(collection, metrics=metrics))
    assert found["Not finite: 1 number of evaluate."].severity == "serious"
    assert found["1 number could not be measured as asked: too noisy."].severity == "caution"
    assert any(
        text.startswith("1 distance no larger than what data reads against data, so they tell nothing apart: error of a")
        for text in found
    )


def test_what_data_reads_against_itself_is_no_concern(given):
    _, _, collection = given
    metrics = collection.metrics.copy()
    mine = metrics.index[(metrics.paper == "flow_paper") & (metrics.metric == "error") & (metrics.method == "a")]
    metrics.loc[mine, "floor"] = metrics.loc[mine, "value"]
    metrics.loc[mine, "method"] = "data"
    assert list(said(given, "flow_paper", collection=replace(collection, metrics=metrics))) == list(said(given, "flow_paper"))


def test_several_states_of_the_code_machines_and_seeds(tree, given):
    papers, results, plan = tree
    folder = read_plan(plan)[0]
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(info | {"commit": "fedcba987654+", "cpu": "Other CPU", "base_seed": 4}))
    (papers / "flow_paper" / "registered.lock").write_text(
        'date: "2026-01-01"\nbase_seed: 3\nlooked_at: []\nrule: {replicates: 5, confidence: 0.9}\nclaims: {}\n'
    )
    collection = collect(fabricate.LEVEL, read_plan(plan), results)
    loaded = load_papers(papers)
    found = said(given, "flow_paper", judge_all(loaded, collection), collection)
    assert found["Runs used base seed 4; registered is 3."].severity == "serious"
    assert any(text.startswith("The runs come from 2 states of the code: 0123456789ab, fedcba987654+") for text in found)
    assert found["Files differed from the commit when the runs were made."].anchor == "provenance"
    assert found["The runs come from 2 machines or set-ups: seconds do not compare."].severity == "note"
    assert load_paper(papers / "flow_paper").id == "flow_paper"
