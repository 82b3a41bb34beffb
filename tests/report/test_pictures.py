import base64
import io
from pathlib import Path
from types import SimpleNamespace

import jinja2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.measure.figures import Figure, RunFolder, Table, style
from report.cost import by_experiment, distinct, machines, total
from report.encode import LAST_SECONDS, SECONDS, TIMES, encode
from report.pictures import Problem, _attempt, _checked, tables
from report.render import FOLDER


def figure(points, *, size=(4, 2), **more):
    drawing, axis = plt.subplots(figsize=size)
    axis.scatter(range(points), np.random.default_rng(0).random(points), s=1)
    return Figure("f", "Title", "Caption", "Alt", drawing, **more)


def picture(folder, points, **more):
    with style():
        return encode(figure(points, **more), folder)


def opened(uri):
    kind, _, content = uri.removeprefix("data:image/").partition(";base64,")
    return kind, base64.b64decode(content)


def test_small_drawings_are_svg_large_ones_webp_as_fine_as_the_screen(tmp_path):
    small, large = picture(tmp_path / "small", 3), picture(tmp_path / "large", 5000)
    kind, content = opened(small.uri)
    assert kind == "svg+xml" and content == (tmp_path / "small" / small.files["svg"]).read_bytes()
    assert (small.width, small.height) == (384, 192)
    kind, content = opened(large.uri)
    assert kind == "webp" and Image.open(io.BytesIO(content)).size == (1.5 * large.width, 1.5 * large.height) == (576, 288)
    assert not plt.get_fignums(), "figures are closed once drawn"


def test_a_drawing_wider_than_the_text_is_shown_as_wide_as_the_text(tmp_path):
    wide = picture(tmp_path, 5000, size=(18, 4))
    assert (wide.width, wide.height) == (900, 200)
    assert Image.open(tmp_path / wide.files["png"]).size == (3456, 768), "the file is as fine as it was drawn"


def test_a_figure_can_be_taken_away(tmp_path):
    runs = [run(command="python -m first"), run(command="python -m second"), run(command="python -m first"), run(command="")]
    table = pd.DataFrame({"method": ["=cmd()", "b"], "NFE": [4, 8]})
    taken = picture(tmp_path, 3, runs=runs, data=table, photographic=True)
    assert taken.files == {kind: f"figures/f.{kind}" for kind in ("svg", "png", "csv")}
    assert (tmp_path / "figures/f.csv").read_text() == "method,NFE\n'=cmd(),4\nb,8\n", "no formula for a spreadsheet"
    assert taken.commands == ["python -m first", "python -m second"]
    assert taken.photographic and not taken.arrays and not taken.animation
    assert picture(tmp_path, 3, runs=runs, arrays="samples.npz").arrays == "nowhere/samples.npz"
    assert "csv" not in picture(tmp_path, 3).files


def test_the_same_drawing_gives_the_same_files(tmp_path):
    first, second = picture(tmp_path / "a", 50), picture(tmp_path / "b", 50)
    assert first == second
    for file in first.files.values():
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_crowd_of_rasterised_points_keeps_the_svg_small(tmp_path):
    with style():
        crowd = figure(5000)
        crowd.figure.axes[0].collections[0].set_rasterized(True)
        taken = encode(crowd, tmp_path)
    rasterised = (tmp_path / taken.files["svg"]).read_bytes()
    assert b"<image" in rasterised
    assert len(rasterised) < 100_000 < (tmp_path / picture(tmp_path, 5000).files["svg"]).stat().st_size


def test_what_moves_has_a_still_and_stops_within_five_seconds(tmp_path):
    frames = [np.full((20, 30, 3), shade, np.uint8) for shade in (0, 120, 255)]
    taken = picture(tmp_path, 3, frames=frames)
    assert opened(taken.uri)[0] == "svg+xml", "the drawing itself is the still"
    kind, content = opened(taken.animation)
    moving = Image.open(io.BytesIO(content))
    assert kind == "webp" and (moving.n_frames, moving.size, moving.info["loop"]) == (3, (30, 20), TIMES)
    assert content == (tmp_path / taken.files["webp"]).read_bytes()
    assert TIMES * (20 * SECONDS + LAST_SECONDS) <= 5


def shown(taken):
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(FOLDER / "templates"), autoescape=True)
    page = '{% import "figure.html.jinja" as f %}{{ f.figure(picture) }}'
    return environment.from_string(page).render(picture=taken)


def test_the_page_links_what_can_be_taken_away_and_escapes_texts(tmp_path):
    taken = picture(tmp_path, 3, runs=[run(command="python -m p e --set x='<b>'")], arrays="arrays.npz", photographic=True)
    html = shown(taken)
    assert all(
        f'<a href="{file}" download aria-label="{taken.title} as {kind.upper()}">{kind.upper()}</a>' in html
        for kind, file in taken.files.items()
    )
    assert "&lt;b&gt;" in html and "<b>" not in html and "nowhere/arrays.npz" in html and 'class="photographic"' in html
    assert "<source" not in html


def test_the_page_shows_the_still_in_print_and_to_who_wants_no_motion(tmp_path):
    taken = picture(tmp_path, 3, frames=[np.zeros((8, 8, 3), np.uint8), np.ones((8, 8, 3), np.uint8)])
    html = shown(taken)
    assert f'<source media="print, (prefers-reduced-motion: reduce)" srcset="{taken.uri}">' in html
    assert f'<img src="{taken.animation}"' in html and html.count("<img") == 1


def test_an_id_cannot_name_a_file_elsewhere(tmp_path):
    drawn = figure(3)
    object.__setattr__(drawn, "id", "../escape")
    with pytest.raises(ValueError, match=r"\.\./escape"):
        encode(drawn, tmp_path)
    plt.close(drawn.figure)


def test_each_failure_stays_in_its_place():
    def items():
        yield lambda: 1 / 0
        yield 2
        raise KeyError("gone")

    first, second, third = _attempt(items, lambda item: item)
    assert first == Problem("ZeroDivisionError: division by zero") and second == 2
    assert third == Problem("KeyError: 'gone'")


@pytest.mark.parametrize("parameters", ["metrics", "metrics, refused"])
def test_tables_see_what_was_refused_if_they_ask_for_it(parameters, tmp_path):
    (tmp_path / "figures.py").write_text(
        f"from common.measure.figures import Table\ndef tables({parameters}):\n"
        f"    yield from (Table(f't{{n}}', 't', 'c', rows) for n, rows in enumerate([{parameters}]))\n"
    )
    rows = pd.DataFrame(
        {"paper": "p", "level": "laptop", "seed": [0.0, 1.0, 2.0, 3.0], "status": ["ok", "refused", "ok", "failed"]}
    )
    found = tables(SimpleNamespace(id="p", folder=tmp_path), SimpleNamespace(metrics=rows, level="laptop"))
    assert [list(table.frame.seed) for table in found] == [[0, 2], [1]][: 1 + parameters.count(",")]


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
