"""What each job asks of a machine or a cluster: GPUs, megabytes of memory, minutes.

`resources` of config/config.yaml may name a table, a YAML file that says it job by job. A name is a job's, as
`snakemake --dry-run` lists them, or a pattern with * and ?; of several that fit a job the first one counts:

    train_imagenet128_*: {gpu: 8, mem_mb: 128000, runtime: 2880}
    ncsn_*: {runtime: 600}

Without one the level's own table counts, config/resources/<level>.yaml, which is made from the forecast. What no line says, for
lack of a line or of a key, falls back to what the plan gives by level: a GPU where the experiment takes one, `memory_mb` of its
entry in jobs.yaml or else the level's, and the level's minutes.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field

from common.errors import SettingsError
from common.runs import settings as settings_of
from common.runs.settings import ROOT, Settings, hint, validated


class Resources(Settings):
    """What one line of the table says."""

    gpu: int | None = Field(default=None, ge=0, description="GPUs; more than one share every batch of the job's training")
    mem_mb: int | None = Field(default=None, gt=0, description="memory of the main processors in megabytes")
    runtime: int | None = Field(default=None, gt=0, description="minutes, after which a cluster ends the job")


def read_table(file: str | None) -> dict[str, dict[str, int]]:
    """Return what each line of a table says, or none without a file. Raises `SettingsError` naming file, line and key."""
    if not file:
        return {}
    if not Path(file).is_file():
        raise SettingsError(f"resources: {file} is not there; write it, or leave `resources` out of config/config.yaml")
    content = settings_of.load_yaml(Path(file))
    if not isinstance(content, Mapping):
        raise SettingsError(f"{file}: must map jobs to what they ask, e.g. `train_cifar10_*: {{gpu: 2}}`")
    lines = {str(name): validated(Resources, line, where=f"{file}: {name}") for name, line in content.items()}
    return {name: line.model_dump(exclude_none=True) for name, line in lines.items()}


def forecast_file(level: str) -> str | None:
    """Return the committed table of a level, which `python -m replications forecast --resources` writes, if it has one."""
    file = ROOT / "config" / "resources" / f"{level}.yaml"
    return str(file) if file.is_file() else None


def resources(job: str, table: Mapping[str, Mapping[str, int]], fallback: Mapping[str, int]) -> dict[str, int]:
    """Return what a job asks: its line of the table over the fallback."""
    return {**fallback, **next((line for name, line in table.items() if fnmatchcase(job, name)), {})}


def check_gpus(file: str | None, job: str, gpus: int, batch: int) -> None:
    """Raise `SettingsError` if a job is to have several GPUs that cannot share the batch of its training; 0: it shares none."""
    if gpus > 1 and not batch:
        raise SettingsError(f"{file}: {job}: gpu: {gpus}: this job computes on one GPU; give it 1, and more jobs side by side")
    if gpus > 1 and batch % gpus:
        raise SettingsError(f"{file}: {job}: gpu: {gpus}: does not divide its whole batch of {batch}; give it a number that does")


def check_names(file: str | None, table: Iterable[str], jobs: Iterable[str]) -> None:
    """Raise `SettingsError` if a line of the table fits no job: its job would get the fallback, without a word."""
    jobs = list(jobs)
    for name in table:
        if not any(fnmatchcase(job, name) for job in jobs):
            raise SettingsError(f"{file}: {name}: no job of this level has such a name{_near(name, jobs)}")


def _near(name: str, jobs: list[str]) -> str:
    return hint(name, jobs).partition(" (known")[0]  # there are hundreds
