"""Is mine right? Every word of the comparison, what it costs, and what it cannot answer."""

import math
import shutil
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from common.errors import RetraceError
from common.measure.claims import CLAIM_COLUMNS
from common.measure.verdicts import interval
from common.runs.settings import ROOT
from report.__main__ import main
from report.agreement import REFERENCES, agreement, read_claims, reference_file, summary, table

LINE = {
    "paper": "p",
    "claim": "c",
    "kind": "real",
    "criterion": "at most 1",
    "level": "laptop",
    "unit": "",
    "verdict": "replicated",
}
LINE |= {"unit": "", "measured": 0.5, "low": 0.4, "high": 0.6, "n_seeds": 5.0, "p_value": 0.01, "close": ""}

CHECK = {"kind": "check", "verdict": "holds"}


def claims(**changes):
    return pd.DataFrame([dict.fromkeys(CLAIM_COLUMNS, "") | LINE | changes], columns=list(CLAIM_COLUMNS))


def compared(here, there=None):
    (line,) = agreement(claims(**here), claims(**(there or {})))
    return line


@pytest.mark.parametrize(
    ("here", "there", "word"),
    [
        ({}, {}, "agrees"),
        ({"measured": 0.79}, {}, "agrees"),  # within one width beyond the interval
        ({"measured": 0.81}, {}, "differs"),
        ({"measured": 0.19}, {}, "differs"),
        ({"measured": -0.21}, {}, "suspiciously better"),  # more than three widths, and small is good
        ({"measured": 1.21}, {}, "differs"),  # as far on the bad side
        ({"measured": 1.21, "criterion": "at least 0"}, {"criterion": "at least 0"}, "suspiciously better"),
        ({"measured": -0.21, "criterion": "at least 0"}, {"criterion": "at least 0"}, "differs"),
        ({"measured": -0.21, "criterion": "from 0 to 1"}, {"criterion": "from 0 to 1"}, "differs"),  # no side is the good one
        ({"verdict": "inconclusive", "p_value": math.nan}, {}, "differs"),  # too coarse is no matter of a bound
        ({"verdict": "inconclusive"}, {}, "close"),
        ({"verdict": "contradicted"}, {"close": "yes"}, "close"),
        ({"verdict": "contradicted"}, {}, "differs"),
        ({"verdict": "contradicted", "measured": 0.81}, {"close": "yes"}, "differs"),
        # the wider of both intervals, of this run's at most five times the reference's
        ({"measured": 1.1, "low": 0.8, "high": 1.4}, {}, "agrees"),
        ({"measured": 1.7, "low": -9.0, "high": 9.0}, {}, "differs"),
        ({"measured": 0.04, "low": -0.05, "high": 0.13}, {"measured": 0.0, "low": 0.0, "high": 0.0}, "agrees"),
        ({"measured": 0.04, "low": 0.03, "high": 0.05}, {"measured": 0.0, "low": 0.0, "high": 0.0}, "differs"),
        ({"measured": 0.04, "low": 0.04, "high": 0.04}, {"measured": 0.0, "low": 0.0, "high": 0.0}, "differs"),
        # logarithms: a factor of the interval's own on each side
        ({"kind": "positive", "measured": 15.0}, {"kind": "positive", "low": 1, "high": 4}, "agrees"),
        ({"kind": "positive", "measured": 0.26}, {"kind": "positive", "low": 1, "high": 4}, "agrees"),
        ({"kind": "positive", "measured": 0.24}, {"kind": "positive", "low": 1, "high": 4}, "differs"),
        ({"kind": "positive", "measured": 0.01}, {"kind": "positive", "low": 1, "high": 4}, "suspiciously better"),
        ({"kind": "positive", "measured": 0.0}, {"kind": "positive", "low": 1, "high": 4}, "suspiciously better"),
        # an error of a check is a size, too: rounding elsewhere may double it
        ({"kind": "check", "measured": 3e-13}, {"kind": "check", "low": 2e-14, "high": 1e-13}, "agrees"),
        ({"kind": "check", "measured": 0.0}, {"kind": "check", "low": 2e-14, "high": 1e-13}, "suspiciously better"),
        # one value in all replicates is asked for again
        (CHECK | {"measured": 3.0}, CHECK | {"measured": 3.0, "low": 3.0, "high": 3.0}, "agrees"),
        (CHECK | {"measured": 3.0 + 1e-12}, CHECK | {"measured": 3.0, "low": 3.0, "high": 3.0}, "differs"),
        (CHECK | {"measured": 0.3 + 1e-12}, CHECK | {"measured": 0.3, "low": 0.3, "high": 0.3}, "agrees"),
        (CHECK | {"measured": 0.3 + 1e-8}, CHECK | {"measured": 0.3, "low": 0.3, "high": 0.3}, "differs"),
        # what cannot be compared
        ({"verdict": "not run"}, {}, "not comparable"),
        ({}, {"verdict": "not run"}, "not comparable"),
        ({"measured": math.nan}, {}, "not comparable"),
        ({}, {"low": math.nan, "high": math.nan}, "not comparable"),
        ({"criterion": "at most 2"}, {}, "not comparable"),
        ({"kind": "event"}, {}, "not comparable"),
        ({"level": "gpu"}, {}, "not comparable"),
    ],
)
def test_every_word(here, there, word):
    line = compared(here, there)
    assert line.word == word, line.reason
    assert bool(line.reason) == (word != "agrees")


