"""The runs of a level, replicates apart: what each is called, which replicates it has, which model it takes."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from common.runs import settings as settings_of
from common.runs.call import level_mark
from common.runs.entries import Entry, entries
from common.runs.plan import measured, requested, runs_of, taken_runs
from common.runs.settings import Settings

Key = tuple[str, str, str]  # paper, experiment, variant


class Planned(NamedTuple):
    """Runs that differ in their replicate alone. takes: a model of theirs, by its training's run; gpu: whether they want one."""

    package: str
    experiment: str
    values: dict[str, str]
    level: str
    seeds: Sequence[int] = (0,)
    takes: Key | None = None
    gpu: bool = True

    @property
    def paper(self) -> str:
        """The last part of the package's name."""
        return self.package.rpartition(".")[2]

    @property
    def variant(self) -> str:
        """What tells them from the experiment's other runs."""
        return "-".join(self.values.values())

    @property
    def key(self) -> Key:
        """Their key in the table of counted work."""
        return self.paper, self.experiment, self.variant

    @property
    def settings(self) -> Settings:
        """Their settings at their level."""
        chosen = [f"{key}={value}" for key, value in self.values.items()]
        return settings_of.resolve(self.package, self.experiment, self.level, chosen)

    @property
    def mark(self) -> str:
        """Fingerprint of these settings."""
        return level_mark(self.package, self.experiment, self.level, self.values)[:16]


def planned(level: str, papers: Sequence[str], seeds: int) -> Iterator[Planned]:
    """Return every run of a level that the papers need, shared models first."""
    replicates = range(seeds)
    for data, objectives in requested(papers, level).items():
        for objective in objectives:
            yield Planned("common", "train", {"data": data, "objective": objective}, level, replicates)
    for data in measured(papers, level):
        yield Planned("common", "features", {"data": data}, level, replicates)
    for paper in papers:
        package = f"replications.{paper}"
        for experiment, entry in entries(package).items():
            yield from _of_entry(package, experiment, entry, level, replicates)


def _of_entry(package: str, experiment: str, entry: Entry, level: str, seeds: Sequence[int]) -> Iterator[Planned]:
    replicates: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for run in [] if entry.extra else runs_of(package, experiment, level, seeds, entry):
        replicates.setdefault(tuple(run.values.items()), []).append(run.seed)
    for pairs, own in replicates.items():
        values = dict(pairs)
        takes = _taken(package, entry, level, values.get("data", ""))
        yield Planned(package, experiment, values, level, own, takes, entry.gpu)


def _taken(package: str, entry: Entry, level: str, data: str) -> Key | None:
    """Return the first model that a run takes, by the run that trains it."""
    if objectives := entry.objectives(data):
        return "common", "train", f"{data}-{objectives[0]}"
    for where, experiment, run in taken_runs(package, entry, level, [0]):
        if run.values.get("data", data) == (data or run.values.get("data", data)):
            return where.rpartition(".")[2], experiment, "-".join(run.values.values())
    return None


def configured() -> dict[str, Any]:
    """Return config/config.yaml."""
    return settings_of.load_yaml(settings_of.ROOT / "config" / "config.yaml")
