"""Counted work: a row for each training of a run and one for the rest of it, kept by level in results/reference/counted.

part        training, or rest: what the run does besides
name        of several trainings of a run
parameters  of the network that is trained
steps       of that training, when it was counted
batch       samples of a step
operations, flops, moved   of a step; of the rest in all (`common.measure.work`)
kept        bytes that a step keeps for its backward pass, weights left out
growth      work of the mean step over that of the second one: solvers that choose their steps need more as a field gets rougher
mark        fingerprint of the settings that were counted
"""

import csv
import io
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from common.errors import RetraceError
from common.measure.work import Work
from common.runs.folders import write
from common.runs.settings import ROOT

FOLDER = ROOT / "results" / "reference" / "counted"
COUNTED = ("smoke", "laptop")  # levels whose runs are counted from beginning to end, the larger one last
REST, TRAINING = "rest", "training"


class Row(NamedTuple):
    """One line of the table; the work of the rest is that of the whole run."""

    paper: str
    experiment: str
    variant: str
    part: str
    name: str
    parameters: int
    steps: int
    batch: int
    operations: float
    flops: float
    moved: float
    kept: float
    growth: float
    mark: str

    @property
    def work(self) -> Work:
        """The three numbers."""
        return Work(self.operations, self.flops, self.moved)


def file_of(level: str, folder: Path = FOLDER) -> Path:
    """Return where a level's rows are kept."""
    return folder / f"{level}.csv"


@cache
def read(level: str, folder: Path = FOLDER) -> tuple[Row, ...]:
    """Return a level's rows, none where nothing was counted. Raises `RetraceError` naming file and line."""
    file = file_of(level, folder)
    if not file.is_file():
        return ()
    kinds = [Row.__annotations__[name] for name in Row._fields]
    found = []
    for number, line in enumerate(csv.DictReader(io.StringIO(file.read_text())), start=2):
        try:
            found.append(Row(*(kind(line[name]) for name, kind in zip(Row._fields, kinds))))
        except (KeyError, TypeError, ValueError) as error:
            raise RetraceError(f"{file}, line {number}: {error}; count again: {command(level)}") from None
    return tuple(found)


def merge(level: str, new: Iterable[Row], folder: Path = FOLDER) -> None:
    """Write rows into a level's table, in the place of what was there of the same runs."""
    new = list(new)
    done = {(row.paper, row.experiment, row.variant) for row in new}
    rows = sorted([*(row for row in read(level, folder) if row[:3] not in done), *new], key=lambda row: row[:3])
    write(file_of(level, folder), lambda stream: stream.write(text(rows).encode()))
    read.cache_clear()


def text(rows: Sequence[Row]) -> str:
    """Return rows as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows([f"{value:.6g}" if isinstance(value, float) else value for value in row] for row in rows)
    return stream.getvalue()


def command(level: str) -> str:
    """Return what counts a level again."""
    return f"python -m replications count --level {level}"


def of(level: str, paper: str, experiment: str, variant: str | None = None) -> list[Row]:
    """Return an experiment's rows, of one of its runs or of all."""
    return [row for row in read(level) if row[:2] == (paper, experiment) and variant in (None, row.variant)]
