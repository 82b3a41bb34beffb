"""The page: complete, escaped, self-contained, and there whatever happened to the runs."""

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

import fabricate
import pytest

from report.__main__ import main

VOID = {"meta", "link", "img", "input", "br"}


class Outline(HTMLParser):
    """Elements with their attributes, text by element, and whether every tag is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text, self.scripts = [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def page(built):
    return Outline((built[3] / "index.html").read_text())


def claim_text(page_text, anchor):
    article = re.search(rf'<article class="claim" id="{anchor}".*?</article>', page_text, re.S).group()
    return Outline(article).words


@pytest.fixture(scope="module")
def text(built):
    return (built[3] / "index.html").read_text()


def test_every_tag_is_closed_and_ids_are_unique(page):
    assert page.open == []
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert not [name for name, count in Counter(identifiers).items() if count > 1]


def test_hostile_text_is_shown_as_text(page, text):
    assert len(page.all("script")) == 1, "the page's own script and no other"
    assert "<script>alert" not in text and "<b>50 draws</b>" not in text and "<i>Bold</i>" not in text
    for shown in (fabricate.HOSTILE, "<b>50 draws</b>", "B. <i>Bold</i>", "<script>alert('figure')</script>"):
        assert " ".join(shown.split()) in page.words


def test_nothing_is_loaded_from_elsewhere(page, text):
    loaded = [
        attributes.get("src") or attributes.get("href") for tag in ("img", "script", "link") for attributes in page.all(tag)
    ]
    assert all(address is None or address.startswith("data:") for address in loaded)
    style = re.search(r"<style>(.*?)</style>", text, re.S).group(1)
    assert "url(" not in style and "@import" not in style


def test_pictures_have_text_and_size(page):
    pictures = page.all("img")
    assert len(pictures) == 4
    assert all(picture["alt"] and int(picture["width"]) and int(picture["height"]) for picture in pictures)
    kinds = Counter(picture["src"].partition(";")[0] for picture in pictures)
    assert kinds == {"data:image/svg+xml": 2, "data:image/webp": 2}, "lines as SVG, 4000 points as WebP"


def test_links_lead_somewhere(page, built):
    identifiers = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    targets = [attributes["href"] for attributes in page.all("a")]
    assert {target[1:] for target in targets if target.startswith("#")} <= identifiers
    files = {target for target in targets if not target.startswith(("#", "https://arxiv.org/abs/"))}
    assert {"metrics.csv", "claims.csv", "tables/flow_paper-nll.csv"} <= files
    assert all((built[3] / file).is_file() for file in files)


def test_headings_and_tables_can_be_walked(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.all("table")) == len(page.all("caption")) > 0
    assert all(head.get("scope") for head in page.all("th"))


def test_a_claim_shows_both_numbers_verdict_criterion_and_command(text):
    words = claim_text(text, "flow_paper-nfe-ratio")
    for part in (
        *("contradicted", "Figure 3, left", "0.58", "read off a figure, ±10–20 %", "dopri5 at 1e-5", "5 replicates"),
        *("0.7529 [0.7485, 0.7573] ratio", "at most 0.6", "lies outside", "Counted at equal tolerances."),
        "snakemake flow_paper --cores all --config level=laptop",
    ):
        assert part in words, part


def test_a_number_from_memory_is_never_the_papers_own(text):
    words = claim_text(text, "score_paper-remembered")
    assert "Reported 1000 unverified, from memory" in words and "Paper " not in words
    assert "Unverified, from memory: CIFAR-10." in Outline(text).words, "tables too"


def test_reported_tables_keep_the_digits_of_the_paper(page):
    assert "a 2.99 142 3.5" in page.words and "b 3.10 183 –" in page.words


def test_a_claim_that_was_not_run_says_what_it_needs(text):
    words = claim_text(text, "flow_paper-large")
    assert "not run" in words and "needs level gpu" in words and "level=gpu" in words


def test_summary_machine_cost_and_provenance(page):
    for part in (
        "7 claims: 1 replicated, 2 contradicted, 2 inconclusive, 1 not run; 1 check: 1 holds",
        "6 of 8 planned runs finished, in 4 min 12 s of CPU time, 2026-03-01 to 2026-03-05",
        "Example CPU @ 3.00GHz, 4 cores, 1 used by a run",
        "15.6 GB",
        "5 % start-up",
        "0123456789ab",
        "numpy 2.4.1, torch 2.11.0",
        "python -m replications.flow_paper evaluate --level laptop --seed 0 1 2 --sweep data=digits",
        "1 run failed and 1 run did not start",
    ):
        assert part in page.words, part


def test_how_sure_the_verdicts_are(page):
    for part in (
        "3 tests on this page gave 3 verdicts. At most 5 % of the tests, 0.15, are to be expected",
        "3 of the verdicts survive Benjamini and Hochberg's procedure",
        "another machine might not repeat them, are 1: gain-large .",
        "90 % Student-t interval",
    ):
        assert part in page.words, part


def test_amendments_and_what_was_given_up_are_shown_with_their_old_verdicts(page, text):
    words = claim_text(text, "flow_paper-gain")
    assert "Amended 2026-02-01 2026-02-01: Three replicates were too few. Before: at least 0.05, inconclusive" in words
    assert page.words.count("Claims that are no longer judged") == 2 and "It read <b>the scale</b> of the data." in page.words
    assert page.words.count("Not registered : the claims were not written down") == 2


def test_a_figure_that_fails_costs_its_own_place_only(page):
    assert page.words.count("Figure 2 could not be drawn.") == 2
    assert page.words.count("Figure 3. Samples.") == 2


def test_the_same_runs_give_the_same_page(built, tmp_path):
    papers, results, plan, out = built
    shared = ["--level", fabricate.LEVEL, "--results", str(results), "--runs", str(plan)]
    assert main(["build", *shared, "--out", str(tmp_path)], root=papers) == 0
    assert (tmp_path / "index.html").read_bytes() == (out / "index.html").read_bytes()


@pytest.mark.parametrize("plan", ["", "results/laptop/flow_paper/evaluate/digits/seed0\n"])
def test_a_report_without_any_finished_run(tree, tmp_path, plan):
    (tmp_path / "plan.txt").write_text(plan)
    papers, _, _ = tree
    arguments = [
        "build",
        "--results",
        str(tmp_path / "absent"),
        "--runs",
        str(tmp_path / "plan.txt"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(arguments, root=papers) == 0
    words = Outline((tmp_path / "out" / "index.html").read_text()).words
    assert "7 not run" in words and "No run has finished yet." in words
    assert "its runs are missing or failed" in words


def test_an_unwritable_folder_is_named(tree, tmp_path, capsys):
    papers, results, plan = tree
    (tmp_path / "file").write_text("in the way")
    arguments = ["build", "--results", str(results), "--runs", str(plan), "--out", str(tmp_path / "file" / "out")]
    assert main(arguments, root=papers) == 2
    assert "cannot be written" in capsys.readouterr().err
