"""What each job asks of a cluster, from the forecast: the table that `resources` of the configuration names."""

import math
from collections.abc import Sequence
from pathlib import Path

from common.runs.folders import write
from replications.forecast.lines import Line

SPARE = 2.0  # of the hours that are forecast: a job that is ended early goes on where it was, but waits in the queue again
LEAST_MINUTES, PROCESS_MB = 30, 6000  # of any job; of libraries, data and samples in a process


def write_resources(file: Path, lines: Sequence[Line]) -> None:
    """Write a line for each job; its replicates share it."""
    write(file, lambda stream: stream.write(text(lines).encode()))


def text(lines: Sequence[Line]) -> str:
    """Return the table as YAML."""
    devices = ", ".join(sorted({line.device for line in lines}))
    head = f"# {devices}: python -m replications forecast --resources\n"
    return head + "".join(f"{pattern(line)}: {{mem_mb: {megabytes(line)}, runtime: {minutes(line)}}}\n" for line in lines)


def pattern(line: Line) -> str:
    """Return what fits the names of a line's jobs (`common.runs.plan`)."""
    start = line.experiment if line.paper == "common" else f"{line.paper}_{line.experiment}"
    return "_".join([start, *([line.variant.replace("-", "_")] if line.variant else []), "seed*"])


def minutes(line: Line) -> int:
    """Return the minutes after which a cluster may end one job."""
    return max(LEAST_MINUTES, math.ceil(SPARE * 60 * line.hours / line.replicates / 10) * 10)


def megabytes(line: Line) -> int:
    """Return the memory of the main processors: what a training state takes, twice where a CPU trains, and a process."""
    return PROCESS_MB + math.ceil((2 if line.device == "cpu" else 1) * line.memory / 1e9) * 1000
