"""What pointing at a dot of a figure says: places and words, for the page's script and as native titles in the SVG file."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Drawing

from common.measure.figures import Figure, Tip
from report.numbers import number

MOST = 600  # dots of a figure that are named: the words of so many are as long as a drawing
RADIUS = 5  # points, of what answers to a pointer in the SVG file


class Place(NamedTuple):
    """Words at a place of the drawing, in shares of its width and height from the upper left corner."""

    x: float
    y: float
    text: str


def places(figure: Figure) -> list[Place]:
    """Return what the figure says of its dots, and in panels of which it says nothing, of the dots of every line with a name.

    The drawing must have been drawn, for its layout. Pictures say only what they say themselves.
    """
    drawing, own = figure.figure, list(figure.tips)
    silent = [] if figure.photographic else [axis for axis in drawing.axes if axis not in [tip.axis for tip in own]]
    named = [tip for axis in silent for tip in _of_lines(axis)]
    found = [_placed(drawing, tip) for tip in [*own, *named][:MOST]]
    return [place for place in found if 0 <= place.x <= 1 and 0 <= place.y <= 1]


def attribute(found: Sequence[Place]) -> str:
    """Return places as the page's script reads them: a line each, percent from the left and from above, then the words."""
    return "\n".join(f"{100 * x:.2f} {100 * y:.2f} {' '.join(text.split())}" for x, y, text in found)


def titled(svg: bytes, found: Sequence[Place], drawing: Drawing) -> bytes:
    """Return an SVG file with a title at every place, which browsers show to a pointer that rests there."""
    width, height = (72 * inches for inches in drawing.get_size_inches())
    circles = [
        f'<circle cx="{width * x:.1f}" cy="{height * y:.1f}" r="{RADIUS}" fill-opacity="0"><title>{escape(text)}</title></circle>'
        for x, y, text in found
    ]
    return svg.replace(b"</svg>", "\n".join([*circles, "</svg>"]).encode()) if circles else svg


def _of_lines(axis: Axes) -> Iterator[Tip]:
    """Yield the dots of the lines that have marks and a name."""
    for line in axis.lines:
        label = str(line.get_label())
        if label.startswith("_") or line.get_marker() in ("", "None", None) or not line.get_visible():
            continue
        for x, y in np.asarray(line.get_xydata(), float):
            if np.isfinite([x, y]).all():
                yield Tip(axis, x, y, f"{label}: {_said(axis.xaxis, x)}, {_said(axis.yaxis, y)}")


def _said(axis: Axis, value: float) -> str:
    """Return a value under its axis' name; a category by its own."""
    for tick in axis.get_major_ticks():
        label = tick.label1.get_text()
        if abs(tick.get_loc() - value) < 1e-9 and label[:1].isalpha():
            return label
    name = axis.get_label_text().replace("$", "")
    return f"{name} {number(float(value))}".strip()


def _placed(drawing: Drawing, tip: Tip) -> Place:
    x, y = drawing.transFigure.inverted().transform(tip.axis.transData.transform((tip.x, tip.y)))
    visible = tip.axis.bbox.contains(*tip.axis.transData.transform((tip.x, tip.y)))
    return Place(float(x), float(1 - y), tip.text) if visible else Place(-1, -1, "")
