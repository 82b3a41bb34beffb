import base64
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from common.measure.figures import Figure, RunFolder, Table, style
from report.cost import by_experiment, distinct, machines, total
from report.pictures import Problem, _attempt, _checked, encode


def figure(points):
    drawing, axis = plt.subplots(figsize=(4, 2))
    axis.scatter(range(points), range(points))
    return Figure("f", "Title", "Caption", "Alt", drawing)


def test_small_drawings_are_svg_large_ones_png_at_twice_the_size():
    with style():
        small, large = encode(figure(3)), encode(figure(5000))
    assert small.uri.startswith("data:image/svg+xml;base64,") and (small.width, small.height) == (384, 192)
    content = base64.b64decode(large.uri.removeprefix("data:image/png;base64,"))
    assert int.from_bytes(content[16:20], "big") == 2 * large.width == 768
    assert not plt.get_fignums(), "figures are closed once drawn"


def test_each_failure_stays_in_its_place():
    def items():
        yield lambda: 1 / 0
        yield 2
        raise KeyError("gone")

    first, second, third = _attempt(items, lambda item: item)
    assert first == Problem("ZeroDivisionError: division by zero") and second == 2
    assert third == Problem("KeyError: 'gone'")


def test_a_function_that_fails_at_once_is_one_problem():
    def items():
        raise RuntimeError("no module")

    assert _attempt(items, str) == [Problem("RuntimeError: no module")]


@pytest.mark.parametrize(("identifier", "frame"), [("../escape", pd.DataFrame()), ("fine", "not a frame")])
def test_tables_are_checked(identifier, frame):
    (problem,) = _attempt(lambda: [Table(identifier, "t", "c", pd.DataFrame())], lambda t: _checked(swap(t, frame)))
    assert isinstance(problem, Problem)


def swap(table, frame):
    object.__setattr__(table, "frame", frame)
    return table


def run(**info):
    shared = {
        "paper": "p",
        "experiment": "e",
        "seed": 0,
        "cpu": "A",
        "command": "c",
        "commit": "x",
        "versions": {"b": "2", "a": "1"},
    }
    return RunFolder(Path("nowhere"), shared | info)


def test_cost_sums_shares_and_peaks():
    runs = [
        run(seconds=1.0, cpu_seconds=4.0, startup_seconds=1.0, peak_memory_mb=300.0),
        run(seconds=2.0, cpu_seconds=6.0, startup_seconds=0.0, peak_memory_mb=500.0, seed=1),
        run(experiment="f", cpu="B"),
    ]
    cost = total(runs)
    assert (cost.runs, cost.seconds, cost.cpu, cost.startup_share, cost.memory) == (3, 3.0, 10.0, 0.1, 500.0)
    first, second = by_experiment(runs)
    assert (first.experiment, first.seeds, first.cost.seconds, first.commands) == ("e", [0, 1], 3.0, ["c"])
    assert (second.experiment, second.cost.startup_share) == ("f", 0.0)
    assert [(machine.facts["cpu"], machine.runs) for machine in machines(runs)] == [("A", 2), ("B", 1)]
    assert distinct(runs, "versions") == [(("a", "1"), ("b", "2"))] and distinct(runs, "commit") == ["x"]
