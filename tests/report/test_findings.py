"""What several verdicts say together."""

import pytest

from common.measure.paper import Finding
from report.findings import OUTCOMES, belongs, in_words, outcome, said


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["replicated", "holds", "not run"], "held"),
        (["replicated", "contradicted"], "mixed"),
        (["replicated", "inconclusive"], "mixed"),
        (["contradicted", "inconclusive", "holds"], "did not hold"),
        (["contradicted", "fails"], "did not hold"),
        (["holds", "holds"], "held"),
        (["holds", "fails"], "did not hold"),
        (["inconclusive", "not run"], "undecided"),
        (["not run"], "not run"),
    ],
)
def test_outcomes(verdicts, expected):
    assert outcome(verdicts) == expected and expected in OUTCOMES


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["replicated"], "The one statement held."),
        (["replicated"] * 2, "Both statements held."),
        (["replicated"] * 3, "All 3 statements held."),
        (["contradicted", "replicated", "inconclusive"], "1 of 3 statements held, 1 did not, 1 is undecided."),
        (["inconclusive"] * 2 + ["holds"], "0 of 2 statements held, 2 are undecided; 1 check holds."),
        (["holds", "fails", "not run"], "1 of 2 checks fail; 1 not run at this level."),
        (["holds", "holds"], "2 checks hold."),
    ],
)
def test_words(verdicts, expected):
    assert in_words(verdicts) == expected


def test_a_papers_sentence_lists_findings_by_outcome():
    found = said([("mixed", "a"), ("held", "b"), ("mixed", "c"), ("not run", "d")])
    assert found == [("Held here", ["b"]), ("Mixed", ["a", "c"]), ("Not run at this level", ["d"])]


def test_a_figure_is_named_with_or_without_its_data_set():
    assert belongs("samples-digits", ["samples"]) and belongs("samples", ["samples"])
    assert not belongs("samplesdigits", ["samples"]) and not belongs("samples", ["samples-digits"])
    assert Finding(id="a", title="A", claims=["x"]).figures == []
