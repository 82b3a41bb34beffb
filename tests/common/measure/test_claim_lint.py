"""The lint of claims: a statistic that nothing feeds, and a claim of the paper without an entry."""

import re

import pytest

from common.measure.claim_lint import left_out, lint, texts, unwritten
from common.measure.paper import load_paper
from common.runs.settings import package_folder, papers


def paper(name):
    return load_paper(package_folder(f"replications.{name}"))


@pytest.mark.parametrize("name", papers())
def test_the_papers_are_in_order(name):
    assert lint(paper(name)) == []


def test_a_number_without_an_entry_is_named():
    flow = paper("flow_matching")
    fewer = flow.model_copy(update={"claims": [claim for claim in flow.claims if claim.number != "4"]})
    assert left_out(fewer) == ["flow_matching/paper.yaml: claims: no entry has number 4 of 19; add one, if only at level paper"]


def test_a_metric_that_nothing_writes_is_named(monkeypatch):
    flow = paper("flow_matching")
    real = texts

    def without_nll(file):
        return [pattern for pattern in real(file) if not pattern.fullmatch("gradient_gap")]

    monkeypatch.setattr("common.measure.claim_lint.texts", without_nll)
    problems = unwritten(flow)
    assert problems and all("'gradient_gap'" in problem and "gradients" in problem for problem in problems)


def test_names_that_a_program_fills_in_are_patterns(tmp_path):
    file = tmp_path / "module.py"
    file.write_text('rows = [row(f"{part}_rmse", 1.0), row("kl", 2.0), row(f"x.{a}.{b}", 3)]')
    found = texts(file)
    for text, known in (("past_rmse", True), ("kl", True), ("x.1.2", True), ("rmse", False), ("xy1.2", False), ("_rmse", False)):
        assert any(pattern.fullmatch(text) for pattern in found) == known, text
    assert all(isinstance(pattern, re.Pattern) for pattern in found)
