"""The plan: every job of a level, read from the papers' jobs.yaml; one rule of the workflow is filled from it.

    table1:
      data: {laptop: [digits], gpu: [cifar10, fashion_mnist]}   # or one list for all levels
      models: [fm_ot, ddpm_vp]                                  # objectives that common trains for it: same data, same seed
      takes: {train_classifier: {kind: [resnet]}}               # the paper's own trainings whose models are its inputs
      features: true                                            # takes the feature network of its data sets, or of [these]
      writes: [samples.npz]                                     # besides metrics.csv and run.json
    replicates: {laptop: 1}                                   # if fewer than the level's; or {laptop: {digits: 1}}

Models have one owner, `common train`: each that any paper asks for is trained once. On a CPU one job does all runs of an
experiment, because they share the start-up, and one job all models of a data set; on a GPU every run is a job of its own, so that
a cluster does them side by side. Nothing here imports torch: Snakemake reads it again for every call.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from common.errors import SettingsError
from common.runs import settings as settings_of
from common.runs.dependencies import job_sources
from common.runs.layout import RESULTS, model_folder
from common.runs.levels import LEVELS
from common.runs.settings import Settings, hint, package_folder, validated

ONE_RUN_PER_JOB = ("gpu", "paper")
MINUTES = {"smoke": 10, "laptop": 30, "gpu": 240, "paper": 2880}
MEMORY_MB = {"smoke": 8000, "laptop": 8000, "gpu": 16000, "paper": 64000}
MODEL_FILES = ("run.json", "weights.safetensors")


class Entry(Settings):
    """What jobs.yaml says of one experiment."""

    data: list[str] | dict[str, list[str]] = Field(
        default=[], description="data sets (setting `data`), for all levels or by level"
    )
    sweep: dict[str, list[str]] = Field(default={}, description="other settings of which every value is a run")
    folder: str = Field(default="", description="folder of a run, from its settings; by default its data set and swept values")
    models: list[str] | dict[str, list[str]] = Field(
        default=[],
        description="objectives of the shared models that it takes, for all data sets or by data set (and `others`)",
    )
    takes: dict[str, dict[str, list[str]]] = Field(
        default={}, description="experiments whose models it takes, and of which sweep"
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
    first: bool = Field(default=False, description="whether the others wait for it, so that it starts before them")
    long: bool = Field(default=False, description="whether it is among the longest, which start before the short ones")
    gpu: bool = Field(default=True, description="whether it asks for a GPU where there is one")
    memory_mb: int | None = Field(default=None, gt=0, description="memory to ask of a cluster, if not the level's")

    def sets(self, level: str) -> list[str]:
        """Return the data sets of a level."""
        return self.data.get(level, []) if isinstance(self.data, dict) else self.data

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


class Run(NamedTuple):
    """One run: its folder, and the values that tell it from the experiment's others."""

    folder: str
    values: dict[str, str]
    seed: int


class Job(NamedTuple):
    """One job of the workflow: `name` is its rule, `command` what a person would type."""

    name: str
    target: str
    command: str
    runs: list[Run]
    inputs: dict[str, list[str]]
    outputs: list[str]
    settings: dict[str, Any]
    log: str
    benchmark: str
    priority: int
    resources: dict[str, int]


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
        checked = [("takes", entry.takes, content), ("data", _levels(entry), LEVELS), ("replicates", entry.replicates, LEVELS)]
        own = {level: sets for level, sets in entry.replicates.items() if isinstance(sets, dict)}
        checked += [(f"replicates.{level}", sets, entry.sets(level)) for level, sets in own.items()]
        for key, words, choices in checked:
            for word in words:
                if word not in choices:
                    raise SettingsError(f"{where}.{key}: unknown {word!r}{hint(word, choices)}")
    return found


def _levels(entry: Entry) -> Sequence[str]:
    return list(entry.data) if isinstance(entry.data, dict) else []


