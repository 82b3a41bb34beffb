"""The pages: complete, escaped, self-contained, and there whatever happened to the runs."""

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


PAGES = ("index.html", "flow_paper/index.html", "score_paper/index.html")


@pytest.fixture(scope="module")
def texts(built):
    return {name: (built[3] / name).read_text() for name in PAGES}


@pytest.fixture(scope="module")
def pages(texts):
    return {name: Outline(text) for name, text in texts.items()}


def claim_text(texts, paper, anchor):
    claim = re.search(rf'<details class="claim" id="{anchor}">.*?</dl>\s*</details>', texts[f"{paper}/index.html"], re.S).group()
    return Outline(claim).words


@pytest.mark.parametrize("name", PAGES)
def test_every_tag_is_closed_and_ids_are_unique(pages, name):
    page = pages[name]
    assert page.open == []
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert not [name for name, count in Counter(identifiers).items() if count > 1]


@pytest.mark.parametrize("name", PAGES)
def test_hostile_text_is_shown_as_text(pages, texts, name):
    assert len(pages[name].all("script")) == 1, "the page's own script and no other"
    for hostile in ("<script>alert", "<b>50 draws</b>", "<i>Bold</i>", "<script>digits"):
        assert hostile not in texts[name]


def test_hostile_text_is_shown(pages):
    assert " ".join(fabricate.HOSTILE.split()) in pages["index.html"].words
    for shown in ("<b>50 draws</b>", "B. <i>Bold</i>", "<script>alert('figure')</script>", fabricate.DATA):
        assert shown in pages["flow_paper/index.html"].words, shown


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_loaded_from_elsewhere(pages, texts, name):
    loaded = [
        attributes.get("src") or attributes.get("href")
        for tag in ("img", "script", "link", "source")
        for attributes in pages[name].all(tag)
    ]
    assert all(address is None or address.startswith("data:") for address in loaded)
    style = re.search(r"<style>(.*?)</style>", texts[name], re.S).group(1)
    assert "url(" not in style and "@import" not in style


@pytest.mark.parametrize(("name", "count"), [("index.html", 2), ("flow_paper/index.html", 2)])
def test_pictures_have_text_and_size(pages, name, count):
    pictures = pages[name].all("img")
    assert len(pictures) == count
    assert all(picture["alt"] and int(picture["width"]) and int(picture["height"]) for picture in pictures)


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(pages, built, name):
    folder = (built[3] / name).parent
    for target in (attributes["href"] for attributes in pages[name].all("a")):
        if target.startswith("https://arxiv.org/abs/"):
            continue
        file, _, fragment = target.partition("#")
        linked = (folder / file).resolve() if file else built[3] / name
        assert linked.is_file(), target
        if fragment:
            assert f'id="{fragment}"' in linked.read_text(), target


def test_a_page_links_to_its_walkthrough_where_there_is_one(pages, built):
    links = {name: [a["href"] for a in pages[name].all("a") if "walkthrough" in a["href"]] for name in PAGES}
    assert links == {"index.html": [], "flow_paper/index.html": ["walkthrough.py"], "score_paper/index.html": []}
    assert [name for name in PAGES if "walkthrough" in pages[name].words] == ["flow_paper/index.html"]
    assert (built[3] / "flow_paper" / "walkthrough.py").read_text() == (built[0] / "flow_paper" / "walkthrough.py").read_text()


def test_tables_and_figures_can_be_taken_away(pages):
    files = {attributes["href"] for attributes in pages["flow_paper/index.html"].all("a")}
    assert {"metrics.csv", "claims.csv", "tables/nll.csv", "figures/curves.svg", "figures/curves.png"} <= files


@pytest.mark.parametrize("name", PAGES)
def test_headings_and_tables_can_be_walked(pages, name):
    page = pages[name]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.all("table")) == len(page.all("caption")) > 0
    assert all(head.get("scope") for head in page.all("th"))


def test_a_claim_shows_both_numbers_verdict_criterion_and_command(texts):
    words = claim_text(texts, "flow_paper", "nfe-ratio")
    for part in (
        *("contradicted", "Figure 3, left", "0.58", "read off a figure, ±10–20 %", "dopri5 at 1e-5", "5 replicates"),
        *("0.7529 [0.7485, 0.7573] ratio", "at most 0.6", "lies outside", "Counted at equal tolerances."),
        "snakemake flow_paper --cores all --config level=laptop",
    ):
        assert part in words, part


def test_a_number_from_memory_is_never_the_papers_own(texts, pages):
    words = claim_text(texts, "score_paper", "remembered")
    assert "Reported 1000 unverified, from memory" in words and "Paper " not in words
    assert "Unverified, from memory: CIFAR-10." in pages["score_paper/index.html"].words, "tables too"
    quoted = claim_text(texts, "flow_paper", "large")
    assert "Reported 2.99 unverified, quoted" in quoted and "Paper " not in quoted


def test_reported_tables_keep_the_digits_of_the_paper(pages):
    assert "a 2.99 142 3.5" in pages["flow_paper/index.html"].words and "b 3.10 183 –" in pages["flow_paper/index.html"].words


def test_a_claim_that_was_not_run_says_what_it_needs(texts):
    words = claim_text(texts, "flow_paper", "large")
    assert "not run" in words and "needs level gpu" in words and "level=gpu" in words


