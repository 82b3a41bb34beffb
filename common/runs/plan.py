"""The plan: every job of a level, from the papers' jobs.yaml (`entries.py`); one rule of the workflow is filled from it.

Models have one owner, `common train`: each that any paper asks for is trained once. On a CPU one job does all runs of an
experiment, because they share the start-up, and one job all models of a data set; on a GPU every run is a job of its own, so that
a cluster does them side by side. Nothing here imports torch: Snakemake reads it again for every call.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common.runs import settings as settings_of
from common.runs.dependencies import job_sources
from common.runs.entries import Entry, entries, owner
from common.runs.extra import extra_files
from common.runs.layout import RESULTS, extra_folder, model_folder
from common.runs.resources import check_gpus, check_names, forecast_file, read_table, resources

ONE_RUN_PER_JOB = ("gpu", "paper")
MINUTES = {"smoke": 10, "laptop": 30, "gpu": 240, "paper": 2880}
MEMORY_MB = {"smoke": 8000, "laptop": 8000, "gpu": 16000, "paper": 64000}
MODEL_FILES = ("run.json", "weights.safetensors")


class Run(NamedTuple):
    """One run: its folder, and the values that tell it from the experiment's others."""

    folder: str
    values: dict[str, str]
    seed: int


class Job(NamedTuple):
    """One job of the workflow: `name` is its rule, `command` what a person would type.

    shares: the whole batch of its training, if several GPUs may share it, or else 0.
    """

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
    shares: int = 0


def runs_of(
    package: str, experiment: str, level: str, seeds: Sequence[int], entry: Entry, extra: Sequence[str] = ()
) -> list[Run]:
    """Return an experiment's runs at a level: every data set x every swept value x every seed; `extra` are the user's files."""
    sets = entry.sets(level)
    axes = ({"data": sets} if entry.data else {}) | entry.swept(level) | ({entry.extra: extra} if entry.extra else {})
    paper = package.rpartition(".")[2]
    runs = []
    for values in itertools.product(*axes.values()):
        chosen = dict(zip(axes, values))
        place = Path(RESULTS, level, paper, experiment, "-".join(values) or "default")
        if entry.folder:
            settings = settings_of.raw(package, experiment, level, [f"{key}={value}" for key, value in chosen.items()])
            place = Path(RESULTS, level, entry.folder.format(**settings))
        data = chosen.get("data", "")
        if entry.extra:
            place = extra_folder(Path(RESULTS), level, paper, experiment, data, chosen[entry.extra], 0).parent
        runs += [Run(str(place / f"seed{seed}"), chosen, seed) for seed in entry.seeds(level, data, seeds)]
    return runs


def features_folder(level: str, data: str, seed: int) -> str:
    """Return the folder of a replicate's feature network."""
    return str(model_folder(Path(RESULTS), level, data, "features", "classifier", seed))


def shared_model(level: str, data: str, objective: str, seed: int) -> Run:
    """Return the run of `common train` that makes a model."""
    folder = model_folder(Path(RESULTS), level, data, settings_of.shared_backbone(level, data), objective, seed)
    return Run(str(folder), {"data": data, "objective": objective}, seed)


def requested(papers: Sequence[str], level: str, extra: Sequence[str] = ()) -> dict[str, list[str]]:
    """Return the data sets whose shared models the papers take, and each one's objectives."""
    found: dict[str, dict[str, None]] = {}
    for entry in (entry for paper in papers for entry in _run_entries(paper, extra) if entry.models):
        for data in entry.sets(level):
            found.setdefault(data, {}).update(dict.fromkeys(entry.objectives(data)))
    return {data: list(objectives) for data, objectives in found.items() if objectives}


def measured(papers: Sequence[str], level: str, extra: Sequence[str] = ()) -> list[str]:
    """Return the data sets whose feature network the papers take."""
    table = [entry for paper in papers for entry in _run_entries(paper, extra)]
    return sorted({data for entry in table for data in entry.sets(level) if entry.measures(data)})


def _run_entries(paper: str, extra: Sequence[str]) -> list[Entry]:
    """Return the entries that are run: those on a user's file only if there is one."""
    return [entry for entry in entries(f"replications.{paper}").values() if extra or not entry.extra]


def plan(papers: Sequence[str], config: Mapping[str, Any]) -> list[Job]:
    """Return every job of the configured level: the shared models and feature networks that the papers take, and their own."""
    level, seeds, extra = config["level"], list(range(config["seeds"][config["level"]])), extra_files(config)
    jobs = _shared_jobs(papers, seeds, config)
    for paper in papers:
        package = f"replications.{paper}"
        table = entries(package)
        for experiment, entry in table.items():
            for number, part in enumerate(_parts(runs_of(package, experiment, level, seeds, entry, extra), level)):
                inputs = {"models": _models(package, entry, level, part), "features": _yardsticks(entry, level, part)}
                inputs |= {"extra": list(dict.fromkeys(run.values[entry.extra] for run in part))} if entry.extra else {}
                name = f"{paper}_{experiment}_{part[0].values['data']}" if number and level not in ONE_RUN_PER_JOB else ""
                jobs.append(_job(package, experiment, entry, part, inputs, config, name))
                if entry.joins and level not in ONE_RUN_PER_JOB:
                    follower = jobs.pop()
                    place = next(place for place, job in enumerate(jobs) if job.name == f"{paper}_{entry.joins}")
                    jobs[place] = _joined(jobs[place], follower, experiment)
    own = config.get("resources")
    table = read_table(own or forecast_file(level))
    if own:
        check_names(own, table, (job.name for job in jobs))
    jobs = [job._replace(resources=resources(job.name, table, job.resources)) for job in jobs]
    for job in jobs:
        check_gpus(own, job.name, job.resources["gpu"], job.shares)
    return jobs


