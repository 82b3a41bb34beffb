"""The browser check of a report: a fault planted in a small page is named, and a page without any passes."""

import sys
from itertools import combinations

import pytest
from PIL import Image

from common.runs.settings import ROOT

sys.path.insert(0, str(ROOT / ".ci"))
import browser

pytestmark = pytest.mark.skipif(not browser.executable(), reason="no Chromium on PATH")

DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,"><style>
:root { color-scheme: light dark; } a { color: inherit; } :focus-visible { outline: 2px solid; } .scroll { overflow-x: auto; }
.wide { width: 3000px; }
@media print { .scroll { overflow: visible; } .wide { width: auto; } } body { background: #fdfcfa; color: #1c1b19; }
@media (prefers-color-scheme: dark) { body { background: #17181b; color: #e6e3dc; } } </style></head><body>"""
CLEAN = f"""<h1 id="top">Title</h1><p>Text with <a href="#top">a link</a>,
<a href="paper/index.html#claim">one to a claim</a> and <a href="rows.csv">a file</a>.</p>
<a href="https://arxiv.org/abs/2210.02747"><img src="{DOT}" alt="A dot" loading="lazy"> the web</a>
<div class="scroll" tabindex="0"><div class="wide">a wide table</div></div>
<div class="scroll"><a href="#top">a link in what scrolls</a><div class="wide">is enough</div></div>
<details><summary>More</summary><p><label>Search <input></label> <button>Go</button></p></details>
<form><label><input type="radio" name="r" checked> a</label> <label><input type="radio" name="r"> b</label></form>
<p hidden style="color: #fff; background: #fff">nobody sees this</p><p style="color: #757575; background: #fff">just enough</p>
<script>document.querySelector("button").addEventListener("click", () => document.title = "clicked");</script>"""

SPEAKING = f'<figure><button class="zoom"><img src="{DOT}" alt="a" data-tips="50 50 a dot"></button>'
FAULTS = {  # what is said -> a page about which it is to be said
    "console: so it goes": "<script>console.error('so it goes')</script>a",
    "uncaught: missing is not defined": "<script>missing.call()</script>a",
    "asks for https://example.org/a.png, which is outside": '<img src="https://example.org/a.png" alt="a">a',
    "/a.png, which is outside the report": '<img src="../../a.png" alt="a">a',
    "not loaded: file:///": '<link rel="stylesheet" href="no.css">a',
    "picture #broken does not load": '<img id="broken" src="data:image/png;base64,AAAA" alt="a">a',
    "picture #lazy does not load": '<p style="height: 9000px">a</p><img id="lazy" src="no.png" alt="a" loading="lazy">',
    "picture #silent has no alt text": f'<img id="silent" src="{DOT}" alt=" ">a',
    "2 elements have the id twice": '<p id="twice">a</p><p id="twice">b</p>',
    "scrolls sideways by 728 px: #far is the widest": '<p id="far" style="width: 2000px">a</p>',
    "px: #folded is the widest": '<details><summary>m</summary><p id="folded" style="width: 2000px">a</p></details>',
    "px high, more than 12000": '<p style="height: 12500px">a</p>',
    "the file has 2.00 MB, more than 2.00": f"<p>a</p><!--{'x' * 2_000_000}-->",
    "the page shows no text": "<p> </p>",
    "#a links to no.csv: there is no such file": '<a id="a" href="no.csv">a</a>',
    "#a links to #no: there is no such place": '<a id="a" href="#no">a</a>',
    "#a links to paper/index.html#no: there is no such place": '<a id="a" href="paper/index.html#no">a</a>',
    "#a links to paper/: a folder, not a file": '<a id="a" href="paper/">a</a>',
    "#a links to ../b.html: outside the report": '<a id="a" href="../b.html">a</a>',
    "#a links to /etc/hosts: not a relative link": '<a id="a" href="/etc/hosts">a</a>',
    "contrast 3.54:1, needed 4.5:1 (#888888 on #ffffff): main > p.m:nth-of-type(2) and 1 more": (
        '<style>.m { color: #888; background: #fff }</style><main><p>a</p><p class="m">a <b>b</b></p></main>'
    ),
    "contrast 2.84:1, needed 3:1 (#999999 on #ffffff): #large": '<h1 id="large" style="color: #999; background: #fff">a</h1>',
    "contrast 1.00:1, needed 4.5:1 (#000000 on #000000): #gone": '<p id="gone" style="color: #000; background: #000">a</p>',
    # black on half of white over black is #808080; of that half over black again: text #000000, ground #404040
    "contrast 2.02:1, needed 4.5:1 (#000000 on #404040): #layers": (
        '<div style="background: #000"><p id="layers" style="background: #ffffff80; color: #000; opacity: .5">a</p></div>'
    ),
    "(#000000 on #666666): #gradient": '<p id="gradient" style="background: linear-gradient(#fff, #666); color: #000">a</p>',
    "on #fdfcfa)::before: #star": "<style>#star::before { content: '*'; color: #eee }</style><p id=star>a</p>",
    "(#dddddd on #fdfcfa): #drawn": '<svg width="90" height="30"><text id="drawn" y="20" fill="#ddd">a</text></svg>',
    "on #fdfcfa): #inside": '<details><summary>m</summary><p id="inside" style="color: #eee">a</p></details>',
    "Tab does not reach #skipped": '<a id="skipped" href="#skipped" tabindex="-1">a</a>',
    "Tab does not reach #behind": (
        "<script>addEventListener('keydown', (e) => document.activeElement.id === 'trap' && e.preventDefault())</script>"
        '<button id="trap">a</button><button id="behind">b</button>'
    ),
    "no shadow shows the focus on #bare": "<style>:focus-visible { outline: none }</style><button id=bare>a</button>",
    "no shadow shows the focus on #pale": "<style>:focus-visible { outline-color: #eee }</style><button id=pale>a</button>",
    "no shadow shows the focus on #same": "<style>#same { outline: none; box-shadow: 0 0 2px }</style><button id=same>a</button>",
    "the focus is out of sight on #left": '<button id="left" style="position: fixed; left: -999px">a</button>',
    "no tabindex, so not every browser lets a key scroll #stuck": (
        '<div id="stuck" class="scroll"><div class="wide">a</div></div>'
    ),
    "on paper: #cut is cut off: 2000 x": '<div id="cut" tabindex="0" style="overflow: auto"><p style="width: 2000px">a</p></div>',
    "on paper: scrolls sideways by": "<style>@media print { p { width: 900px } }</style><p>a</p>",
    "uncaught: paper is not defined": "<script>addEventListener('beforeprint', () => paper.call())</script>a",
    "a click on a figure does not enlarge it": f'<figure><button class="zoom"><img src="{DOT}" alt="a"></button></figure>a',
    "a dot of a figure that is pointed at does not say": f"{SPEAKING}</figure>a",
    "an arrow key does not step to the first dot": f'{SPEAKING}</figure><output class="tip">other</output>a',
    "what a dot says stays when the pointer has left": f'{SPEAKING}</figure><output class="tip">a dot</output>a',
    "the filter of the claims leaves rows": (
        '<form class="filter"><input name="words"></form><table class="claims"><tbody><tr><td>a</td></tr></tbody></table>'
    ),
}


@pytest.fixture(scope="module")
def chromium():
    with browser.browsing() as started:
        yield started


@pytest.fixture
def report(tmp_path):
    """A folder with a paper's page and a file; the tests add its index."""
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "index.html").write_text(f'{HEAD}<p id="claim">A claim <a href="../index.html#top">a</a></p>')
    (tmp_path / "rows.csv").write_text("a,b\n")
    return tmp_path.resolve()


def problems(chromium, report, body, screen=None):
    (report / "index.html").write_text(HEAD + body)
    return browser.check(chromium, report / "index.html", report, screen or browser.Screen())[0]


@pytest.mark.parametrize("screen", browser.SCREENS, ids=str)
def test_a_page_without_faults_passes(chromium, report, screen):
    assert problems(chromium, report, CLEAN, screen) == []


@pytest.mark.parametrize("message", FAULTS)
def test_a_planted_fault_is_named(chromium, report, message):
    found = problems(chromium, report, FAULTS[message])
    assert any(message in problem for problem in found), found


@pytest.mark.parametrize("script", [True, False])
def test_what_only_some_readers_see_is_found_on_their_screen(chromium, report, script):
    dark = '<style>@media (prefers-color-scheme: dark) { #dim { color: #333 } }</style><p id="dim">a</p>'
    assert problems(chromium, report, dark) == []
    assert "(#333333 on #17181b): #dim" in " ".join(problems(chromium, report, dark, browser.Screen(theme="dark", script=script)))
    wide = '<p id="wide" style="width: 500px">a</p>'
    assert problems(chromium, report, wide) == []
    assert "px: #wide is the widest" in " ".join(problems(chromium, report, wide, browser.Screen(width=390, script=script)))


def test_the_keyboard_is_tried_with_every_two_of_width_theme_and_script(chromium, report):
    tabbed = [screen for screen in browser.SCREENS if screen.tabbed]
    for first, second in combinations(range(3), 2):
        assert len({(screen[first], screen[second]) for screen in tabbed}) == 4
    for screen in tabbed:
        assert problems(chromium, report, '<button id="no" tabindex="-1">a</button>', screen) == ["Tab does not reach #no"]


def test_without_script_is_without_script(chromium, report):
    body = '<p id="a">a</p><script>document.getElementById("a").style.color = "#eee"</script>'
    assert problems(chromium, report, body) != []
    assert problems(chromium, report, body, browser.Screen(script=False)) == []


@pytest.fixture
def two_screens(monkeypatch):
    monkeypatch.setattr(browser, "SCREENS", [browser.Screen(), browser.Screen(390, "dark", False)])


def test_the_command_saves_pictures_and_says_what_it_looked_at(report, tmp_path, two_screens, capsys):
    (report / "index.html").write_text(HEAD + CLEAN)
    assert browser.main([str(report), "--out", str(tmp_path / "out")]) == 0
    assert "2 pages on 2 screens each, " in capsys.readouterr().out
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        *(f"{page}-light-1280{part}.png" for page in ("index", "paper") for part in ("", "-whole")),
        *("index.pdf", "paper.pdf"),
    }


def test_the_command_fails_and_names_page_and_screens(report, two_screens, capsys):
    (report / "index.html").write_text(f'{HEAD}<p id="top" style="width: 500px">a</p><a id="a" href="paper/index.html#no">b</a>')
    assert browser.main([str(report)]) == 1
    assert sorted(capsys.readouterr().err.splitlines()) == [
        "problem: index.html: #a links to paper/index.html#no: there is no such place [every screen]",
        "problem: index.html: scrolls sideways by 118 px: #top is the widest [dark 390 px without script]",
    ]


def test_the_previews_are_small_first_screens_and_a_figure(chromium, report, tmp_path):
    (report / "index.html").write_text(HEAD + CLEAN)
    figure = report / "paper" / "figure.png"
    Image.effect_noise((2000, 500), 50).save(figure)
    browser.preview(chromium, report / "index.html", report / "paper" / "index.html", figure, tmp_path)
    for name, size in {"index": (1280, 800), "paper": (1280, 800), "figure": (1280, 320)}.items():
        assert Image.open(tmp_path / f"preview-{name}.png").size == size
    assert all((tmp_path / f"preview-{name}.png").stat().st_size < browser.PREVIEW for name in ("index", "paper"))


def test_a_missing_page_is_an_error(report, tmp_path, capsys):
    (report / "index.html").write_text(HEAD + CLEAN)
    assert browser.main([str(report), "--preview", str(tmp_path), "--paper", "other"]) == 2
    (tmp_path / "empty").mkdir()
    assert browser.main([str(tmp_path / "empty")]) == 2
    assert capsys.readouterr().err.count("lacks pages; build them first") == 2
