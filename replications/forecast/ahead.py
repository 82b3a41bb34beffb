"""What the workflow says before its first job: its forecast in a line, and in full beside its results."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from common.measure.devices import DEVICES
from common.runs.folders import write
from replications.forecast.lines import Line, lines
from replications.forecast.show import GIGA, hours

COLUMNS = ("level", "device", "paper", "experiment", "variant", "replicates", "hours")


def announced(level: str, papers: Sequence[str], seeds: int, device: str, results: Path) -> str:
    """Write results/<level>/forecast.csv and return the forecast in a line. Raises `RetraceError` where a count is missing."""
    found = lines(level, papers, seeds, device)
    write_csv(results / level / "forecast.csv", level, found)
    return f"forecast: {summary(found)}; python -m replications forecast --level {level}"


def write_csv(file: Path, level: str, found: Sequence[Line]) -> None:
    """Write the hours of each run with its replicates."""
    stream = io.StringIO()
    table = csv.DictWriter(stream, COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows({**line.record(), "level": level, "hours": f"{line.hours:.4g}"} for line in found)
    write(file, lambda out: out.write(stream.getvalue().encode()))


def summary(found: Sequence[Line]) -> str:
    """Return hours by device, the largest training's memory, and disk."""
    parts = []
    for device in dict.fromkeys(line.device for line in found):
        total = sum(line.hours for line in found if line.device == device)
        what = "one core" if device == "cpu" else f"one {DEVICES[device].title}"
        parts.append(f"{hours(total)} h of {what}" if total >= 1 else f"{60 * total:.0f} min of {what}")
    disk = sum(line.replicates * line.disk for line in found) / GIGA
    memory = max((line.memory for line in found if line.device != "cpu"), default=0.0) / GIGA
    return ", ".join(parts) + (f"; up to {memory:.0f} GB on a GPU" if memory else "") + f"; {disk:.1f} GB of weights and states"
