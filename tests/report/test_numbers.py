import math

import pytest

from common.measure.paper import ReportedTable
from report.numbers import duration, estimate, number
from report.strip import MARGIN, strip
from report.views import reported_grid


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.63124, "0.6312"),
        (-3.5, "−3.5"),
        (1.2e-5, "1.2×10⁻⁵"),
        (-4e21, "−4×10²¹"),
        (math.nan, "–"),
        (None, "–"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (0.0, "0"),
    ],
)
def test_number(x, text):
    assert number(x) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.632, 0.611, 0.653), ("0.632", "[0.611, 0.653]")),
        ((63.2, 51.1, 75.3), ("63", "[51, 75]")),
        ((-0.5, -1.5, 0.5), ("−0.5", "[−1.5, 0.5]")),
        ((1234.0, 234.0, 2234.0), ("1234", "[234, 2234]")),
        ((1e-9, 0.9e-9, 1.1e-9), ("1.00×10⁻⁹", "[0.90, 1.10]×10⁻⁹")),
        ((2.5e7, 1.5e7, 3.5e7), ("2.5×10⁷", "[1.5, 3.5]×10⁷")),
        ((8.548e-6, 7.356e-6, 9.741e-6), ("8.5×10⁻⁶", "[7.4, 9.7]×10⁻⁶")),
        ((1e5, -5.0, 200005.0), ("100000", "[−5, 200005]")),
        ((1.0, 1.0, 1.0), ("1", "")),
        ((1.0, 1 - 6e-15, 1 - 2e-15), ("1", "")),
        ((1.0, 1 - 2e-8, 1 + 2e-8), ("1.000000000", "[0.999999980, 1.000000020]")),
        ((0.5, math.nan, math.nan), ("0.5", "")),
        ((math.nan, math.nan, math.nan), ("–", "")),
    ],
)
def test_estimate_has_two_digits_of_the_half_width(values, text):
    assert estimate(*values) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (4.2, "4.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (725, "12 min 5 s"),
        (3599.7, "1 h 0 min"),
        (12000, "3 h 20 min"),
        (47.9 * 3600, "47 h 54 min"),
        (22.1 * 86400, "22 d 2 h"),
        (None, "–"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_strip_places_range_and_interval_on_one_scale():
    found = strip((0.0, 1.0), 0.5, 0.25, 0.75)
    inner = 100 - 2 * MARGIN
    assert found.band == (MARGIN, 100 - MARGIN)
    assert found.bar == (MARGIN + inner / 4, MARGIN + 3 * inner / 4) and found.mean == 50


def test_strip_of_an_open_range_reaches_the_edge():
    below, above = strip((None, 1.0), 2.0, 1.5, 2.5), strip((1.0, None), 2.0)
    assert below.band == (0, MARGIN) and below.bar[1] == 100 - MARGIN
    assert above.band == (MARGIN, 100) and above.bar == (above.mean, above.mean) == (100 - MARGIN, 100 - MARGIN)


def test_strip_of_a_point_is_in_the_middle_and_of_nothing_is_nothing():
    assert strip((1.0, 1.0), 1.0, 1.0, 1.0).mean == 50 == strip((1.0, 1.0), 1.0, 1.0, 1.0).band[0]
    assert strip((0.0, 1.0), math.nan) is None is strip((0.0, 1.0), math.inf)


def test_reported_numbers_get_even_decimals_by_column():
    columns = ["Method", "NLL", "NFE"]
    rows = [["a", 3.1, 142], ["b", -2.995, None], ["c", "–", 7]]
    table = ReportedTable(title="T", location="Table 1", source="paper", protocol="p", columns=columns, rows=rows)
    found = reported_grid(table, "x")
    assert found.rows == [["a", "3.100", "142"], ["b", "−2.995", "–"], ["c", "–", "7"]]
    assert found.numeric == [False, True, True]
    assert found.caption == "The paper's Table 1, stated in the paper: p."
