"""Holes and the two notebooks that one source gives."""

import json

import pytest

from common.errors import RetraceError
from replications import notebooks
from replications.__main__ import main

SOURCE = '''\
# %% [markdown]
r"""
# Title with $\\alpha$
"""

# %%
def double(x):
    return 2 * x  # hole: twice `x`, say "2 x"


# %%
y = double(3)
total: float = y + 1 == 7  # hole: whether
y -= 2  # hole: less
# hole: two lines
z = 1
z += y
# end of hole
print(z)
'''
OPENED = '''\
# %% [markdown]
r"""
# Title with $\\alpha$
"""

# %%
def double(x):
    return hole("twice `x`, say \\"2 x\\"")


# %%
y = double(3)
total: float = hole("whether")
y -= hole("less")
hole("two lines")
print(z)
'''


def test_answers_give_way_to_holes_and_nothing_else_changes():
    assert notebooks.opened(SOURCE) == (OPENED, ['twice `x`, say "2 x"', "whether", "less", "two lines"])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nf(2)  # hole: call", "line 2"),
        ("a = f(  # hole: open\n    2)", "line 1"),
        ("a = 1\n)  # hole: closing", "line 2"),
        ("# hole: begun\na = 1", "no `# end of hole`"),
    ],
)
def test_what_cannot_be_a_hole_is_said_with_its_line(text, line):
    with pytest.raises(RetraceError, match=line):
        notebooks.opened(text)


def test_two_notebooks_of_one_source():
    student, solution = (notebooks.notebook(SOURCE, paper="some_paper", answers=answers) for answers in (False, True))
    assert [cell.cell_type for cell in student.cells] == ["markdown", "code", "code", "code"]
    assert student.cells[0].source == "# Title with $\\alpha$"
    assert student.cells[1].source == notebooks.SETUP.rstrip() == solution.cells[1].source
    assert 'return hole("twice' in student.cells[2].source and "return 2 * x" in solution.cells[2].source
    assert not any(cell.get("outputs") for cell in solution.cells)
    assert notebooks.notebook(SOURCE, paper="some_paper", answers=True) == solution, "no random ids"


def test_the_setup_cell_finds_the_repository_from_the_notebooks_folder_and_beside_a_clone(tmp_path, monkeypatch):
    import sys

    (tmp_path / "retrace" / "replications").mkdir(parents=True)
    (tmp_path / "retrace" / "replications" / "teaching.py").write_text("def hole(hint): ...")
    (tmp_path / "retrace" / "notebooks" / "paper").mkdir(parents=True)
    for folder in ("retrace/notebooks/paper", "retrace", "."):
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.chdir(tmp_path / folder)
        exec(compile(notebooks.SETUP, "setup", "exec"), {})
        assert sys.path[0] == str(tmp_path / "retrace")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(AssertionError, match="clone it first"):
        exec(compile(notebooks.SETUP, "setup", "exec"), {})


def test_the_command_writes_them_and_names_a_paper_without_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["replications", "notebooks", "--out", str(tmp_path), "--papers", "flow_matching"])
    assert main() == 0
    for name, holes in {"student": True, "solution": False}.items():
        text = (tmp_path / "flow_matching" / f"{name}.ipynb").read_text()
        assert json.loads(text)["nbformat"] == 4
        assert ("= hole(" in text) == holes and ("# hole:" in text) != holes
    monkeypatch.setattr("sys.argv", ["replications", "notebooks", "--out", str(tmp_path), "--papers", "no_paper"])
    assert main() == 2
    assert "no_paper: has no walkthrough.py; there is one for" in capsys.readouterr().err
