"""What the Snakefile and the papers' rules.smk share; plain functions, so that they can be tested without Snakemake.

Nothing here imports torch: Snakemake reads it again for every call, and `snakemake` with nothing to do should take seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema

from common.errors import SettingsError
from common.runs import settings as settings_of
from common.runs.dependencies import job_sources, sources
from common.runs.layout import RESULTS, model_folder, run_folder
from common.runs.levels import LEVELS
from common.runs.settings import ROOT

__all__ = ["RESULTS", "job_sources"]

# GPU jobs are long: one run each, so that a cluster does them side by side. On a CPU, runs share a process and its start-up.
ONE_RUN_PER_JOB = ("gpu", "paper")


def papers() -> list[str]:
    """Return the papers of this repository: every folder of replications/ that has a paper.yaml."""
    return sorted(folder.parent.name for folder in (ROOT / "replications").glob("*/paper.yaml"))


def check_config(config: Mapping[str, Any]) -> list[str]:
    """Check config/config.yaml (and --config) against its schema; return the chosen papers.

    Raises `SettingsError` naming the key, the value and the remedy.
    """
    schema = settings_of.load_yaml(ROOT / "config" / "schema.yaml")
    errors = sorted(jsonschema.Draft202012Validator(schema).iter_errors(dict(config)), key=lambda error: list(error.path))
    if errors:
        raise SettingsError("\n".join(_explain(error) for error in errors))
    chosen = papers() if config["papers"] == "all" else list(config["papers"])
    for paper in chosen:
        if paper not in papers():
            raise SettingsError(f"config/config.yaml: papers: there is no paper {paper!r}{settings_of.hint(paper, papers())}")
    return chosen


def seeds(config: Mapping[str, Any]) -> list[int]:
    """Return the replicates of the chosen level: 0, 1, 2 ..."""
    return list(range(config["seeds"][config["level"]]))


def raw_settings(package: str, experiment: str, level: str) -> dict[str, Any]:
    """Return what a rule lists under `params`, so that a changed setting reruns the job (and only that job)."""
    return settings_of.raw(package, experiment, level)


def model_path(level: str, data: str, net: str, objective: str, seed: int | str) -> str:
    """Return a model's folder as a rule writes it; parts may be wildcards."""
    return str(model_folder(Path(RESULTS), level, data, net, objective, seed))


def run_path(level: str, paper: str, experiment: str, variant: str, seed: int | str) -> str:
    """Return a run's folder as a rule writes it."""
    return str(run_folder(Path(RESULTS), level, paper, experiment, variant, seed))


class Part(NamedTuple):
    """What one job does of an experiment: which seeds, which models, and the tag in its name."""

    tag: str
    seeds: list[int]
    names: list[str]


def parts(level: str, seeds: Sequence[int], names: Sequence[str] = ("",)) -> list[Part]:
    """Return the jobs of an experiment: one for all seeds and models on a CPU, one for each on a GPU."""
    if level not in ONE_RUN_PER_JOB:
        return [Part("", list(seeds), list(names))]
    return [Part(f"_{name}_seed{seed}" if name else f"_seed{seed}", [seed], [name]) for seed in seeds for name in names]


def job(
    package: str,
    experiment: str,
    config: Mapping[str, Any],
    *,
    seeds: Iterable[int | str],
    sweep: Mapping[str, Iterable[str]] | None = None,
) -> str:
    """Return the command of one job, as a person would type it; the rule adds its threads and its log."""
    words = [f"python -m {package} {experiment}", f"--level {config['level']}", f"--seed {' '.join(map(str, seeds))}"]
    words += [f"--base-seed {config['base_seed']}", f"--results {RESULTS}"]
    return " ".join(words + [f"--sweep {key}={','.join(values)}" for key, values in (sweep or {}).items()])


def report_sources(papers: Iterable[str]) -> list[str]:
    """Return the source files that the report on these papers depends on."""
    parts = [f"replications.{paper}.{part}" for paper in papers for part in ("claims", "figures")]
    return sources("report.__main__", *parts)


def report_assets() -> list[str]:
    """Return the files of report/ that are not Python: templates, style, script."""
    folder = ROOT / "report"
    kinds = (".jinja", ".css", ".js", ".svg")
    return sorted(
        str(file.relative_to(folder)) for file in folder.rglob("*") if file.suffix in kinds and "build" not in file.parts
    )


def write_plan(file: str, runs: Iterable[str]) -> None:
    """Write the list of runs that the report expects, one folder per line."""
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text("".join(f"{run}\n" for run in runs))


def _explain(error: jsonschema.ValidationError) -> str:
    where = f"config/config.yaml (or --config): {'.'.join(map(str, error.path))}".rstrip(": ")
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = sorted(set(error.instance) - set(known))[0]
        return f"{where}: unknown key {unknown!r}{settings_of.hint(unknown, known)}"
    if error.validator == "enum":
        return f"{where}: {error.instance!r} is not a level{settings_of.hint(str(error.instance), LEVELS)}"
    return f"{where}: {error.message}"
