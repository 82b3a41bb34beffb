"""What a paper's figures.py takes and gives: run folders in, figures and tables out.

    figures(runs: Runs) -> Iterable[Figure | Callable[[], Figure]]
    tables(metrics: pd.DataFrame) -> Iterable[Table | Callable[[], Table]]      (or of metrics and refused: see below)
    advice(metrics: pd.DataFrame) -> Advice | None       (where a reader asks what to use)

Tables and advice are made from the measured rows. A `tables` with a second parameter is given the rows that were refused too,
with their reasons.

Figures are drawn when the report is built, never during training. A function without arguments may stand for what it
draws (`functools.partial(samples, run)`): if it raises, only its own place in the report is lost, while an exception
inside a generator also ends what would have followed.
"""

import contextlib
import functools
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import matplotlib.pyplot as plt

# Not inside the functions: nothing but the papers' figures and the report imports this module.
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

from common.errors import RetraceError
from common.runs.folders import COLUMNS, NUMERIC, verified

# Okabe and Ito's palette, told apart under every common colour blindness; its yellow is too light for lines on white.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#8C8C8C"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
# Tol's wine and olive, where more methods have a colour of their own
WINE, OLIVE = "#882255", "#999933"
# One colour per method in every figure of the report.
COLOURS = {
    "fm_ot": BLUE,
    "fm_vp": VERMILION,
    "score_vp": GREEN,
    "ddpm_vp": PURPLE,
    "scoreflow_vp": ORANGE,
    "score_ve": SKY,
    "ncsn": WINE,
    "ncsn_single": OLIVE,
    "data": BLACK,
    "exact": BLACK,
    "noise": GREY,
}

# The report's style: colour-blind-safe cycle, two spines, light grid.
STYLE = {
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelsize": 9,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9.5,
    "figure.constrained_layout.use": True,
    "figure.dpi": 96,
    "figure.max_open_warning": 0,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so a figure looks the same on every machine
    "font.size": 9,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "image.cmap": "cividis",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "savefig.dpi": 192,  # twice the nominal size, for fine screens and print
    "svg.hashsalt": "retrace",  # element names that do not change between builds
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}

# What a row of a table is beside a method: what data, or the truth itself, reads under the same measure; a trivial rival.
ROW_KINDS = ("", "floor", "baseline")


@dataclass(frozen=True)
class Table:
    """A table; its index is not shown. `id` is unique within the paper and names the CSV file.

    `kinds` says what each row is, in ROW_KINDS; empty if all rows are methods. Raises `RetraceError` if it does not fit the rows.
    """

    id: str
    title: str
    caption: str
    frame: pd.DataFrame
    kinds: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.kinds and (len(self.kinds) != len(self.frame) or not set(self.kinds) <= set(ROW_KINDS)):
            raise RetraceError(
                f"table {self.id}: kinds: {', '.join(map(repr, self.kinds))} for {len(self.frame)} rows; give one of "
                f"{', '.join(map(repr, ROW_KINDS))} for each row"
            )


@dataclass(frozen=True)
class Advice:
    """What to use, in sentences computed from the measured rows; the caption says from which, and what the numbers are."""

    title: str
    sentences: Sequence[str]
    caption: str


def marked(table: Table, kinds: Mapping[str, str], column: str) -> Table:
    """Return a table with what each row is, by the name in one of its columns; names without an entry are methods."""
    return replace(table, kinds=[kinds.get(name, "") for name in table.frame[column]])


def mean_and_deviation(values: pd.Series) -> str:
    """Return "mean ± standard deviation" for a cell of a table, or the mean of a single value."""
    spread = f" ± {values.std():.2g}" if len(values) > 1 else ""
    return f"{values.mean():.4g}{spread}"


@dataclass(frozen=True)
class RunFolder:
    """One finished run. `info` is its run.json; metrics and arrays are read when they are asked for."""

    path: Path
    info: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Return the run in `path`. Raises `RetraceError` if its run.json cannot be read."""
        file = path / "run.json"
        try:
            info = json.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise RetraceError(f"{file}: cannot be read ({error}); delete the folder and run again") from None
        if not isinstance(info, dict):
            raise RetraceError(f"{file}: is not a JSON object; delete the folder and run again")
        return cls(path, info)

    @functools.cached_property
    def metrics(self) -> pd.DataFrame:
        """The measured rows, with the columns of `common.runs.folders.COLUMNS`."""
        return read_metrics(verified(self.path, "metrics.csv"))

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays that the run left for figures (arrays.npz)."""
        return self._load("arrays.npz")

    @functools.cached_property
    def samples(self) -> dict[str, np.ndarray]:
        """The samples that the run drew (samples.npz)."""
        return self._load("samples.npz")

    def has(self, **where: Any) -> bool:
        """Return whether every field, at run.json's top level or among its settings, has this value."""
        fields = {**self.info.get("settings", {}), **self.info}
        return all(key in fields and fields[key] == value for key, value in where.items())

    def _load(self, name: str) -> dict[str, np.ndarray]:
        with np.load(verified(self.path, name), allow_pickle=False) as arrays:
            return dict(arrays)


