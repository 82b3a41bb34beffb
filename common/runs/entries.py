"""What a paper's jobs.yaml says of each of its experiments.

    table1:
      data: {laptop: [digits], gpu: [cifar10, fashion_mnist]}   # or one list for all levels
      models: [fm_ot, ddpm_vp]                                  # objectives that common trains for it: same data, same seed
      takes: {train_classifier: {kind: [resnet]}}               # trainings whose models are its inputs: the paper's own, or
                                                                # another paper's, as `score_sde.train_ncsnpp`
      features: true                                            # takes the feature network of its data sets, or of [these]
      writes: [samples.npz]                                     # besides metrics.csv and run.json
      replicates: {laptop: 1}                                   # if fewer than the level's; or {laptop: {digits: 1}}
      shares: true                                              # several GPUs may share its training's batches
      joins: gradients                                          # does its runs in that experiment's process, on a CPU
    extra: file                                               # is run on the user's own files, which this setting takes

Nothing here imports torch: Snakemake reads it again for every call.
"""

from collections.abc import Mapping, Sequence

from pydantic import Field

from common.errors import SettingsError
from common.runs import settings as settings_of
from common.runs.levels import LEVELS
from common.runs.settings import Settings, hint, package_folder, validated


class Entry(Settings):
    """What jobs.yaml says of one experiment."""

    data: list[str] | dict[str, list[str]] = Field(
        default=[], description="data sets (setting `data`), for all levels or by level"
    )
    sweep: dict[str, list[str] | dict[str, list[str]]] = Field(
        default={}, description="other settings of which every value is a run, for all levels or by level"
    )
    extra: str = Field(
        default="", description="setting that takes a user's own file: a run for each file of the configuration, none without"
    )
    folder: str = Field(default="", description="folder of a run, from its settings; by default its data set and swept values")
    models: list[str] | dict[str, list[str]] = Field(
        default=[],
        description="objectives of the shared models that it takes, for all data sets or by data set (and `others`)",
    )
    takes: dict[str, dict[str, list[str]]] = Field(
        default={}, description="experiments whose models it takes, another paper's as `paper.experiment`, and of which sweep"
    )
    features: bool | list[str] = Field(
        default=False, description="whether it takes the feature network of its data sets, or of which of them"
    )
    writes: list[str] = Field(default=[], description="files that a run writes besides metrics.csv and run.json")
    replicates: dict[str, int | dict[str, int]] = Field(
        default={},
        description="replicates by level, or by level and data set, where they are fewer than the level's: "
        "a check without randomness needs one",
    )
    joins: str = Field(
        default="",
        description="experiment without data sets whose process makes its runs too, on a CPU: short ones share a start-up",
    )
    first: bool = Field(default=False, description="whether the others wait for it, so that it starts before them")
    long: bool = Field(default=False, description="whether it is among the longest, which start before the short ones")
    gpu: bool = Field(default=True, description="whether it asks for a GPU where there is one")
    shares: bool = Field(
        default=False, description="whether its training may share every batch among several GPUs (`train_run(shared=True)`)"
    )
    memory_mb: int | None = Field(default=None, gt=0, description="memory to ask of a cluster, if not the level's")

    def sets(self, level: str) -> list[str]:
        """Return the data sets of a level."""
        return self.data.get(level, []) if isinstance(self.data, dict) else self.data

    def swept(self, level: str) -> dict[str, list[str]]:
        """Return the values of a level's other settings that are swept."""
        return {key: words.get(level, []) if isinstance(words, dict) else words for key, words in self.sweep.items()}

    def seeds(self, level: str, data: str, all_seeds: Sequence[int]) -> Sequence[int]:
        """Return which of a level's replicates a data set has, the first ones."""
        own = self.replicates.get(level, len(all_seeds))
        return all_seeds[: own.get(data, len(all_seeds)) if isinstance(own, dict) else own]

    def measures(self, data: str) -> bool:
        """Return whether it takes the feature network of a data set."""
        return self.features if isinstance(self.features, bool) else data in self.features

    def objectives(self, data: str) -> list[str]:
        """Return the objectives of the shared models that it takes of a data set."""
        return self.models if isinstance(self.models, list) else self.models.get(data, self.models.get("others", []))


def owner(package: str, name: str) -> tuple[str, str]:
    """Return package and name of an experiment that `takes` names: a paper's own, or `paper.experiment` of one beside it."""
    paper, _, experiment = name.rpartition(".")
    return (f"{package.rpartition('.')[0]}.{paper}" if paper else package), experiment


def entries(package: str) -> dict[str, Entry]:
    """Read and check a paper's jobs.yaml. Raises `SettingsError` naming the file, the experiment, the key and the remedy."""
    file = package_folder(package) / "jobs.yaml"
    content = settings_of.load_yaml(file)
    if not isinstance(content, Mapping):
        raise SettingsError(f"{settings_of.shown(file)}: must map each experiment to its entry, e.g. `gradients: {{}}`")
    known = settings_of.experiments(package)
    found = {}
    for name, entry in content.items():
        where = f"{settings_of.shown(file)}: {name}"
        if name not in known:
            raise SettingsError(f"{where}: there is no such experiment{hint(str(name), known)}")
        found[name] = validated(Entry, entry or {}, where=where)
    for name, entry in found.items():
        where = f"{settings_of.shown(file)}: {name}"
        checked = [("takes", _own(entry.takes), content), ("data", _levels(entry), LEVELS)]
        checked += [("replicates", entry.replicates, LEVELS)]
        checked += [("takes", [name], _of_others(package, name)) for name in entry.takes if "." in name]
        checked += [(f"sweep.{key}", words, LEVELS) for key, words in entry.sweep.items() if isinstance(words, dict)]
        own = {level: sets for level, sets in entry.replicates.items() if isinstance(sets, dict)}
        checked += [(f"replicates.{level}", sets, entry.sets(level)) for level, sets in own.items()]
        checked += [("joins", [entry.joins] if entry.joins else [], content)]
        for key, words, choices in checked:
            for word in words:
                if word not in choices:
                    raise SettingsError(f"{where}.{key}: unknown {word!r}{hint(word, choices)}")
        if entry.joins and (reason := cannot_join(entry, found[entry.joins])):
            raise SettingsError(f"{where}.joins: {entry.joins}: {reason}; leave it away")
    return found


def cannot_join(entry: Entry, leader: Entry) -> str:
    """Return why an experiment cannot share another's process, or nothing."""
    if leader.joins:
        return "it joins another one itself"
    if leader.data or leader.sweep:
        return "it has data sets or a sweep of its own, the process would be a long one"
    return "" if entry.replicates == leader.replicates else "they have other replicates"


def _own(takes: Mapping[str, object]) -> list[str]:
    return [name for name in takes if "." not in name]


def _of_others(package: str, name: str) -> list[str]:
    """Return what may stand in `takes` in place of another paper's experiment: those of its paper, or of every paper if none."""
    root = package.rpartition(".")[0]
    papers = sorted(folder.parent.name for folder in package_folder(root).glob("*/jobs.yaml"))
    paper = name.rpartition(".")[0]
    return [f"{paper}.{each}" for each in settings_of.experiments(f"{root}.{paper}")] if paper in papers else papers


def _levels(entry: Entry) -> Sequence[str]:
    return list(entry.data) if isinstance(entry.data, dict) else []
