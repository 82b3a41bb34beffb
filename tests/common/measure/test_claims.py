"""Every verdict of `judge`, and every mistake in a paper.yaml answered with file, claim, key and remedy."""

import math

import pandas as pd
import pytest
import yaml

from common.errors import SettingsError
from common.measure.claims import CLAIM_COLUMNS, check_statistics, criterion, discoveries, judge
from common.measure.paper import Reported, load_paper, plain_numbers
from common.runs.folders import COLUMNS

CLAIM = {
    "id": "half",
    "number": "1",
    "location": "Table 1",
    "statement": "One half.",
    "grade": "solid",
    "reported": {"value": 0.5, "source": "derived", "protocol": "by hand"},
    "level": "laptop",
    "kind": "real",
    "statistic": "value_of_a",
    "range": [0.4, 0.6],
}
PAPER = {
    "id": "toy",
    "title": "A Toy",
    "authors": ["A. Author"],
    "year": 2020,
    "venue": "Nowhere",
    "arxiv": "2001.00001",
    "summary": "An idea.",
    "numbered": 1,
    "claims": [CLAIM],
}
STATISTICS = """
from common.measure.statistics import per_seed

def value_of_a(metrics):
    "The value itself."
    return per_seed(metrics, metric="value", method="a")

def broken(metrics):
    "Fails."
    raise ZeroDivisionError("by nothing")

def against_its_floor(metrics):
    "With the excess over the floor beside it."
    value = value_of_a(metrics)
    return value.to_frame("value").assign(excess=value - 0.5)

def with_error(metrics):
    "With the standard error of what the seeds share."
    return value_of_a(metrics).to_frame("value").assign(error=0.1)

def not_a_series(metrics):
    "Forgets the seeds."
    return 1.0
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes the paper with changed claims or keys and loads it."""
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "claims.py").write_text(STATISTICS)

    def load(*claims, **changes):
        text = yaml.safe_dump(PAPER | {"claims": [CLAIM | claim for claim in claims] or [CLAIM]} | changes)
        (folder / "paper.yaml").write_text(text)
        return load_paper(folder)

    return load


def table(*values, level="laptop", status="ok", paper="toy"):
    shared = {"paper": paper, "metric": "value", "method": "a", "level": level, "status": status}
    return pd.DataFrame([{**shared, "seed": seed, "value": value} for seed, value in enumerate(values)], columns=list(COLUMNS))


def test_a_replicated_claim_with_every_column(write):
    claims = judge(write({"unit": "m", "note": "aside"}), table(0.48, 0.49, 0.50, 0.51, 0.52), "laptop")
    assert tuple(claims.columns) == CLAIM_COLUMNS
    row = claims.iloc[0]
    half = 2.131846786326649 * math.sqrt(2.5e-4 / 5)  # Student-t quantile for four degrees of freedom, s^2 = 0.00025
    assert (row.measured, row.low, row.high) == pytest.approx((0.5, 0.5 - half, 0.5 + half))
    assert (row.paper, row.claim, row.number, row.location, row.grade) == ("toy", "half", "1", "Table 1", "solid")
    assert (row.reported, row.source, row.protocol) == ("0.5", "derived", "by hand")
    assert (row.n_seeds, row.criterion, row.unit, row.verdict) == (5, "from 0.4 to 0.6", "m", "replicated")
    assert (row.kind, row.amendments, row.registered, row.survives, row.close) == ("real", 0, "not registered", "", "")
    assert "90%" in row.reason and 0 < row.p_value < 0.001
    assert row.command == "snakemake toy --cores all --config level=laptop"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((0.7, 0.71, 0.72, 0.7, 0.71), "contradicted"),
        ((0.3, 0.5, 0.7, 0.3, 0.7), "inconclusive"),
        ((0.5, 0.5, 0.5, 0.5), "inconclusive"),
    ],
)
def test_the_interval_decides(write, values, word):
    assert judge(write(), table(*values), "laptop").verdict.item() == word


def test_the_kind_decides_how(write):
    kinds = [{"id": kind, "kind": kind} for kind in ("check", "event", "positive", "real")]
    found = judge(write(*kinds), table(0.5, 0.5, 0.45, 0.55, 0.62), "laptop").set_index("claim")
    assert found.verdict.to_dict() == {
        "check": "fails",
        "event": "inconclusive",
        "positive": "replicated",
        "real": "replicated",
    }
    assert found.measured["positive"] < found.measured["real"] and math.isnan(found.p_value["check"])


def test_what_a_statistic_says_beside_its_values_counts(write):
    claims = [{"id": name.replace("_", "-"), "statistic": name} for name in ("value_of_a", "against_its_floor", "with_error")]
    found = judge(write(*claims), table(0.48, 0.49, 0.50, 0.51, 0.52), "laptop").set_index("claim")
    assert list(found.verdict) == ["replicated", "inconclusive", "inconclusive"]
    assert "too coarse" in found.reason["against-its-floor"] and found.high["with-error"] > 0.7


