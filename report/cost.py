"""What the runs cost and where they ran, from their run.json files."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from common.measure.figures import RunFolder

MACHINE = ("cpu", "cores", "memory_gb", "device", "threads", "platform", "python")


@dataclass(frozen=True)
class Cost:
    """Sums over runs; `startup` is the CPU time spent on importing libraries, `memory` the largest peak in MB."""

    runs: int
    seconds: float
    cpu: float
    startup: float
    memory: float

    @property
    def startup_share(self) -> float:
        """Start-up as a share of all CPU time, 0 where there was none."""
        return self.startup / self.cpu if self.cpu else 0.0


@dataclass(frozen=True)
class ExperimentCost:
    """One experiment's runs, what they cost together, and the commands that made them."""

    paper: str
    experiment: str
    seeds: Sequence[int]
    cost: Cost
    commands: Sequence[str]


@dataclass(frozen=True)
class Machine:
    """One machine and the number of runs that it did."""

    facts: dict[str, Any]
    runs: int


def total(runs: Iterable[RunFolder]) -> Cost:
    """Return the summed cost of runs."""
    infos = [run.info for run in runs]

    def values(key: str) -> list[float]:
        return [float(info.get(key) or 0.0) for info in infos]

    seconds, cpu, startup = (sum(values(key)) for key in ("seconds", "cpu_seconds", "startup_seconds"))
    return Cost(len(infos), seconds, cpu, startup, max(values("peak_memory_mb"), default=0.0))


def by_experiment(runs: Iterable[RunFolder]) -> list[ExperimentCost]:
    """Return one entry per paper and experiment, in that order."""
    groups: dict[tuple[str, str], list[RunFolder]] = {}
    for run in runs:
        groups.setdefault((str(run.info.get("paper", "")), str(run.info.get("experiment", ""))), []).append(run)
    return [
        ExperimentCost(
            paper,
            experiment,
            sorted({int(run.info.get("seed", 0)) for run in group}),
            total(group),
            sorted({str(run.info["command"]) for run in group if run.info.get("command")}),
        )
        for (paper, experiment), group in sorted(groups.items())
    ]


def machines(runs: Iterable[RunFolder]) -> list[Machine]:
    """Return the distinct machines, the busiest first."""
    counts = Counter(tuple((key, run.info.get(key, "")) for key in MACHINE) for run in runs)
    return [Machine(dict(facts), count) for facts, count in counts.most_common()]


def distinct(runs: Iterable[RunFolder], key: str) -> list[Any]:
    """Return the different values of a field of run.json, most frequent first (dictionaries as sorted pairs)."""
    found = (run.info.get(key) for run in runs)
    counts = Counter(tuple(sorted(value.items())) if isinstance(value, dict) else value for value in found if value)
    return [value for value, _ in counts.most_common()]