class Tip(NamedTuple):
    """What pointing at a place of a panel says; the place is in the panel's own coordinates."""

    axis: Axes
    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Figure:
    """A drawing with its title, caption and a text for those who cannot see it; `id` is unique within the paper.

    What makes it one to take away: `runs` it was drawn from, and `data`, one row for each thing plotted. Where that would
    be too much, `data` is a part of it or None, and `arrays` names the file of the runs' first that holds it all.
    """

    id: str
    title: str
    caption: str
    alt: str
    figure: Drawing
    runs: Sequence[RunFolder] = ()
    data: pd.DataFrame | None = None
    arrays: str = ""
    # pictures of samples or densities, whose colours mean something: a dark page leaves them as they are
    photographic: bool = False
    # where motion is the point: images [height, width, 3] of uint8 in order of time; the drawing is the still
    frames: Sequence[np.ndarray] = ()
    # what its dots say when they are pointed at; in a panel without any, the dots of a line with a name say name and numbers
    tips: Sequence[Tip] = ()


class Runs:
    """The finished runs that a paper's figures may use."""

    def __init__(self, folders: Iterable[RunFolder], paper: str) -> None:
        self.paper = paper
        self.folders = sorted(folders, key=lambda run: (str(run.path.parent), run.info.get("seed", 0), str(run.path)))

    def find(self, experiment: str, **where: Any) -> list[RunFolder]:
        """Return the runs of an experiment whose fields have these values, by folder and then by seed.

        A field is one of run.json's top level or of its settings: seed=0, data="digits", objective="fm_ot". Only this
        paper's runs count unless `paper` says otherwise.
        """
        where = {"paper": self.paper, **where, "experiment": experiment}
        return [run for run in self.folders if run.has(**where)]


def read_metrics(file: Path) -> pd.DataFrame:
    """Read a metrics.csv: text stays text (an empty cell is ""), numbers are float64 with NaN for empty, seed is int.

    Raises `RetraceError` if the file is not a table with the columns of `common.runs.folders.COLUMNS`.
    """
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        if list(table.columns) != list(COLUMNS):
            raise ValueError(f"its columns are {', '.join(table.columns)}")
        for column in NUMERIC:
            table[column] = [float(text or "nan") for text in table[column]]
        return table.astype({"seed": int})
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise RetraceError(f"{file}: is not a metrics table ({error}); delete the folder and run again") from None


def colour(method: str) -> str:
    """Return the method's colour, the same in every figure; methods without an entry in COLOURS get one by their name."""
    return COLOURS.get(method) or PALETTE[zlib.crc32(method.encode()) % len(PALETTE)]


def mean_and_range(axis: Axes, values: pd.DataFrame, colour: str, label: str) -> None:
    """Draw the mean over the columns (seeds) against the index, with a band from the smallest to the largest."""
    values = values.sort_index()
    x = values.index.to_numpy(float)
    axis.plot(x, values.mean(axis=1).to_numpy(), color=colour, label=label, marker="o", markersize=3)
    if values.shape[1] > 1:
        low, high = values.min(axis=1).to_numpy(), values.max(axis=1).to_numpy()
        axis.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)


def plain_ticks(axis: Axis, *, base: int = 10, subs: Sequence[int] = (1, 2, 5)) -> None:
    """Label a logarithmic axis with plain numbers, at these multiples of the powers: few axes here span many powers of ten."""
    axis.set_major_locator(LogLocator(base=base, subs=subs))
    axis.set_major_formatter(ScalarFormatter())
    axis.set_minor_locator(NullLocator())


def frame(drawing: Drawing) -> np.ndarray:
    """Return a drawing as it is now, as an image [height, width, 3] of uint8 for `Figure.frames`; its layout is kept."""
    drawing.canvas.draw()
    drawing.set_layout_engine("none")  # a later frame would be laid out anew, and the panels would move
    return np.asarray(drawing.canvas.buffer_rgba())[..., :3].copy()


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw in the report's style: colour-blind-safe cycle, two spines, light grid, white ground, no screen needed."""
    backend = plt.get_backend()
    plt.switch_backend("agg")
    try:
        with plt.rc_context():
            matplotlib.rcdefaults()  # a user's own style would reach the figures
            plt.rcParams.update(STYLE)
            yield
    finally:
        plt.close("all")
        plt.switch_backend(backend)
