"""Notebooks to hand out: each paper's walkthrough.py with its holes open (student.ipynb) and filled in (solution.ipynb).

A walkthrough is one Python file in percent format. A hole is an answer with a hint, marked in one of two ways:

    velocity = x1 - x0  # hole: the derivative of the path        the right side, or what is returned
    # hole: one step of Euler's method                            all lines up to the end
    x = x + h * velocity
    # end of hole

Where the answer stood the student finds `hole("the derivative of the path")`, which says what is missing when it is reached.
Development: jupytext reads the format.
"""

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common.errors import RetraceError
from common.runs.settings import ROOT

if TYPE_CHECKING:
    from nbformat import NotebookNode

SOURCE = "walkthrough.py"
MARK, END = "# hole: ", "# end of hole"
# indent and left side (or return) of a line with an answer, the answer, the hint
LINE = re.compile(rf"(?P<left>\s*(?:return|[^=#]+? [-+*/@]?=) )(?P<answer>\S.*?)\s+{MARK}(?P<hint>.+)")
BEGIN = re.compile(rf"(?P<left>\s*){MARK}(?P<hint>.+)")

# the second cell of every notebook
SETUP = """\
# Finds the repository: the folder of this notebook, one above it, or a clone inside it.
# On a hosted machine first run, in a cell of its own:  !git clone <address of the repository> retrace
#                                     and then:  !pip install -q uv && uv pip install -q --system -r retrace/pyproject.toml
import sys
from pathlib import Path

places = [Path.cwd(), *Path.cwd().parents, *Path.cwd().iterdir()]
root = next((place for place in places if (place / "replications" / "teaching.py").is_file()), None)
assert root, "The repository is not here: clone it first (see above)."
sys.path.insert(0, str(root))

from replications.teaching import hole  # stands wherever an answer is missing
"""


class Opened(NamedTuple):
    """A source with its holes open: the text, and the hint of each hole."""

    text: str
    hints: list[str]


def walkthroughs(root: Path = ROOT) -> dict[str, Path]:
    """Return the source of each paper that has a walkthrough."""
    return {file.parent.name: file for file in sorted((root / "replications").glob(f"*/{SOURCE}"))}


def opened(source: str, name: str = SOURCE) -> Opened:
    """Return the student's text. Raises `RetraceError`, naming the line, where a hole cannot be made."""
    lines, hints, inside = [], [], False
    for number, line in enumerate(source.splitlines(), 1):
        if inside:
            inside = line.strip() != END
            continue
        if MARK not in line:
            lines.append(line)
            continue
        block = BEGIN.fullmatch(line)
        found = block or LINE.fullmatch(line)
        if not found or not (block or _is_expression(found["answer"])):
            wanted = f"one line `name = answer  {MARK}hint`, or lines between `{MARK}hint` and `{END}`"
            raise RetraceError(f"{name}, line {number}: an answer is {wanted}")
        inside = bool(block)
        hint = found["hint"].strip()
        hints.append(hint)
        lines.append(f"{found['left']}hole({_quoted(hint)})")
    if inside:
        raise RetraceError(f"{name}: the last hole has no `{END}`")
    return Opened("\n".join(lines) + "\n", hints)


def notebook(source: str, *, paper: str, answers: bool) -> "NotebookNode":
    """Return the notebook of a walkthrough's source, valid and without outputs; the same source gives the same bytes."""
    import jupytext
    import nbformat

    book = jupytext.reads(source if answers else opened(source, f"replications/{paper}/{SOURCE}").text, fmt="py:percent")
    book.cells.insert(1, nbformat.v4.new_code_cell(SETUP.rstrip()))
    for number, cell in enumerate(book.cells, 1):
        cell.id, cell.metadata = f"{paper.replace('_', '-')}-{number}", {}
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    book.nbformat, book.nbformat_minor = 4, 5
    nbformat.validate(book)
    return book


def write_all(out: Path, chosen: Iterable[str]) -> list[Path]:
    """Write `out/<paper>/student.ipynb` and `solution.ipynb`; return what was written.

    Raises `RetraceError` for a paper without a walkthrough.
    """
    import nbformat

    sources, written = walkthroughs(), []
    for paper in chosen:
        if paper not in sources:
            raise RetraceError(f"{paper}: has no {SOURCE}; there is one for {', '.join(sources)}")
        for name, answers in {"student": False, "solution": True}.items():
            file = out / paper / f"{name}.ipynb"
            file.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook(sources[paper].read_text(), paper=paper, answers=answers), file)
            written.append(file)
    return written


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True


def _quoted(text: str) -> str:
    """Return a string literal in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
