"""What pointing at a dot says, and where: the page's script and the SVG file read the same places."""

import re
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

from common.measure.figures import Figure, Tip, style
from report.encode import encode
from report.tips import MOST, attribute, places, titled


@pytest.fixture(autouse=True)
def styled():
    with style():
        yield


def figure(drawing, **more):
    drawing.canvas.draw()
    return Figure("f", "Title", "Caption", "Alt", drawing, **more)


def plain(**lines):
    drawing, axis = plt.subplots(figsize=(4, 2))
    axis.set(xlabel="NFE", ylabel="error", xlim=(0, 10), ylim=(0, 10), position=(0.25, 0.5, 0.5, 0.5))
    for label, look in lines.items():
        axis.plot([0, 5, 10], [0, 5, 10], label=label, **look)
    drawing.set_layout_engine("none")
    return drawing, axis


def test_dots_of_named_lines_say_name_and_numbers_where_they_are():
    drawing, _ = plain(DDIM={"marker": "o"}, line={}, _hidden={"marker": "o"})
    found = places(figure(drawing))
    assert [place.text for place in found] == ["DDIM: NFE 0, error 0", "DDIM: NFE 5, error 5", "DDIM: NFE 10, error 10"]
    np.testing.assert_allclose([place[:2] for place in found], [[0.25, 0.5], [0.5, 0.25], [0.75, 0]], atol=1e-9)


def test_categories_go_by_their_names_and_what_is_not_finite_or_not_in_the_panel_is_silent():
    drawing, axis = plain()
    axis.plot([1, np.nan, 3, 12], [1, 2, 2, 2], "o", label="runs")  # 12 is in the drawing, right of the panel
    axis.set_yticks([1, 2], ["first", "second"])
    assert [place.text for place in places(figure(drawing))] == ["runs: NFE 1, first", "runs: NFE 3, second"]


def test_a_panel_with_words_of_its_own_says_them_alone():
    drawing, axis = plain(DDIM={"marker": "o"})
    own = [Tip(axis, 5, 5, "this one")]
    assert [place.text for place in places(figure(drawing, tips=own))] == ["this one"]
    assert not places(figure(drawing, photographic=True)) and places(figure(drawing, photographic=True, tips=own))


def test_there_is_an_end_to_it():
    drawing, axis = plain()
    axis.plot(np.linspace(0, 10, 2 * MOST), np.full(2 * MOST, 5), "o", label="many")
    assert len(places(figure(drawing))) == MOST


def test_lines_for_the_script_are_one_for_each_dot():
    drawing, axis = plain()
    found = places(figure(drawing, tips=[Tip(axis, 5, 5, "two\nlines, <b>"), Tip(axis, 10, 0, "end")]))
    assert attribute(found) == "50.00 25.00 two lines, <b>\n75.00 50.00 end" and not attribute([])


def test_the_svg_file_has_titles_there(tmp_path):
    drawing, axis = plain(DDIM={"marker": "o"})
    picture = encode(figure(drawing, tips=[Tip(axis, 5, 5, "a < b & c")]), tmp_path)
    tree = ET.fromstring((tmp_path / picture.files["svg"]).read_bytes())
    name = "{http://www.w3.org/2000/svg}"
    (circle,) = [each for each in tree.iter(f"{name}circle") if each.find(f"{name}title") is not None]
    assert circle.find(f"{name}title").text == "a < b & c"
    box = [float(each) for each in tree.get("viewBox").split()]
    assert (float(circle.get("cx")) / box[2], float(circle.get("cy")) / box[3]) == pytest.approx((0.5, 0.25), abs=1e-3)
    assert re.fullmatch(r"50\.00 25\.00 a < b & c", picture.tips)


def test_a_drawing_without_dots_is_left_as_it_is():
    drawing, _ = plain(line={})
    assert titled(b"<svg></svg>", places(figure(drawing)), drawing) == b"<svg></svg>"
