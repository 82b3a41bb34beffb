"""The forecast as a person reads it: a line for each paper and experiment, or each job, and the sum."""

import math
from collections.abc import Sequence

from common.measure.devices import DEVICES
from replications.forecast.lines import Line

HEAD = ("", "runs", "trainings", "steps", "evaluations", "PFLOP", "parameters", "memory GB", "disk GB", "device", "hours")
PETA, GIGA = 1e15, 1e9
MACHINE = 8  # GPUs of a large one


def table(lines: Sequence[Line], *, jobs: bool = False) -> str:
    """Return the forecast, by experiment or run by run, by paper, and in all."""
    rows = [HEAD]
    for paper in dict.fromkeys(line.paper for line in lines):
        own = [line for line in lines if line.paper == paper]
        parts = [[line] for line in own] if jobs else _by_experiment(own)
        rows += [summed(f"  {name(part[0], jobs=jobs)}", part) for part in parts]
        rows.append(summed(paper, own))
    rows.append(summed("in all", lines))
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    shown = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]) for row in rows
    ]
    return "\n".join([*shown, "", *notes(lines)])


def _by_experiment(lines: Sequence[Line]) -> list[list[Line]]:
    return [[line for line in lines if line.experiment == each] for each in dict.fromkeys(line.experiment for line in lines)]


def name(line: Line, *, jobs: bool) -> str:
    """Return what a line is called."""
    return f"{line.experiment} {line.variant}".strip() if jobs else line.experiment


def summed(title: str, lines: Sequence[Line]) -> tuple[str, ...]:
    """Return a row of sums over replicates, and of the largest network, memory."""
    flops = sum(line.replicates * (line.training_flops + line.evaluation_flops) for line in lines)
    return (
        title,
        str(sum(line.replicates for line in lines)),
        str(sum(line.replicates * line.trainings for line in lines)),
        short(sum(line.replicates * line.steps for line in lines)),
        short(sum(line.replicates * line.evaluations for line in lines)),
        short(flops / PETA),
        short(max((line.parameters for line in lines), default=0)),
        f"{max((line.memory for line in lines), default=0) / GIGA:.1f}",
        f"{sum(line.replicates * line.disk for line in lines) / GIGA:.1f}",
        "+".join(dict.fromkeys(line.device for line in lines)),
        hours(sum(line.hours for line in lines)),
    )


def short(value: float) -> str:
    """Return a large number in three digits."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def hours(value: float) -> str:
    """Return hours, small ones with more digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.3f}"


def too_large(lines: Sequence[Line]) -> list[Line]:
    """Return the trainings that take more memory than their GPU has."""
    return [line for line in lines if line.device != "cpu" and line.memory > DEVICES[line.device].memory]


def remedy(line: Line) -> str:
    """Return how many GPUs would have to share the batch of a training."""
    gpus = math.ceil(line.memory / DEVICES[line.device].memory)
    if gpus > MACHINE:
        return f"{gpus} GPUs would have to share its batch, and those of a job are on one machine"
    return f"let {gpus} GPUs or more share its batch (`gpu` of its resources)"


def notes(lines: Sequence[Line]) -> list[str]:
    """Return what the numbers are."""
    found = ["hours of all replicates, one after the other; of a page or of the workflow itself there are none"]
    for name in dict.fromkeys(line.device for line in lines):
        how = DEVICES[name]
        shares = "measured on it" if how.measured else "assumed: those measured on an H100"
        reached = f"{how.arithmetic:.0%} of its peak rate and {how.moving:.0%} of its bandwidth, " if how.kind == "gpu" else ""
        found.append(f"{name}: {how.title}; {reached}{1e6 * how.start:.2g} µs to start an operation ({shares})")
    found += [f"does not fit: {'/'.join(line[:3])}, {line.memory / GIGA:.0f} GB; {remedy(line)}" for line in too_large(lines)]
    scaled = sorted({line.scaled_from for line in lines} - {""})
    if scaled:
        found.append(
            f"evaluations besides training: scaled from the {' and '.join(scaled)} level's counts by the settings of both"
        )
    found.append("evaluations: network evaluations besides training, times samples; memory: of one training, the largest")
    return found
