import io
import re

import pytest

from common.learning.training.progress import Progress


def run(steps, first=0, **options):
    progress = Progress("digits", first, steps, **options)
    for step in range(first, steps):
        progress.step()
        progress.record(step + 1, 0.25)
    progress.close()


@pytest.mark.parametrize(("first", "steps", "lines"), [(0, 1000, 10), (0, 7, 7), (500, 1000, 5), (999, 1000, 1)])
def test_ten_lines_per_run_without_a_terminal(capsys, first, steps, lines):
    run(steps, first)
    out = capsys.readouterr().out.splitlines()
    assert len(out) == lines
    pattern = rf"digits  step {steps}/{steps}  loss 0\.25  [0-9.e+]+ it/s  0 s left"
    assert re.fullmatch(pattern, out[-1]), out[-1]


def test_a_process_that_is_not_the_first_is_quiet(capsys):
    run(100, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_a_live_line_on_a_terminal(capsys, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", terminal)
    run(100)
    assert "digits" in terminal.getvalue() and "/100" in terminal.getvalue()
    assert capsys.readouterr().out == "", "the live line takes the place of the ten"
