"""BibTeX to copy: complete, stable keys, and no text that TeX would take for a command."""

import re

import fabricate
import pytest

from common.measure.figures import RunFolder
from common.measure.paper import load_paper
from common.runs.settings import package_folder
from report.cite import entry, paper_entry, run_entry, tex
from report.collect import load_papers


def balanced(text):
    depth = 0
    for sign in re.sub(r"\\[{}]", "", text):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    return depth == 0


def test_a_papers_entry():
    text = paper_entry(load_paper(package_folder("replications.flow_matching")))
    assert text == (
        "@inproceedings{lipman2022flow,\n"
        "  title = {{Flow Matching for Generative Modeling}},\n"
        "  author = {Yaron Lipman and Ricky T. Q. Chen and Heli Ben-Hamu and Maximilian Nickel and Matt Le},\n"
        "  booktitle = {ICLR 2023},\n"
        "  year = {2023},\n"
        "  eprint = {2210.02747},\n"
        "  archivePrefix = {arXiv},\n"
        "}"
    )
    assert paper_entry(load_paper(package_folder("replications.neural_ode"))).startswith("@inproceedings{chen2018neural,")


def test_an_unpublished_paper(tmp_path):
    paper = load_paper(fabricate.papers(tmp_path) / "flow_paper")
    text = paper_entry(paper.model_copy(update={"venue": "arXiv", "authors": ["Rémi Piché-Taillefer"]}))
    assert text.startswith("@misc{pichetaillefer2022the,") and "howpublished = {arXiv}" in text and "year = {2022}" in text


def test_nothing_is_a_command_of_tex(tmp_path):
    assert tex(r"50% of a_b & $c$ #1 {d} ~e ^f \g") == (
        r"50\% of a\_b \& \$c\$ \#1 \{d\} \textasciitilde{}e \textasciicircum{}f \textbackslash{}g"
    )
    for paper in load_papers(fabricate.papers(tmp_path)):
        text = paper_entry(paper)
        assert r"\& Other Stories" in text and balanced(text)
    assert balanced(entry("misc", "k", {"title": "} {{ \\", "note": "}"}))


def test_a_runs_entry_says_what_was_run_where_and_when(tree):
    _, results, _ = tree
    runs = [RunFolder.open(results / fabricate.LEVEL / "flow_paper" / "evaluate" / "digits" / f"seed{k}") for k in range(2)]
    text = run_entry("laptop", runs, "2026-03-05")
    for part in (
        "@misc{retrace-laptop-0123456789ab,",
        "title = {{Retrace: seven papers",
        "level laptop}}",
        "author = {{The Retrace contributors}}",
        "note = {Example CPU @ 3.00GHz, 4 cores, cpu; commit 0123456789ab; 2026-03-05}",
        "year = {2026}",
    ):
        assert part in text, text
    assert balanced(text) and text == run_entry("laptop", runs, "2026-03-05")


def test_a_report_without_runs_has_an_entry_too():
    text = run_entry("gpu", [], "")
    assert text.startswith("@misc{retrace-gpu,") and "note" not in text and "year" not in text


@pytest.mark.parametrize("sign", "&%$#_{}~^\\")
def test_each_sign_is_escaped(sign):
    assert tex(sign).startswith("\\")