def test_findings_stand_beside_their_figures_and_say_what_was_found(texts, pages):
    finding = re.search(r'<section class="finding" id="likelihood".*?</section>', texts["flow_paper/index.html"], re.S).group()
    words = Outline(finding).words
    assert "1 of 2 statements held, 1 did not; 1 not run at this level." in words
    assert 'id="figure-curves"' in finding and 'id="gain"' in finding and "tables/nll.csv" in finding
    assert "Mixed: Likelihood ." in pages["index.html"].words
    assert "Claims" in pages["score_paper/index.html"].words, "a paper without findings has one of all its claims"


def test_summary_machine_cost_and_provenance(pages):
    for part in (
        "7 claims: 1 replicated, 2 contradicted, 2 inconclusive, 1 not run; 1 check: 1 holds",
        "6 of 8 planned runs finished, in 4 min 12 s of CPU time, 2026-03-01 to 2026-03-05",
        "Example CPU @ 3.00GHz, 4 cores, 1 used by a run",
        "15.6 GB",
        "5 % start-up",
        "0123456789ab",
        "numpy 2.4.1, torch 2.11.0",
    ):
        assert part in pages["index.html"].words, part
    words = pages["flow_paper/index.html"].words
    assert "python -m replications.flow_paper evaluate --level laptop --seed 0 1 2 --sweep data=digits" in words
    assert "1 run failed and 1 run did not start" in pages["score_paper/index.html"].words


def test_how_sure_the_verdicts_are(pages):
    for name in ("index.html", "flow_paper/index.html"):
        for part in (
            "3 tests on this page gave 3 verdicts. At most 5 % of the tests, 0.15, are to be expected",
            "3 of the verdicts survive Benjamini and Hochberg's procedure",
            "another machine might not repeat them, are 1: gain-large .",
        ):
            assert part in pages[name].words, part
    assert "90 % Student-t interval" in pages["index.html"].words


def test_amendments_and_what_was_given_up_are_shown_with_their_old_verdicts(texts, pages):
    words = claim_text(texts, "flow_paper", "gain")
    assert "Amended 2026-02-01: Three replicates were too few. Before: at least 0.05, inconclusive" in words
    words = pages["flow_paper/index.html"].words
    assert "1 claim no longer judged" in words and "It read <b>the scale</b> of the data." in words
    assert "Not registered : the claims were not written down" in words


def test_a_figure_that_fails_costs_its_own_place_only(pages):
    words = pages["flow_paper/index.html"].words
    assert words.count("A figure could not be drawn.") == 1 and "Samples." in words


def test_advice_is_computed_and_stands_before_the_findings(texts, pages):
    page = texts["flow_paper/index.html"]
    assert re.search(r"Take &lt;b&gt;method a&lt;/b&gt;: \d+ rows say so\.", page)
    assert page.index('id="advice"') < page.index('class="finding"') and '<a href="#advice">Which should I use?</a>' in page
    assert "Computed from the rows." in pages["flow_paper/index.html"].words


def test_a_figure_carries_what_its_dots_say(texts):
    found = re.search(r'data-tips="([^"]*)"', texts["flow_paper/index.html"]).group(1).splitlines()
    assert len(found) > 2 and all(re.fullmatch(r"\d+\.\d\d \d+\.\d\d method [ab]: NFE \S+, error \S+", line) for line in found)


def arguments(built, command, out, *more):
    _, results, plan, _ = built
    return [command, "--level", fabricate.LEVEL, "--results", str(results), "--runs", str(plan), "--out", str(out), *more]


def test_pages_made_by_themselves_are_those_of_the_whole(built, tmp_path):
    papers, *_, out = built
    assert main(arguments(built, "paper", tmp_path, "--papers", "flow_paper", "score_paper", "--whole"), root=papers) == 0
    assert main(arguments(built, "index", tmp_path), root=papers) == 0
    for name in PAGES:
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()


def test_a_page_alone_links_to_no_first_page(built, tmp_path):
    assert main(arguments(built, "paper", tmp_path, "--papers", "flow_paper"), root=built[0]) == 0
    assert "../index.html" not in (tmp_path / "flow_paper" / "index.html").read_text()
    assert not (tmp_path / "index.html").exists()


@pytest.mark.parametrize("plan", ["", "results/laptop/flow_paper/evaluate/digits/seed0\n"])
def test_a_report_without_any_finished_run(tree, tmp_path, plan):
    (tmp_path / "plan.txt").write_text(plan)
    papers, _, _ = tree
    absent = (papers, tmp_path / "absent", tmp_path / "plan.txt", None)
    assert main(arguments(absent, "all", tmp_path / "out"), root=papers) == 0
    words = Outline((tmp_path / "out" / "index.html").read_text()).words
    assert "7 not run" in words and "No run has finished yet." in words
    words = Outline((tmp_path / "out" / "flow_paper" / "index.html").read_text()).words
    assert "its runs are missing or failed" in words


def test_an_unwritable_folder_is_named(tree, tmp_path, capsys):
    papers, results, plan = tree
    (tmp_path / "file").write_text("in the way")
    assert main(arguments((papers, results, plan, None), "all", tmp_path / "file" / "out"), root=papers) == 2
    assert "cannot be written" in capsys.readouterr().err