def runs_of(package: str, experiment: str, level: str, seeds: Sequence[int], entry: Entry) -> list[Run]:
    """Return an experiment's runs at a level: every data set x every swept value x every seed."""
    sets = entry.sets(level)
    axes = ({"data": sets} if entry.data else {}) | entry.sweep
    paper = package.rpartition(".")[2]
    runs = []
    for values in itertools.product(*axes.values()):
        chosen = dict(zip(axes, values))
        place = Path(RESULTS, level, paper, experiment, "-".join(values) or "default")
        if entry.folder:
            settings = settings_of.raw(package, experiment, level, [f"{key}={value}" for key, value in chosen.items()])
            place = Path(RESULTS, level, entry.folder.format(**settings))
        runs += [Run(str(place / f"seed{seed}"), chosen, seed) for seed in entry.seeds(level, chosen.get("data", ""), seeds)]
    return runs


def features_folder(level: str, data: str, seed: int) -> str:
    """Return the folder of a replicate's feature network."""
    return str(model_folder(Path(RESULTS), level, data, "features", "classifier", seed))


def shared_model(level: str, data: str, objective: str, seed: int) -> Run:
    """Return the run of `common train` that makes a model."""
    folder = model_folder(Path(RESULTS), level, data, settings_of.shared_backbone(level, data), objective, seed)
    return Run(str(folder), {"data": data, "objective": objective}, seed)


def requested(papers: Sequence[str], level: str) -> dict[str, list[str]]:
    """Return the data sets whose shared models the papers take, and each one's objectives."""
    found: dict[str, dict[str, None]] = {}
    for entry in (entry for paper in papers for entry in entries(f"replications.{paper}").values() if entry.models):
        for data in entry.sets(level):
            found.setdefault(data, {}).update(dict.fromkeys(entry.objectives(data)))
    return {data: list(objectives) for data, objectives in found.items() if objectives}


def measured(papers: Sequence[str], level: str) -> list[str]:
    """Return the data sets whose feature network the papers take."""
    tables = [entries(f"replications.{paper}") for paper in papers]
    return sorted({data for table in tables for entry in table.values() for data in entry.sets(level) if entry.measures(data)})


def plan(papers: Sequence[str], config: Mapping[str, Any]) -> list[Job]:
    """Return every job of the configured level: the shared models and feature networks that the papers take, and their own."""
    level, seeds = config["level"], list(range(config["seeds"][config["level"]]))
    jobs = _shared_jobs(papers, seeds, config)
    for paper in papers:
        package = f"replications.{paper}"
        table = entries(package)
        for experiment, entry in table.items():
            for number, part in enumerate(_parts(runs_of(package, experiment, level, seeds, entry), level)):
                inputs = {"models": _models(package, table, entry, level, part), "features": _yardsticks(entry, level, part)}
                name = f"{paper}_{experiment}_{part[0].values['data']}" if number and level not in ONE_RUN_PER_JOB else ""
                jobs.append(_job(package, experiment, entry, part, inputs, config, name))
    return jobs


def _parts(runs: list[Run], level: str) -> list[list[Run]]:
    """Return the runs job by job: on a CPU together what has the same replicates, for a call runs all of them on all data."""
    if level in ONE_RUN_PER_JOB:
        return [[run] for run in runs]
    by_replicates: dict[tuple[int, ...], list[Run]] = {}
    for values in dict.fromkeys(tuple(run.values.items()) for run in runs):
        mine = [run for run in runs if tuple(run.values.items()) == values]
        by_replicates.setdefault(tuple(run.seed for run in mine), []).extend(mine)
    return list(by_replicates.values())


def _shared_jobs(papers: Sequence[str], seeds: Sequence[int], config: Mapping[str, Any]) -> list[Job]:
    level, jobs = config["level"], []
    train = Entry(writes=["arrays.npz", "weights.safetensors"], first=True)
    for data, objectives in requested(papers, level).items():
        runs = [shared_model(level, data, objective, seed) for objective in objectives for seed in seeds]
        for part in _parts(runs, level):
            jobs.append(_job("common", "train", train, part, {}, config, _shared_name("train", part[0], level)))
    features = Entry(writes=["weights.safetensors"], memory_mb=4000, first=True)
    for data in measured(papers, level):
        runs = [Run(features_folder(level, data, seed), {"data": data}, seed) for seed in seeds]
        for part in _parts(runs, level):
            jobs.append(_job("common", "features", features, part, {}, config, _shared_name("features", part[0], level)))
    return jobs


