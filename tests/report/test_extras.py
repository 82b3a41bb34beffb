"""The pieces of the page that report/templates/extras.html.jinja sets: text stays text, and nothing needs a script."""

import re

import fabricate
import jinja2
import pandas as pd
import pytest

from common.measure.claims import CLAIM_COLUMNS
from report import render
from report.agreement import agreement, summary
from report.cite import entry
from report.equations import Equation, mathml
from report.quality import Concern
from report.sheet import Sheet

HOSTILE = fabricate.HOSTILE


@pytest.fixture(scope="module")
def extras():
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(render.FOLDER / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["sentence"] = render.sentence
    return environment.get_template("extras.html.jinja").module


def lines():
    empty = dict.fromkeys(CLAIM_COLUMNS, "")
    row = empty | {"paper": "p", "claim": "c", "kind": "real", "criterion": HOSTILE, "verdict": "replicated"}
    row |= {"measured": 1.0, "low": 0.9, "high": 1.1, "p_value": 0.01}
    here, there = pd.DataFrame([row]), pd.DataFrame([row | {"criterion": "at most 1", "unit": HOSTILE}])
    return agreement(here, there)


def test_every_piece_escapes_what_it_is_given(extras):
    pieces = [
        extras.equations([Equation(mathml("a < b"), "a < b", HOSTILE, HOSTILE)]),
        extras.concerns([Concern("serious", HOSTILE, "somewhere"), Concern("note", HOSTILE, claims=[HOSTILE])]),
        extras.cite(HOSTILE, entry("misc", "k", {"title": HOSTILE})),
        extras.sheet(Sheet([(HOSTILE, HOSTILE)])),
        extras.agreement(lines(), summary(lines()), HOSTILE),
        extras.row_kind(HOSTILE),
    ]
    for piece in pieces:
        assert "<script" not in piece and "&lt;script&gt;" in piece
        assert not re.search(r"\son\w+=", piece), "no handler"


def test_an_equation_is_set_as_it_is_and_its_meaning_beside_it(extras):
    text = extras.equations([Equation(mathml("a < b"), "a < b", "Says", "eq. 1")])
    assert "<math" in text and "<mo>&lt;</mo>" in text and "(eq. 1)" in text and 'aria-label="Equation: eq. 1"' in text


def test_no_concerns_are_said_to_be_none(extras):
    assert "Nothing failed" in extras.concerns([])


def test_a_comparison_that_differs_is_open_and_one_that_agrees_has_no_table(extras):
    found = lines()
    assert "<details>" in extras.agreement(found, summary(found), "laptop-x"), "not comparable is no alarm"
    row = found[0].there._asdict()
    same = agreement(pd.DataFrame([row]), pd.DataFrame([row]))
    assert "<table" not in extras.agreement(same, summary(same), "laptop-x")
    other = agreement(pd.DataFrame([row | {"verdict": "contradicted"}]), pd.DataFrame([row]))
    assert "<details open>" in extras.agreement(other, summary(other), "laptop-x")
    assert 'href="#c"' in extras.agreement(other, summary(other), "laptop-x")
    assert 'href="#c"' not in extras.agreement(other, summary(other), "laptop-x", anchors=False)


def test_a_kind_of_row_is_a_word(extras):
    assert ">floor</span>" in extras.row_kind("floor") and not extras.row_kind("").strip()
