"""What the Snakefile and its rules share; plain functions, so that they can be tested without Snakemake.

Nothing here imports torch: Snakemake reads it again for every call, and `snakemake` with nothing to do should take seconds.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema

from common.errors import SettingsError
from common.runs import settings as settings_of
from common.runs.dependencies import sources
from common.runs.entries import entries
from common.runs.extra import extra_files
from common.runs.layout import RESULTS
from common.runs.levels import LEVELS
from common.runs.locks import free_stale_lock
from common.runs.plan import Job, plan, runs_by_paper
from common.runs.settings import ROOT, papers

__all__ = ["RESULTS", "extra_files", "free_stale_lock", "papers", "plan", "runs_by_paper"]


def use_this_python() -> None:
    """Let jobs run with the Python of this snakemake, whether its environment is activated or not."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def dry_run(arguments: Sequence[str]) -> bool:
    """Return whether snakemake was called to say what it would do: a workflow cannot ask it while it is read."""
    return any(word in ("--dry-run", "--dryrun") or re.fullmatch("-[a-zA-Z]*n[a-zA-Z]*", word) for word in arguments)


def check_config(config: Mapping[str, Any]) -> list[str]:
    """Check config/config.yaml (and --config) against its schema; return the chosen papers.

    Raises `SettingsError` naming the key, the value and the remedy.
    """
    if isinstance(config.get("papers"), str) and config["papers"] != "all":
        config = {**config, "papers": [config["papers"]]}  # --config papers=flow_matching
    schema = settings_of.load_yaml(ROOT / "config" / "schema.yaml")
    errors = sorted(jsonschema.Draft202012Validator(schema).iter_errors(dict(config)), key=lambda error: list(error.path))
    if errors:
        raise SettingsError("\n".join(_explain(error) for error in errors))
    chosen = papers() if config["papers"] == "all" else list(config["papers"])
    for paper in chosen:
        if paper not in papers():
            raise SettingsError(f"config/config.yaml: papers: there is no paper {paper!r}{settings_of.hint(paper, papers())}")
    if extra_files(config) and not any(entry.extra for paper in chosen for entry in entries(f"replications.{paper}").values()):
        raise SettingsError(
            f"--config extra: none of {', '.join(chosen)} takes files of your own; choose a paper that does: survey"
        )
    return chosen


def report_sources(papers: Sequence[str]) -> list[str]:
    """Return the source files that the report on these papers depends on."""
    parts = [f"replications.{paper}.{part}" for paper in papers for part in ("claims", "figures")]
    walkthroughs = [f"replications/{paper}/walkthrough.py" for paper in papers]
    return sources("report.__main__", *parts) + [file for file in walkthroughs if (ROOT / file).is_file()]


def report_assets() -> list[str]:
    """Return the files of report/ that are not Python: templates, style, script."""
    folder = ROOT / "report"
    kinds = (".jinja", ".css", ".js", ".svg")
    return sorted(
        str(file.relative_to(folder)) for file in folder.rglob("*") if file.suffix in kinds and "build" not in file.parts
    )


def page_job(paper: str, level: str, pages: str, workflow: Any) -> Callable[[Any], str]:
    """Return what gives a paper's page its command: the targets of Snakemake's `workflow` are known when it starts, not before.

    A call that asks for single papers makes their pages alone: then there may be no first page to link to.
    """

    def command(wildcards: Any) -> str:
        targets = set(map(str, workflow.dag_settings.targets or ()))
        alone = targets and targets <= set(papers()) and not Path(pages, "index.html").exists()
        whole = "" if alone else " --whole"
        return f"python -m report paper --level {level} --results {RESULTS} --papers {paper}{whole}"

    return command


LONG_AGO = 86400  # seconds; Snakemake takes 0 for no time at all


def age_failed(jobs: Iterable[Job]) -> None:
    """Make runs that failed at their last attempt look old, so that Snakemake runs them again whatever they left behind."""
    for folder in (Path(run.folder) for job in jobs for run in job.runs):
        if (folder / "failure.json").is_file() and (folder / "metrics.csv").is_file():
            os.utime(folder / "metrics.csv", (LONG_AGO, LONG_AGO))


def failures(jobs: Iterable[Job], level: str, since: float) -> str:
    """Return what a person needs to know of the failed runs: which, why, the end of each log, and the next command.

    So too of jobs that were ended from outside (cancelled, killed, out of time or memory) in a call that began at `since`, in
    seconds as of `time.time`: they leave no reason, and Snakemake does not name them where it is told to be quiet.
    """
    lines = []
    for job in jobs:
        records = [Path(run.folder) / "failure.json" for run in job.runs]
        if failed := [record for record in records if record.is_file()]:
            for record in failed:
                lines += [f"failed: {record.parent}", f"  {_message(record)}"]
        elif _broken_off(job, since):
            lines.append(
                f"broken off: {job.name}: cancelled, killed, or out of time or memory; the next call resumes its training"
            )
        else:
            continue
        lines += [f"  the end of {job.log}:", *(f"    {line}" for line in _end(Path(job.log)))]
    again = f"snakemake --cores --config level={level}"
    return "\n".join([*lines, f"What succeeded is kept. After mending the cause: {again}"]) if lines else ""


def _broken_off(job: Job, since: float) -> bool:
    """Return whether a job has started and not finished all its runs."""

    def written(file: str | Path) -> bool:
        return Path(file).is_file() and Path(file).stat().st_mtime >= since

    return written(job.log) and not all(written(Path(run.folder, "metrics.csv")) for run in job.runs)


def _message(record: Path) -> str:
    try:
        return str(json.loads(record.read_text())["message"]).strip()
    except (OSError, ValueError, KeyError, TypeError):
        return f"{record} cannot be read"


def _end(log: Path, count: int = 8) -> list[str]:
    try:
        return log.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        return ["(there is no log)"]


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
