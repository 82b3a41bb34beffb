"""What the runs cost and where they ran, from their run.json files, and what had been forecast of them."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from common.measure.figures import RunFolder
from common.runs.levels import LEVELS
from common.runs.settings import ROOT

FORECASTS = ROOT / "results" / "reference" / "forecast"  # of levels that few machines can try

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

    @property
    def shown_seeds(self) -> str:
        """The replicates, "0–4" where none is missing."""
        first, last = self.seeds[0], self.seeds[-1]
        whole = len(self.seeds) > 2 and list(self.seeds) == list(range(first, last + 1))
        return f"{first}–{last}" if whole else ", ".join(map(str, self.seeds))


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


def table(experiments: Iterable[ExperimentCost]) -> pd.DataFrame:
    """Return the costs as a table, one line for each experiment: wall and CPU seconds, start-up among them, peak megabytes."""
    rows = [
        {
            "paper": entry.paper,
            "experiment": entry.experiment,
            "runs": entry.cost.runs,
            "seconds": round(entry.cost.seconds, 1),
            "cpu_seconds": round(entry.cost.cpu, 1),
            "startup_seconds": round(entry.cost.startup, 1),
            "peak_memory_mb": round(entry.cost.memory),
        }
        for entry in experiments
    ]
    return pd.DataFrame(
        rows, columns=["paper", "experiment", "runs", "seconds", "cpu_seconds", "startup_seconds", "peak_memory_mb"]
    )


@dataclass(frozen=True)
class Ahead:
    """What was forecast of a level: seconds of each paper's experiments, all replicates, and of which device."""

    title: str
    device: str
    seconds: Mapping[tuple[str, str], float]

    @property
    def total(self) -> float:
        """Seconds in all."""
        return sum(self.seconds.values())


def forecasts(level: str, results: Path) -> list[Ahead]:
    """Return what the check before its first job forecast of a level, and the committed forecasts of the larger ones."""
    later = sorted(FORECASTS.glob("*.csv"), key=lambda file: LEVELS.index(file.name.split("-")[0]))
    later = [file for file in later if LEVELS.index(file.name.split("-")[0]) > LEVELS.index(level)]
    own = results / level / "forecast.csv"
    levels = [_ahead(f"{file.name.split('-')[0]} level", file) for file in later]
    return [_ahead("Forecast", own), *levels] if own.is_file() else levels


def _ahead(title: str, file: Path) -> Ahead:
    lines = list(csv.DictReader(file.read_text().splitlines()))
    found: dict[tuple[str, str], float] = {}
    for line in lines:
        key = line["paper"], line["experiment"]
        found[key] = found.get(key, 0.0) + 3600 * float(line["hours"])
    devices = dict.fromkeys(line["device"] for line in lines)
    return Ahead(title, next((name for name in devices if name != "cpu"), "cpu"), found)


def machines(runs: Iterable[RunFolder]) -> list[Machine]:
    """Return the distinct machines, the busiest first."""
    counts = Counter(tuple((key, run.info.get(key, "")) for key in MACHINE) for run in runs)
    return [Machine(dict(facts), count) for facts, count in counts.most_common()]


def distinct(runs: Iterable[RunFolder], key: str) -> list[Any]:
    """Return the different values of a field of run.json, most frequent first (dictionaries as sorted pairs)."""
    found = (run.info.get(key) for run in runs)
    counts = Counter(tuple(sorted(value.items())) if isinstance(value, dict) else value for value in found if value)
    return [value for value, _ in counts.most_common()]