def _shared_name(experiment: str, run: Run, level: str) -> str:
    """Return the name of a shared job: its data set, or all that tells its one run apart."""
    own = [*run.values.values(), f"seed{run.seed}"] if level in ONE_RUN_PER_JOB else [run.values["data"]]
    return "_".join([experiment, *own])


def _models(package: str, table: Mapping[str, Entry], entry: Entry, level: str, part: Sequence[Run]) -> list[str]:
    """Return the files of the models that these runs take: shared ones of their own data and seed, and the paper's own."""
    places = dict.fromkeys((run.values.get("data", ""), run.seed) for run in part)
    folders = [shared_model(level, data, objective, seed).folder for data, seed in places for objective in entry.objectives(data)]
    for name, narrowed in entry.takes.items():
        source = table[name].model_copy(update={"sweep": {**table[name].sweep, **narrowed}})
        for model in runs_of(package, name, level, sorted({run.seed for run in part}), source):
            if any(model.values.get("data") == run.values.get("data", model.values.get("data")) for run in part):
                folders.append(model.folder)
    return [f"{folder}/{file}" for folder in folders for file in MODEL_FILES]


def _yardsticks(entry: Entry, level: str, part: Sequence[Run]) -> list[str]:
    places = dict.fromkeys((run.values.get("data", ""), run.seed) for run in part)
    return [f"{features_folder(level, data, seed)}/weights.safetensors" for data, seed in places if entry.measures(data)]


def _job(
    package: str,
    experiment: str,
    entry: Entry,
    part: Sequence[Run],
    inputs: Mapping[str, list[str]],
    config: Mapping[str, Any],
    name: str = "",
) -> Job:
    level, paper = config["level"], package.rpartition(".")[2]
    tag = f"_{'_'.join([*part[0].values.values(), f'seed{part[0].seed}'])}" if level in ONE_RUN_PER_JOB and not name else ""
    name, results = name or f"{paper}_{experiment}{tag}", f"{RESULTS}/{level}"
    sweep = {key: list(dict.fromkeys(run.values[key] for run in part)) for key in part[0].values}
    words = [f"python -m {package} {experiment}", f"--level {level}"]
    words += [f"--seed {' '.join(map(str, dict.fromkeys(run.seed for run in part)))}", f"--base-seed {config['base_seed']}"]
    words += [f"--results {RESULTS}", *(f"--sweep {key}={','.join(values)}" for key, values in sweep.items())]
    return Job(
        name=name,
        target=paper,
        command=" ".join(words),
        runs=list(part),
        inputs={"code": job_sources(package, experiment), **inputs},
        outputs=[f"{run.folder}/{file}" for run in part for file in ("metrics.csv", "run.json", *entry.writes)],
        settings=settings_of.raw(package, experiment, level, [f"data={part[0].values['data']}"] if package == "common" else ()),
        log=f"{results}/logs/{paper}/{name}.log",
        benchmark=f"{results}/benchmarks/{paper}/{name}.tsv",
        priority=2 if entry.first else 1 if entry.long else 0,
        resources={
            "gpu": int(entry.gpu and level in ONE_RUN_PER_JOB),
            "runtime": MINUTES[level],
            "mem_mb": entry.memory_mb or MEMORY_MB[level],
        },
    )


def runs_by_paper(papers: Sequence[str], jobs: Sequence[Job]) -> dict[str, list[str]]:
    """Return the folders of the runs that each paper's report needs: its own, and the models and feature networks it takes."""
    found = {}
    for paper in papers:
        own = [job for job in jobs if job.target == paper]
        taken = [str(Path(file).parent) for job in own for kind in ("models", "features") for file in job.inputs[kind]]
        found[paper] = list(dict.fromkeys([*(run.folder for job in own for run in job.runs), *taken]))
    return found