def _joined(leader: Job, follower: Job, following: str) -> Job:
    """Return the job that makes the runs of both, by one call."""
    kinds = dict.fromkeys([*leader.inputs, *follower.inputs])
    swept = "".join(f" --sweep {following}:{words}" for words in follower.command.split(" --sweep ")[1:])
    return leader._replace(
        command=leader.command.replace(" --level", f" {following} --level", 1) + swept,
        runs=[*leader.runs, *follower.runs],
        inputs={kind: list(dict.fromkeys([*leader.inputs.get(kind, []), *follower.inputs.get(kind, [])])) for kind in kinds},
        outputs=[*leader.outputs, *follower.outputs],
        settings={**leader.settings, following: follower.settings},
        priority=max(leader.priority, follower.priority),
    )


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
    level, extra, jobs = config["level"], extra_files(config), []
    train = Entry(writes=["arrays.npz", "weights.safetensors"], first=True, shares=True)
    for data, objectives in requested(papers, level, extra).items():
        runs = [shared_model(level, data, objective, seed) for objective in objectives for seed in seeds]
        for part in _parts(runs, level):
            jobs.append(_job("common", "train", train, part, {}, config, _shared_name("train", part[0], level)))
    features = Entry(writes=["weights.safetensors"], memory_mb=4000, first=True)
    for data in measured(papers, level, extra):
        runs = [Run(features_folder(level, data, seed), {"data": data}, seed) for seed in seeds]
        for part in _parts(runs, level):
            jobs.append(_job("common", "features", features, part, {}, config, _shared_name("features", part[0], level)))
    return jobs


def _shared_name(experiment: str, run: Run, level: str) -> str:
    """Return the name of a shared job: its data set, or all that tells its one run apart."""
    own = [*run.values.values(), f"seed{run.seed}"] if level in ONE_RUN_PER_JOB else [run.values["data"]]
    return "_".join([experiment, *own])


def _models(package: str, entry: Entry, level: str, part: Sequence[Run]) -> list[str]:
    """Return the files of the models that these runs take: shared ones of their own data and seed, and a paper's own."""
    places = dict.fromkeys((run.values.get("data", ""), run.seed) for run in part)
    folders = [shared_model(level, data, objective, seed).folder for data, seed in places for objective in entry.objectives(data)]
    for _, _, model in taken_runs(package, entry, level, sorted({run.seed for run in part})):
        if any(model.values.get("data") == run.values.get("data", model.values.get("data")) for run in part):
            folders.append(model.folder)
    return [f"{folder}/{file}" for folder in folders for file in MODEL_FILES]


def taken_runs(package: str, entry: Entry, level: str, seeds: Sequence[int]) -> Iterator[tuple[str, str, Run]]:
    """Yield package, experiment and run of every training of a paper that an entry takes models of."""
    for name, narrowed in entry.takes.items():
        paper, experiment = owner(package, name)
        whole = entries(paper)[experiment]
        source = whole.model_copy(update={"sweep": {**whole.sweep, **narrowed}})
        for run in runs_of(paper, experiment, level, seeds, source):
            yield paper, experiment, run


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
    told = [Path(value).stem if key == entry.extra else value for key, value in part[0].values.items()]
    tag = f"_{'_'.join([*told, f'seed{part[0].seed}'])}" if level in ONE_RUN_PER_JOB and not name else ""
    name, results = name or f"{paper}_{experiment}{tag}", f"{RESULTS}/{level}"
    sweep = {key: list(dict.fromkeys(run.values[key] for run in part)) for key in part[0].values}
    words = [f"python -m {package} {experiment}", f"--level {level}"]
    words += [f"--seed {' '.join(map(str, dict.fromkeys(run.seed for run in part)))}", f"--base-seed {config['base_seed']}"]
    words += [f"--results {RESULTS}", *(f"--sweep {key}={','.join(values)}" for key, values in sweep.items())]
    settings = settings_of.raw(package, experiment, level, [f"data={part[0].values['data']}"] if package == "common" else ())
    return Job(
        name=name,
        target=paper,
        command=" ".join(words),
        runs=list(part),
        inputs={"code": job_sources(package, experiment), **inputs},
        outputs=[f"{run.folder}/{file}" for run in part for file in ("metrics.csv", "run.json", *entry.writes)],
        settings=settings,
        log=f"{results}/logs/{paper}/{name}.log",
        benchmark=f"{results}/benchmarks/{paper}/{name}.tsv",
        priority=2 if entry.first else 1 if entry.long else 0,
        resources={
            "gpu": int(entry.gpu and level in ONE_RUN_PER_JOB),
            "runtime": MINUTES[level],
            "mem_mb": entry.memory_mb or MEMORY_MB[level],
        },
        shares=settings["train"]["batch"] if entry.shares else 0,
    )


def runs_by_paper(papers: Sequence[str], jobs: Sequence[Job]) -> dict[str, list[str]]:
    """Return the folders of the runs that each paper's report needs: its own, and the models and feature networks it takes."""
    found = {}
    for paper in papers:
        own = [job for job in jobs if job.target == paper]
        taken = [str(Path(file).parent) for job in own for kind in ("models", "features") for file in job.inputs[kind]]
        found[paper] = list(dict.fromkeys([*(run.folder for job in own for run in job.runs), *taken]))
    return found