def test_discoveries_are_counted_over_the_whole_report(write):
    alone = judge(write(), table(0.48, 0.49, 0.50, 0.51, 0.52), "laptop")
    assert discoveries(alone).survives.item() == "yes"
    # one weak verdict among many tests that found nothing does not survive them
    weak = alone.assign(p_value=0.04)
    others = pd.concat([alone.assign(p_value=0.9)] * 9 + [alone.assign(p_value=math.nan)])
    assert list(discoveries(pd.concat([weak, others], ignore_index=True)).survives) == ["no"] * 10 + [""]


def test_below_its_level_a_claim_is_measured_but_not_judged(write):
    row = judge(write(), table(0.7, 0.71, 0.72, 0.71, 0.71, level="smoke"), "smoke").iloc[0]
    assert (row.verdict, row.reason, row.n_seeds) == ("not run", "needs level laptop", 5)
    assert row.measured == pytest.approx(0.71) and math.isnan(row.p_value)
    assert row.command.endswith("level=laptop"), "the command that would judge it"


@pytest.mark.parametrize(
    "metrics", [table(), table(0.5, 0.5, 0.5, status="failed"), table(0.5, 0.5, 0.5, level="smoke"), table(0.5, paper="other")]
)
def test_only_finished_rows_of_this_paper_and_level_count(write, metrics):
    row = judge(write(), metrics, "laptop").iloc[0]
    assert row.verdict == "not run" and row.reason.startswith("its runs are missing or failed: ")
    assert math.isnan(row.measured) and row.n_seeds == 0


def test_missing_rows_below_the_level_name_the_level_that_is_needed(write):
    row = judge(write({"level": "gpu"}), table(), "laptop").iloc[0]
    assert (row.verdict, row.reason) == ("not run", "needs level gpu")


@pytest.mark.parametrize(
    ("statistic", "words"),
    [("broken", "ZeroDivisionError: by nothing"), ("not_a_series", "not float"), ("absent", "no function absent")],
)
def test_a_statistic_that_fails_costs_its_own_claim_only(write, statistic, words):
    claims = judge(write({"id": "bad", "statistic": statistic}, {"id": "good"}), table(*[0.5] * 5), "laptop")
    assert list(claims.verdict) == ["inconclusive", "replicated"]
    assert "its statistic failed" in claims.reason[0] and words in claims.reason[0]


def test_a_claim_without_a_number_of_the_paper(write):
    row = judge(write({"reported": "none"}), table(), "laptop").iloc[0]
    assert (row.reported, row.source, row.protocol) == ("none", "", "")


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        ("0.78, 0.63, 0.74", [0.78, 0.63, 0.74]),
        ("-0.5", [-0.5]),
        ("1e-3", [0.001]),
        ("0.42 % against 0.41 %", []),
        ("rank 1 of 5", []),
        ("O(1)", []),
        ("e", []),
    ],
)
def test_a_report_in_numbers_is_told_from_one_in_words(value, numbers):
    assert plain_numbers(Reported(value=value, source="paper", protocol="p")) == numbers
    assert plain_numbers("none") == []


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((None, 1.0), "at most 1"),
        ((0.0, None), "at least 0"),
        ((1.0, 1.0), "exactly 1"),
        ((0.999999, 1.000001), "from 0.999999 to 1.000001"),
    ],
)
def test_criterion_in_words(bounds, words):
    assert criterion(bounds) == words


