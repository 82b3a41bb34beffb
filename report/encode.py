"""A drawing -> the picture on the page and the files to take away."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from PIL import Image

from common.measure.figures import Figure, frame
from common.runs.folders import write
from report.collect import write_table
from report.tips import attribute, places, titled

# On the page, a drawing up to this size is an SVG, sharp at any zoom, and any other a WebP.
SVG_LIMIT = 60_000
COLUMN = 900  # CSS pixels: wider drawings are shown as wide as the text
PIXELS_PER_INCH = 96
FINE = 2  # image pixels for a CSS pixel: in the file to take away
SHOWN = 1.5  # and on the page
QUALITY = 80  # of pictures with shades
MOVING_QUALITY = 50
STEP = 15  # between the values of a channel in all others, white and black among them
# seconds of a frame and of the last one; twice through, an animation is over in the five seconds that WCAG allows without a
# button to stop it, and rests on its last frame
SECONDS, LAST_SECONDS, TIMES = 0.09, 0.6, 2


@dataclass(frozen=True)
class Picture:
    """A figure as a data URI, with its size in CSS pixels so that the page does not jump while it loads.

    `files` are what can be taken away, by kind ("svg", "png", "csv", "webp"), as paths from the page; `commands` make the
    runs that it was drawn from; `arrays` is the file with all that it shows, where the CSV does not hold that. If there is
    an `animation`, `uri` is its still.
    """

    id: str
    title: str
    caption: str
    alt: str
    uri: str
    width: int
    height: int
    files: Mapping[str, str]
    commands: Sequence[str]
    arrays: str
    photographic: bool
    animation: str = ""
    tips: str = ""  # what its dots say (report.tips.attribute)


def encode(figure: Figure, out: Path) -> Picture:
    """Write a figure's files below `out`, close it, and return it as a picture."""
    if not re.fullmatch(r"[\w.=-]+", figure.id):
        raise ValueError(f"figure id {figure.id!r} names files: use letters, digits and hyphens")
    drawing = figure.figure
    try:
        width, height = (round(inches * PIXELS_PER_INCH) for inches in drawing.get_size_inches())
        image, svg, found = _image(drawing), _svg(drawing), places(figure)
    finally:
        plt.close(drawing)
    scale = min(1, COLUMN / width)
    width, height = round(scale * width), round(scale * height)
    contents = {"svg": titled(svg, found, drawing), "png": _png(image)}
    if figure.frames:
        contents["webp"] = _animation(figure.frames)
    files = {kind: f"figures/{figure.id}.{kind}" for kind in contents}
    (out / "figures").mkdir(parents=True, exist_ok=True)
    for kind, content in contents.items():
        write(out / files[kind], lambda stream, content=content: stream.write(content))
    if figure.data is not None:
        files["csv"] = f"figures/{figure.id}.csv"
        write_table(out / files["csv"], figure.data)
    return Picture(
        figure.id,
        figure.title,
        figure.caption,
        figure.alt,
        _uri("svg+xml", svg) if len(svg) <= SVG_LIMIT else _uri("webp", _webp(image, width, height, figure.photographic)),
        width,
        height,
        files,
        list(dict.fromkeys(str(run.info["command"]) for run in figure.runs if run.info.get("command"))),
        str(figure.runs[0].path / figure.arrays) if figure.arrays else "",
        figure.photographic,
        _uri("webp", contents["webp"]) if figure.frames else "",
        attribute(found),
    )


def _image(drawing: Drawing) -> Image.Image:
    drawing.set_dpi(FINE * PIXELS_PER_INCH)
    return Image.fromarray(frame(drawing))


def _svg(drawing: Drawing) -> bytes:
    drawing.set_dpi(SHOWN * PIXELS_PER_INCH)  # of what is rasterised in it
    stream = io.StringIO()
    # savefig would draw it once more to lay it out; no date in the file: the same runs give the same page
    FigureCanvasSVG(drawing).print_svg(stream, metadata={"Date": None})
    return stream.getvalue().encode()


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def _webp(image: Image.Image, width: int, height: int, photographic: bool) -> bytes:
    shown = image.resize((round(SHOWN * width), round(SHOWN * height)), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    if photographic:
        shown.save(stream, "WEBP", quality=QUALITY)
    else:  # lines and letters stay sharp without losses, and small where channels have few values; shades would show bands
        few = shown.point([STEP * round(value / STEP) for value in range(256)] * 3)
        # the usual method 4 takes a third more time, for a fortieth less
        few.save(stream, "WEBP", lossless=True, quality=30, method=1)
    return stream.getvalue()


def _animation(frames: Sequence[np.ndarray]) -> bytes:
    first, *others = (Image.fromarray(frame) for frame in frames)
    times = [round(1000 * SECONDS)] * len(others) + [round(1000 * LAST_SECONDS)]
    stream = io.BytesIO()
    first.save(
        stream,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=times,
        loop=TIMES,
        quality=MOVING_QUALITY,
        minimize_size=True,
    )
    return stream.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
