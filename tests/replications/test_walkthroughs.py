"""Every walkthrough runs, says what it must, has holes that speak, and checks that can tell a wrong answer.

Each is run once, cell by cell, as plain Python at the small budget. At a cell with holes the cells up to its check are first run
as the student gets them, and then with each answer made wrong.
"""

import re

import jupytext
import matplotlib
import matplotlib.pyplot as plt
import nbformat
import pytest

from common.runs.settings import ROOT
from replications import notebooks
from replications.teaching import BUDGET, NotRightError, UnansweredError, hole

SOURCES = {paper: file.read_text() for paper, file in notebooks.walkthroughs().items()}
LONGEST = 300  # lines
every_walkthrough = pytest.mark.parametrize("paper", SOURCES)


def code(source: str) -> list[str]:
    return [cell.source for cell in jupytext.reads(source, fmt="py:percent").cells if cell.cell_type == "code"]


def wrong(cell: str) -> list[str]:
    """The cell with each of its one-line answers made wrong in turn."""
    lines = cell.splitlines()
    found = [(number, notebooks.LINE.fullmatch(line)) for number, line in enumerate(lines)]
    spoilt = {number: f"{hit['left']}1.5 * ({hit['answer']}) + 3" for number, hit in found if hit}
    return ["\n".join([*lines[:number], line, *lines[number + 1 :]]) for number, line in spoilt.items()]


def run(cells: list[str], names: dict, paper: str, first: int) -> None:
    for number, cell in enumerate(cells, first):
        exec(compile(cell, f"{paper}, code cell {number}", "exec"), names)
        plt.close("all")


@every_walkthrough
def test_it_runs_and_every_hole_speaks_and_every_check_can_tell(paper, monkeypatch):
    monkeypatch.setenv(BUDGET, "small")
    monkeypatch.setattr(plt, "show", lambda: None)
    source = SOURCES[paper]
    opened = notebooks.opened(source)
    solution, student, hints = code(source), code(opened.text), iter(opened.hints)
    assert len(solution) == len(student)
    names = {"__name__": "__main__", "hole": hole}
    with matplotlib.rc_context({"backend": "agg"}):
        for number, (answered, asked) in enumerate(zip(solution, student)):
            if answered != asked:
                end = next(n for n in range(number, len(solution)) if re.search(r"\bcheck\(", solution[n])) + 1
                rest = solution[number + 1 : end]
                first, *_ = [next(hints) for _ in range(asked.count('hole("'))]
                with pytest.raises(UnansweredError) as said:
                    run([asked, *rest], dict(names), paper, number)
                assert first in str(said.value), f"code cell {number}: another hole speaks first"
                for spoilt in wrong(answered):
                    with pytest.raises(NotRightError):
                        run([spoilt, *rest], dict(names), paper, number)
                        pytest.fail(f"code cell {number}: the check takes a wrong answer:\n{spoilt}")
            run([answered], names, paper, number)
    assert next(hints, None) is None


@every_walkthrough
def test_each_hole_has_its_own_check_before_the_next(paper):
    cells = [cell.source for cell in notebooks.notebook(SOURCES[paper], paper=paper, answers=False).cells[2:]]
    order = "".join("h" * ('hole("' in cell) + "c" * bool(re.search(r"\bcheck\(", cell)) for cell in cells)
    assert re.fullmatch(r"(hc+)+", order), f"holes and checks come as {order}"
    assert 4 <= order.count("h") <= 8


@every_walkthrough
@pytest.mark.parametrize("answers", [False, True])
def test_its_notebooks_are_valid_and_of_a_readable_size(paper, answers):
    book = notebooks.notebook(SOURCES[paper], paper=paper, answers=answers)
    nbformat.validate(book)
    assert 20 <= len(book.cells) <= 40
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in book.cells)
    assert len(SOURCES[paper].splitlines()) <= LONGEST


@every_walkthrough
def test_its_first_cell_leads_to_the_report_and_to_what_came_before(paper):
    first = notebooks.notebook(SOURCES[paper], paper=paper, answers=True).cells[0]
    assert first.cell_type == "markdown" and first.source.startswith("# ")
    assert f"`report/build/laptop/{paper}/index.html`" in first.source
    earlier = [f"`{other.name}`" for other in (ROOT / "replications").iterdir() if other.is_dir() and other.name != paper]
    assert paper == "neural_ode" or any(name in first.source for name in earlier), "it takes something from an earlier notebook"