@pytest.mark.parametrize(
    ("claims", "changes", "words"),
    [
        ([{"grade": "sollid"}], {}, ["claims 'half': grade", "'solid'", "got 'sollid'"]),
        ([{"statistics": "x"}], {}, ["claims 'half': statistics", "unknown key", "did you mean 'statistic'"]),
        ([{"id": "Not kebab"}], {}, ["claims 'Not kebab': id", "got 'Not kebab'"]),
        ([{"range": [None, None]}], {}, ["claims 'half'", "open at both ends"]),
        ([{"range": [1, 0]}], {}, ["claims 'half'", "[1, 0] is empty"]),
        ([{"kind": "reel"}], {}, ["claims 'half': kind", "'real'", "got 'reel'"]),
        ([{"kind": "positive", "range": [0, 1]}], {}, ["claims 'half'", "bounds of a positive claim must be above 0"]),
        ([{"range": [0.6, 1]}], {}, ["claims 'half'", "the paper's own 0.5 does not lie in range"]),
        ([{"amended": [{"date": "soon", "why": "w", "rule": "r", "verdict": "none"}]}], {}, ["amended.0.date", "got 'soon'"]),
        ([{"amended": [{"date": "2026-01-01", "wy": "w", "rule": "r", "verdict": "none"}]}], {}, ["did you mean 'why'"]),
        (
            [],
            {"withdrawn": [{"id": "half", "date": "2026-01-01", "why": "w", "rule": "r", "verdict": "none"}]},
            ["two claims have the id 'half'"],
        ),
        ([{"reported": {"value": "1", "source": "hearsay", "protocol": "p"}}], {}, ["reported.source", "'memory'", "'hearsay'"]),
        ([{"reported": {"value": "1", "source": "paper"}}], {}, ["claims 'half': reported.protocol: missing"]),
        ([{"reported": {"values": "1", "source": "paper", "protocol": "p"}}], {}, ["reported.values", "did you mean 'value'"]),
        ([{}, {}], {}, ["two claims have the id 'half'"]),
        ([], {"equations": [{"latex": "x", "says": "s", "wher": "w"}]}, ["equations.0.wher", "did you mean 'where'"]),
        ([], {"equations": [{"latex": "", "says": "s", "where": "w"}]}, ["equations.0.latex"]),
        ([], {"summary_sheet": {"scope": "s", "methodology": "m", "easy": "e"}}, ["summary_sheet.hard: missing"]),
        ([], {"summary_sheet": {"scop": "s", "methodology": "m", "easy": "e", "hard": "h"}}, ["summary_sheet.scop", "'scope'"]),
        ([], {"yeer": 2020}, ["yeer", "did you mean 'year'"]),
        ([], {"id": "other"}, ["id", "'other'", "'toy'"]),
        (
            [],
            {
                "reported_tables": [
                    {"title": "T", "location": "l", "source": "paper", "protocol": "p", "columns": ["a"], "rows": [[1, 2]]}
                ]
            },
            ["reported_tables 'T'", "2 cells for 1 columns"],
        ),
    ],
)
def test_mistakes_name_file_claim_key_and_remedy(write, claims, changes, words):
    with pytest.raises(SettingsError) as error:
        write(*claims, **changes)
    assert all(word in str(error.value) for word in ["toy/paper.yaml", *words]), str(error.value)


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "paper.yaml").write_text("")
    with pytest.raises(SettingsError, match=r"paper\.yaml"):
        load_paper(tmp_path)


def test_what_a_block_says_holds_for_its_claims_unless_they_say_otherwise(tmp_path):
    """Written in blocks or one by one, the claims are the same."""
    shared = {key: CLAIM[key] for key in ("location", "number", "grade", "level", "kind")}
    own = {"statement": "S.", "statistic": "value_of_a", "range": [0, 1]}
    first = {"id": "first", "reported": 0.5, **own}
    second = {"id": "second", "grade": "fragile", "reported": 0.7, "protocol": "by machine", **own}
    third = {"id": "third", "number": "2", **own}
    block = {**shared, "source": "derived", "protocol": "by hand", "claims": [first, second, third]}
    numbers = [("0.5", "by hand"), ("0.7", "by machine")]
    reported = [{"value": value, "source": "derived", "protocol": protocol} for value, protocol in numbers]
    singly = [{**shared, **claim} for claim in (first, second, third)]
    singly = [{**claim, "reported": given} for claim, given in zip(singly, [*reported, "none"])]
    del singly[1]["protocol"]
    (tmp_path / "toy").mkdir()
    found = []
    for claims in ([block], singly):
        (tmp_path / "toy" / "paper.yaml").write_text(yaml.safe_dump(PAPER | {"claims": claims}))
        found.append(load_paper(tmp_path / "toy").claims)
    assert found[0] == found[1]
    assert [claim.grade for claim in found[0]] == ["solid", "fragile", "solid"] and found[0][2].reported == "none"


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (
            {"location": "Table 1", "levl": "laptop", "claims": [CLAIM]},
            ["claims of Table 1: unknown key", "did you mean 'level'"],
        ),
        ({"location": "Table 1", "claims": "half"}, ["claims of Table 1: claims: must be a list"]),
        ({"location": "Table 1", "claims": [{**CLAIM, "grade": "sollid"}]}, ["claims 'half': grade", "got 'sollid'"]),
    ],
)
def test_a_mistake_in_a_block_is_named(tmp_path, block, words):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "paper.yaml").write_text(yaml.safe_dump(PAPER | {"claims": [block]}))
    with pytest.raises(SettingsError) as error:
        load_paper(tmp_path / "toy")
    assert all(word in str(error.value) for word in ["paper.yaml", *words]), str(error.value)


def test_a_statistic_that_does_not_exist_is_found_before_any_run(write):
    check_statistics(write({}))
    with pytest.raises(
        SettingsError, match=r"claims 'half': statistic: claims\.py has no 'value_of_b'; did you mean 'value_of_a'"
    ):
        check_statistics(write({"statistic": "value_of_b"}))
