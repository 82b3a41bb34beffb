"""What a paper's figures.py is given and gives back: run folders in, matplotlib figures and tables out."""

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

# Okabe & Ito's palette, told apart with any colour vision; one fixed colour per method in every figure of every paper
COLOURS = {
    "fm_ot": "#D55E00",
    "fm_vp": "#0072B2",
    "score_vp": "#009E73",
    "ddpm_vp": "#CC79A7",
    "scoreflow_vp": "#E69F00",
    "data": "#555555",
}
STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 160,
    "figure.facecolor": "white",
}


@dataclass(frozen=True)
class Figure:
    """A figure of the report; `alt` says in words what it shows."""

    id: str
    title: str
    caption: str
    alt: str
    figure: Canvas


@dataclass(frozen=True)
class Table:
    """A table of the report."""

    id: str
    title: str
    caption: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class RunFolder:
    """A finished run on disk, read when asked."""

    path: Path

    @functools.cached_property
    def info(self) -> Mapping[str, Any]:
        """What run.json says."""
        return json.loads((self.path / "run.json").read_text())

    @functools.cached_property
    def metrics(self) -> pd.DataFrame:
        """The run's rows."""
        return pd.read_csv(self.path / "metrics.csv", keep_default_na=False, na_values=[""])

    @functools.cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """The arrays that its figures need."""
        return np.load(self.path / "arrays.npz", allow_pickle=False)

    @functools.cached_property
    def samples(self) -> Mapping[str, np.ndarray]:
        """The samples that it saved."""
        return np.load(self.path / "samples.npz", allow_pickle=False)


class Runs:
    """The finished runs among the folders that a report covers."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.folders = [RunFolder(folder) for folder in folders if (folder / "metrics.csv").is_file()]

    def find(self, experiment: str, **where: Any) -> list[RunFolder]:
        """Return the runs of an experiment whose run.json (top level or settings) has these values."""

        def matches(run: RunFolder) -> bool:
            values = {**run.info["settings"], **run.info}
            return values["experiment"] == experiment and all(values.get(key) == value for key, value in where.items())

        return [run for run in self.folders if matches(run)]


def colour(method: str) -> str:
    """Return the method's colour, the same in every figure."""
    return COLOURS.get(method, "#555555")


@contextmanager
def style() -> Iterator[None]:
    """Draw with the report's style and without a display."""
    matplotlib.use("agg")
    with matplotlib.rc_context(STYLE):
        yield


def mean_and_range(axis: Axes, curves: pd.DataFrame, colour: str, label: str) -> None:
    """Draw the mean over columns (seeds) against the index, with a band from the smallest to the largest."""
    axis.plot(curves.index, curves.mean(axis=1), color=colour, label=label, marker="o", markersize=3)
    axis.fill_between(curves.index, curves.min(axis=1), curves.max(axis=1), color=colour, alpha=0.2, linewidth=0)