def test_reasons_name_what_is_wrong():
    assert "contradicted here, replicated in the reference" in compared({"verdict": "contradicted"}).reason
    assert "1.1 times its room beyond" in compared({"measured": 0.82}).reason
    assert "criterion at most 1" in compared({"criterion": "at most 2"}).reason
    assert "not run here" in compared({"verdict": "not run"}).reason


def test_two_runs_that_differ_in_their_seeds_alone_rarely_disagree():
    draws = np.random.default_rng(0).normal(size=(4000, 2, 5))
    found = [[interval(values) for values in pair] for pair in draws]
    tables = (
        pd.DataFrame([LINE | {"claim": n, "measured": i.mean, "low": i.low, "high": i.high} for n, i in enumerate(run)])
        for run in zip(*found)
    )
    words = Counter(line.word for line in agreement(*tables))
    assert 0 < words["differs"] + words["suspiciously better"] < 20 and len(draws) == words.total()


def test_claims_of_one_side_only_are_lines_too():
    lines = agreement(claims(claim="new"), claims(claim="old"))
    assert [(line.claim, line.word) for line in lines] == [("new", "not comparable"), ("old", "not comparable")]
    assert lines[0].shown_there == "–" and lines[1].shown_here == "–"
    assert summary(lines) == "2 claims: 2 not comparable."


def test_the_table_ends_with_the_worst():
    here = pd.concat([claims(claim="a", measured=9.0), claims(claim="b"), claims(claim="c", measured=-9.0)])
    there = pd.concat([claims(claim=name) for name in "abc"])
    shown = list(table(agreement(here, there)))
    assert [line.split()[0] for line in shown[1:]] == ["agrees", "suspiciously", "differs"]
    assert all(len(after) <= 200 for _, after in pairwise(shown))


def test_the_committed_reference_agrees_with_itself():
    file = reference_file("laptop")
    assert file and file.is_relative_to(REFERENCES)
    reference = read_claims(file)
    words = {line.word for line in agreement(reference, reference)}
    assert words <= {"agrees", "not comparable"} and "agrees" in words


@pytest.fixture
def results(tmp_path):
    (tmp_path / "laptop").mkdir()
    shutil.copy(reference_file("laptop"), tmp_path / "laptop" / "claims.csv")
    return tmp_path


def run(results, level="laptop", *more):
    return main(["check", "--level", level, "--results", str(results), *more])


def test_status_0_where_nothing_differs_and_1_where_something_does(results, capsys):
    assert run(results) == 0
    assert "agrees" in (said := capsys.readouterr().out) and "Reference: results/reference/laptop" in said
    file = results / "laptop" / "claims.csv"
    whole = pd.read_csv(file, dtype=str, keep_default_na=False)
    line = whole.index[(whole.kind == "real") & (whole.verdict == "replicated")][0]
    whole.loc[line, "measured"] = "1e6"
    whole.to_csv(file, index=False)
    assert run(results) == 1
    last = capsys.readouterr().out.splitlines()[-3]
    assert last.startswith("differs") and whole.claim[line] in last and "1 differs." in summary_line(file)


def summary_line(file):
    return summary(agreement(read_claims(file), read_claims(reference_file("laptop"))))


def test_status_2_for_bad_input(results, tmp_path, capsys):
    assert run(results, "gpu") == 2
    assert "level gpu has no reference; laptop has one" in capsys.readouterr().err
    assert run(tmp_path / "absent") == 2
    assert "claims.csv does not exist" in capsys.readouterr().err
    (results / "laptop" / "claims.csv").write_text("a,b\n")
    assert run(results) == 2
    assert "is not a table of claims (its columns are a, b)" in capsys.readouterr().err
    (results / "laptop" / "claims.csv").write_text(",".join(CLAIM_COLUMNS) + "\n")
    assert run(results) == 2, "a run that answers nothing is not right"
    assert "no claim can be compared" in capsys.readouterr().err


def test_a_reference_of_ones_own(results, tmp_path, capsys):
    assert run(results, "laptop", "--reference", str(results / "laptop")) == 0
    assert f"Reference: {results / 'laptop'}" in capsys.readouterr().out
    assert run(results, "laptop", "--reference", str(tmp_path / "absent")) == 2


def test_make_check_runs_it():
    assert "@python -m report check --level $(LEVEL)" in (ROOT / "Makefile").read_text()


def test_a_damaged_number_is_named(results):
    file = results / "laptop" / "claims.csv"
    whole = pd.read_csv(file, dtype=str, keep_default_na=False)
    whole.loc[0, "measured"] = "o.1"
    whole.to_csv(file, index=False)
    with pytest.raises(RetraceError, match=r"claims\.csv: is not a table of claims"):
        read_claims(file)
